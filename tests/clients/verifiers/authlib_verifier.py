"""A service that verifies with Authlib: RFC 9068 access tokens, OpenID Connect ID tokens.

Authlib leaves the fetching of keys to the service (``get_jwks``); this one keeps them as RFC 9111
has it: for max-age less Age, counted from the moment it asked.
"""

import re
import time
from typing import Any

import httpx2
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from authlib.oidc.core import IDToken
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from tests.clients.verifiers.lines import (
    EXPIRED,
    UNKNOWN_KEY,
    CopyAge,
    CutOff,
    Refused,
    answer,
    arguments,
)

COPY = CopyAge()
given = arguments()
CUT = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)


class KeptKeys:
    """The issuer's keys, kept as long as Cache-Control says."""

    def __init__(self) -> None:
        self._http = httpx2.Client(trust_env=False, timeout=10)
        self._keys: KeySet | None = None
        self._until = 0.0

    def get(self) -> KeySet:
        """Return the copy, or a new one where it has ended.

        Raises:
            CutOff: the connection was cut.
        """
        if self._keys is None or time.monotonic() >= self._until:
            COPY.asking()
            began = time.monotonic()
            try:
                found = self._http.get(given["jwks"]).raise_for_status()
            except CUT as error:
                raise CutOff(repr(error)) from error
            self._keys = KeySet.import_key_set(found.json())
            allowed = lifetime_of(found.headers)
            self._until = began + allowed
            COPY.renewed(allowed, began)
        return self._keys


def lifetime_of(headers: httpx2.Headers) -> float:
    """Return how long an answer may be kept, in seconds (RFC 9111 §4.2)."""
    allowed = re.search(r"\bmax-age=(\d+)", headers.get("cache-control", ""))
    lifetime = int(allowed[1]) if allowed else 0
    return max(0, lifetime - int(headers.get("age", "0"))) * float(given["keeps"])


class Protector(JWTBearerTokenValidator):  # type: ignore[misc]
    """What a service registers at Authlib's ResourceProtector."""

    def __init__(self, keys: KeptKeys) -> None:
        super().__init__(given["issuer"], given["audience"]["access_token"])
        self._keys = keys

    def get_jwks(self) -> KeySet:
        """Return the issuer's keys."""
        return self._keys.get()


def judge_id_token(keys: KeptKeys, token: str) -> None:
    """Verify an ID token (Core §3.1.3.7)."""
    found = jwt.decode(token, keys.get(), algorithms=["RS256"])
    wanted: dict[str, Any] = {
        "iss": {"essential": True, "value": given["issuer"]},
        "aud": {"essential": True, "value": given["audience"]["id_token"]},
    }
    IDToken(found.claims, found.header, wanted).validate(leeway=given["skew"])


def main() -> None:
    """Judge what comes."""
    keys = KeptKeys()
    protector = Protector(keys)

    def judge(kind: str, token: str) -> None:
        try:
            if kind == "access_token":
                found = protector.authenticate_token(token)
                protector.validate_token(found, ["openid"], None)
            else:
                judge_id_token(keys, token)
        except (InvalidTokenError, JoseError) as error:
            raise Refused(_why(error)) from error

    answer(judge, COPY)


def _why(error: Exception) -> str:
    cause = error if isinstance(error, JoseError) else error.__cause__
    if isinstance(cause, InvalidKeyIdError):
        return UNKNOWN_KEY
    return EXPIRED if isinstance(cause, ExpiredTokenError) else repr(cause)


if __name__ == "__main__":
    main()
