"""Recorded answers for the checks, right in everything; a test changes one thing."""

import json
import warnings
from email.utils import formatdate
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from broker.doctor.model import Answer, Evidence, Looks, Sample, Trip

NOW = 1_800_000_000.0
ISSUER = "https://login.example.org"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
JWKS = f"{ISSUER}/.well-known/jwks.json"
METADATA = {
    "issuer": ISSUER,
    "jwks_uri": JWKS,
    "id_token_signing_alg_values_supported": ["RS256"],
}


@cache
def rsa(number: int = 0, bits: int = 2048) -> RSAKey:
    """A key, the same one for each number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weak keys, that a test wants
        made = RSAKey.generate_key(bits, {"use": "sig", "alg": "RS256"})
    made.ensure_kid()
    return made


@cache
def ec() -> ECKey:
    made = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"})
    made.ensure_kid()
    return made


def public(*numbers: int) -> list[dict[str, Any]]:
    """The public halves of keys."""
    return [dict(rsa(number).as_dict(private=False)) for number in numbers]


def kid(number: int) -> str:
    return str(rsa(number).kid)


def body(*numbers: int) -> bytes:
    return json.dumps({"keys": public(*numbers)}).encode()


def answer(content: bytes | None = None, status: int = 200, url: str = JWKS, **changes: Any):
    """A JWKS answer as the broker gives it; ``headers`` change or (None) take away one each."""
    headers = {
        "content-type": "application/json",
        "cache-control": "public, max-age=600",
        "etag": '"abc"',
        "access-control-allow-origin": "*",
        "date": formatdate(NOW, usegmt=True),
    } | {name.replace("_", "-"): text for name, text in changes.pop("headers", {}).items()}
    kept = tuple((name, text) for name, text in headers.items() if text is not None)
    whole = body(1, 2) if content is None else content
    return Answer(url, status, kept, whole, **({"at": NOW, "address": "192.0.2.1"} | changes))


def told(**headers: str | None) -> Answer:
    """A JWKS answer with other headers."""
    return answer(headers=headers)


def evidence(jwks: Answer | None = None, **changes: Any) -> Evidence:
    """What is seen of a deployment that is right in everything."""
    seen = jwks or answer()
    looks = changes.pop("looks", None) or Looks(
        conditional=answer(b"", 304),
        head=answer(b"", method="HEAD"),
        identity=seen,
        browser=seen,
        direct=seen,
    )
    discovery = answer(json.dumps(METADATA).encode(), url=DISCOVERY)
    whole = {
        "asked": ISSUER,
        "at": NOW,
        "discovery": Trip((), discovery),
        "browser": discovery,
        "metadata": METADATA,
        "jwks": Trip((), seen),
        "looks": looks,
        "samples": (Sample(seen, seen), Sample(seen, seen)),
    }
    return Evidence(**(whole | changes))


def token(number: int = 1, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """An access token signed by a key; claims of None are left out."""
    head = {"alg": "RS256", "kid": kid(number), "typ": "at+jwt"} | (header or {})
    whole = {"iss": ISSUER, "aud": "notes", "iat": int(NOW), "exp": int(NOW) + 300} | claims
    kept = {name: value for name, value in whole.items() if value is not None}
    named = {name: text for name, text in head.items() if text is not None}
    numbers = {name: rsa(number).as_dict(private=True)[name] for name in ("kty", "n", "e", "d")}
    anything = RSAKey.import_key({**numbers, **_factors(number)})  # of no particular algorithm
    return jwt.encode(named, kept, anything, algorithms=["RS256", "PS256"])


def _factors(number: int) -> dict[str, Any]:
    whole = rsa(number).as_dict(private=True)
    return {name: whole[name] for name in ("p", "q", "dp", "dq", "qi")}
