"""A token that a downstream service received, judged by the keys it can see."""

import json
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jws import JWSRegistry

from broker.doctor.key_sets import Key, keys_in, kid_of, kids_in, short, usable
from broker.doctor.model import Evidence, Finding, fail, ok, quoted, warn
from broker.doctor.wording import span

LONGEST: Final = 16_384
LEEWAY: Final = 60.0
SIGNED_BY_KEYS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    "Ed25519",
)  # fmt: skip


class NotATokenError(ValueError):
    """A text is no signed token; the reason holds nothing of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token in its parts. Proves nothing, and is never shown."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes


def parse(text: str) -> Token:
    """Return a token's parts (RFC 7515 §7.1).

    Args:
        text: the compact serialization; `Bearer ` before it and space around it are taken off.

    Raises:
        NotATokenError: it is none.
    """
    bare = text.strip().removeprefix("Bearer ").strip()
    if len(bare) > LONGEST:
        raise NotATokenError(f"longer than {LONGEST} characters")
    parts = bare.split(".")
    if len(parts) == 5:
        raise NotATokenError("five parts: it is encrypted, and only its reader can judge it")
    if len(parts) != 3:
        raise NotATokenError("not three parts with dots between: no signed token (JWS)")
    try:
        header, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, RecursionError):
        raise NotATokenError("its parts are not base64url of JSON") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise NotATokenError("its header or claims are no object")
    return Token(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def _bytes(segment: str) -> bytes:
    return urlsafe_b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4))


def judge(token: Token, evidence: Evidence, issuer: str, now: float) -> tuple[Finding, ...]:
    """Judge a token as a verifier that saw this evidence would.

    Args:
        token: the token.
        evidence: holds the JWKS as verifiers get it.
        issuer: what `iss` must be.
        now: epoch seconds.
    """
    keys = keys_in(evidence.jwks_answer) or ()
    kid = token.header.get("kid")
    found = next((key for key in keys if kid_of(key) == kid and kid), None)
    first = (algorithm(token), kind(token), known(token, evidence))
    proof = (fits(token, found), signature(token, found)) if found is not None else ()
    return (*first, *proof, issued_by(token, issuer), *times(token, now))


def algorithm(token: Token) -> Finding:
    """Judge `alg`: never none, never a shared secret's (RFC 8725 §3.1)."""
    alg = token.header.get("alg")
    if alg in SIGNED_BY_KEYS:
        return ok("alg", str(alg))
    cure = "refuse it, and give the verifier an explicit list of algorithms: somebody forges tokens"
    return fail("alg", f"{quoted(alg)} is none that a public key verifies", cure)


def kind(token: Token) -> Finding:
    """Judge `typ`: an API takes access tokens alone (RFC 9068 §4)."""
    said = token.header.get("typ", "")
    typ = said.lower().removeprefix("application/") if isinstance(said, str) else said
    if typ == "at+jwt":
        return ok("typ", "an access token (at+jwt)")
    cure = "an API must refuse it: only at+jwt is for it; an ID token is for the app that asked"
    return warn("typ", f"{quoted(typ)}: not an access token", cure)


def known(token: Token, evidence: Evidence) -> Finding:
    """Judge whether its `kid` is in the JWKS, and say what a verifier does when it is not."""
    kid = token.header.get("kid")
    if not isinstance(kid, str) or not kid:
        return fail("kid", "missing", "refuse it: the broker names the key in every token")
    kids = kids_in(evidence.jwks_answer)
    if kids is not None and kid in kids:
        return ok("kid", f"{short(kid)} is in the JWKS")
    past = kids_in(evidence.looks.direct) if evidence.looks else None
    others = [
        kids_in(look) or frozenset() for one in evidence.samples for look in (one.plain, one.direct)
    ]
    if (past is not None and kid in past) or any(kid in one for one in others):
        return fail(
            "kid",
            f"{short(kid)} is known to the broker, and not to the copy verifiers get",
            "a cache serves an old JWKS (see Caching): purge it; meanwhile a verifier fetches once "
            "more with Cache-Control: no-cache and answers 503, not 401, if that fails",
        )
    return fail(
        "kid",
        f"{short(kid)} is not in the JWKS: revoked, long retired, or another issuer's",
        "a verifier fetches the JWKS once more for an unknown kid (at most every few seconds, "
        "whoever asks), then answers 401; the app gets a new token by refreshing",
    )


def fits(token: Token, key: Key) -> Finding:
    """Judge that the token's algorithm is its key's (RFC 8725 §3.1)."""
    alg, wanted = token.header.get("alg"), key.get("alg")
    if wanted is None:
        return ok("alg of the key", "not said by the key")
    words = isinstance(alg, str) and isinstance(wanted, str)
    if words and (alg == wanted or {alg, wanted} == {"EdDSA", "Ed25519"}):
        return ok("alg of the key", str(wanted))
    cure = "refuse it: a token that names another algorithm than its key's is forged"
    return fail(
        "alg of the key", f"the key is for {quoted(wanted)}, the token says {quoted(alg)}", cure
    )


def signature(token: Token, key: Key) -> Finding:
    """Judge the signature."""
    alg, public = token.header.get("alg"), usable(key)
    good = False
    if alg in SIGNED_BY_KEYS and public is not None:
        try:
            model = _model(str(alg))
            good = bool(model.verify(token.signing_input, token.signature, public))
        except (JoseError, ValueError, TypeError):
            good = False
    if good:
        return ok("signature", "right")
    return fail("signature", "wrong", "refuse it (401): it was changed, or made by somebody else")


def _model(alg: str) -> Any:
    with warnings.catch_warnings():
        # `EdDSA` is deprecated in name alone (RFC 9864): no news for whoever looks at a token.
        warnings.simplefilter("ignore", SecurityWarning)
        return JWSRegistry(algorithms=[alg]).get_alg(alg)


def issued_by(token: Token, issuer: str) -> Finding:
    """Judge `iss`, and tell `aud` along."""
    found, audience = token.claims.get("iss"), token.claims.get("aud")
    if found != issuer:
        cure = "refuse it, or look at the other deployment: a verifier compares to the letter"
        return fail("iss", f"{quoted(found)}, not {quoted(issuer)}", cure)
    names = audience if isinstance(audience, list) else [audience]
    told = ", ".join(quoted(one) for one in names)
    return ok("iss", f"this deployment; for the audience {told}: a service takes only its own")


def times(token: Token, now: float) -> tuple[Finding, ...]:
    """Judge `exp`, `nbf` and `iat` against this machine's clock."""
    ends, starts, made = (number(token.claims.get(name)) for name in ("exp", "nbf", "iat"))
    findings = [_expiry(ends, now)]
    early = max((moment for moment in (starts, made) if moment is not None), default=now)
    if early > now + LEEWAY:
        cure = "set the clocks by NTP; a verifier allows a minute at the most"
        findings.append(fail("nbf and iat", f"begins in {span(early - now)}", cure))
    return tuple(findings)


def _expiry(ends: float | None, now: float) -> Finding:
    if ends is None:
        return fail("exp", "missing or no number", "refuse it: a token without an end is not ours")
    if ends <= now:
        cure = "answer 401 with error=invalid_token; the app refreshes and tries again"
        return fail("exp", f"expired {span(now - ends)} ago", cure)
    return ok("exp", f"valid for another {span(ends - now)}")


def number(value: object) -> float | None:
    """Return a claim that is a number, None for anything else."""
    # bool is an int to Python, not to JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None
