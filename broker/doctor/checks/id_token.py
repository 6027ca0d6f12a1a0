"""An ID token, judged as Discord does before it makes a provisional account of it.

Source: Discord's developer documentation, "Configuring Identity Providers", ID Token Requirements.
"""

from collections.abc import Mapping
from typing import Any, Final

from broker.doctor.checks import token as judging
from broker.doctor.checks.documents import advertised
from broker.doctor.checks.provider import SUPPORTED
from broker.doctor.checks.token import LEEWAY, Token, number
from broker.doctor.key_sets import keys_in, kid_of
from broker.doctor.model import Evidence, Finding, fail, ok, quoted, warn
from broker.doctor.wording import span

OLDEST: Final = 7 * 86400.0  # seconds since it was issued
LONGEST_NAME: Final = 32  # characters of preferred_username
_FRESH: Final = "let the app refresh, and give Discord the ID token that comes"


def judge(
    token: Token, evidence: Evidence, issuer: str, client_id: str | None
) -> tuple[Finding, ...]:
    """Judge a token by the documents that were seen.

    Args:
        token: the token.
        evidence: holds the discovery document and the JWKS; `at` is the time.
        issuer: as Discord was given it.
        client_id: the one Discord was given, or None where it is not known.
    """
    keys = keys_in(evidence.jwks_answer) or ()
    kid = token.header.get("kid")
    found = next((key for key in keys if kid_of(key) == kid and kid), None)
    proof = () if found is None else (judging.fits(token, found), judging.signature(token, found))
    claims, now = token.claims, evidence.at
    return (
        kind(token),
        algorithm(token, evidence.metadata or {}),
        judging.known(token, evidence),
        *proof,
        issued_by(claims, issuer),
        subject(claims),
        audience(claims, client_id),
        expiry(claims, now),
        age(claims, now),
        name(claims),
    )


def kind(token: Token) -> Finding:
    """Judge `typ`: an access token is not what Discord takes."""
    typ = token.header.get("typ", "")
    if isinstance(typ, str) and typ.lower().removeprefix("application/") == "at+jwt":
        cure = "give Discord the id_token of the answer: the app asks for the scope openid"
        return fail("typ", "an access token", cure)
    return ok("typ", "an ID token")


def algorithm(token: Token, metadata: Mapping[str, Any]) -> Finding:
    """Judge `alg`: one that Discord knows, and that discovery names."""
    alg = token.header.get("alg")
    if alg in SUPPORTED and alg in advertised(metadata):
        return ok("alg", str(alg))
    seen = f"{quoted(alg)}: " + (
        "not in the discovery document" if alg in SUPPORTED else "none that Discord knows"
    )
    return fail("alg", seen, "choose another: broker clients edit ID --id-token-alg RS256")


def issued_by(claims: Mapping[str, Any], issuer: str) -> Finding:
    """Judge `iss`: the URL that Discord was given, to the letter."""
    found = claims.get("iss")
    if found == issuer:
        return ok("iss", "this deployment")
    cure = "it is another deployment's, or Discord was given another address than BROKER_ISSUER"
    return fail("iss", f"{quoted(found)}, not {quoted(issuer)}", cure)


def subject(claims: Mapping[str, Any]) -> Finding:
    """Judge `sub`: there. It is somebody's, so it is not shown."""
    found = claims.get("sub")
    if isinstance(found, str) and found:
        return ok("sub", "there")
    return fail("sub", "missing or no text", "the broker names the person in each: is it its own?")


def audience(claims: Mapping[str, Any], client_id: str | None) -> Finding:
    """Judge `aud`: it names the client that Discord was given."""
    found = claims.get("aud")
    names = found if isinstance(found, list) else [found]
    told = ", ".join(quoted(one) for one in names)
    if client_id is None:
        cure = "name the client id that Discord was given: --client-id"
        return warn("aud", f"for {told}; with what Discord was given it was not compared", cure)
    if client_id in names:
        return ok("aud", f"for {told}")
    cure = "give Discord the client id of the app whose ID tokens it gets"
    return fail("aud", f"for {told}, not {quoted(client_id)}", cure)


def expiry(claims: Mapping[str, Any], now: float) -> Finding:
    """Judge `exp`."""
    ends = number(claims.get("exp"))
    if ends is None:
        return fail("exp", "missing or no number", "the broker writes one: is it its own?")
    if ends <= now:
        return fail("exp", f"expired {span(now - ends)} ago", _FRESH)
    return ok("exp", f"valid for another {span(ends - now)}")


def age(claims: Mapping[str, Any], now: float) -> Finding:
    """Judge `iat`: there, not in the future, seven days ago at the most."""
    made = number(claims.get("iat"))
    if made is None:
        return fail("iat", "missing or no number", "the broker writes one: is it its own?")
    if made > now + LEEWAY:
        return fail("iat", f"begins in {span(made - now)}", "set the clocks by NTP")
    if made < now - OLDEST:
        return fail("iat", f"issued {span(now - made)} ago, more than 7 d", _FRESH)
    return ok("iat", f"issued {span(max(0.0, now - made))} ago")


def name(claims: Mapping[str, Any]) -> Finding:
    """Judge `preferred_username`: 1 to 32 characters, where it is there. It is not shown."""
    found = claims.get("preferred_username")
    if found is None:
        return ok("preferred_username", "not there; Discord then makes a name")
    if isinstance(found, str) and 1 <= len(found) <= LONGEST_NAME:
        return ok("preferred_username", f"{len(found)} of at most {LONGEST_NAME} characters")
    seen = f"{len(found)} characters" if isinstance(found, str) else "no text"
    cure = f"Discord takes 1 to {LONGEST_NAME} characters: ask without the scope profile"
    return fail("preferred_username", seen, cure)
