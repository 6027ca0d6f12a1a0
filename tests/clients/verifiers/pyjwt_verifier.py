"""A service that verifies with PyJWT and its PyJWKClient."""

from http.client import IncompleteRead
from typing import Any

import jwt

from tests.clients.verifiers.lines import (
    EXPIRED,
    UNKNOWN_KEY,
    CopyAge,
    CutOff,
    Refused,
    answer,
    arguments,
)

NEVER = 1e9  # seconds: an unknown key makes it ask anew after that time at the earliest
REQUIRED = ["exp", "iat", "iss", "sub", "aud"]
COPY = CopyAge()
given = arguments()


class Keys(jwt.PyJWKClient):
    """PyJWT's client; tells when it asks."""

    def fetch_data(self) -> Any:
        """Fetch the JWKS.

        Raises:
            CutOff: the connection was cut.
        """
        COPY.asking()
        try:
            found = super().fetch_data()
        except jwt.PyJWKClientConnectionError as error:
            cause = error.__cause__
            if isinstance(getattr(cause, "reason", cause), ConnectionError | IncompleteRead):
                raise CutOff(repr(cause)) from error
            raise
        COPY.renewed(given["lifetime"])
        return found


def main() -> None:
    """Judge what comes."""
    keys = Keys(
        given["jwks"], lifespan=given["lifetime"], cache_keys=False, cooldown_duration=NEVER
    )

    def judge(kind: str, token: str) -> None:
        try:
            jwt.decode(
                token,
                keys.get_signing_key_from_jwt(token),
                algorithms=["RS256"],
                issuer=given["issuer"],
                audience=given["audience"][kind],
                leeway=given["skew"],
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise Refused(EXPIRED) from None
        except jwt.PyJWKClientError as error:
            unknown = "Unable to find a signing key" in str(error)
            raise Refused(UNKNOWN_KEY if unknown else repr(error)) from error

    answer(judge, COPY)


if __name__ == "__main__":
    main()
