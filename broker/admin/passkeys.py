"""Operators' passkeys: the one module that knows the Web Authentication library.

User verification is asked for: the authenticator has seen a finger, a face or a PIN, so a stolen
one alone opens nothing (Web Authentication §6.3.3).
"""

from typing import Final
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from broker.core.operators import Operator, Passkey

NOT_ASKED: Final = "nothing was asked of a passkey"
VERIFIED: Final = UserVerificationRequirement.REQUIRED
# What the library makes of an answer that is none; the last is JSON nested too deeply.
REFUSED: Final = (WebAuthnException, ValueError, RecursionError)


class PasskeyRefused(Exception):
    """What came is no answer of such a passkey; the text is for the log."""


class Passkeys:
    """Asks for passkeys and judges their answers.

    Args:
        issuer: its origin is the one that may ask; passkeys belong to its host.
        brand: what authenticators call this service.
    """

    def __init__(self, issuer: str, brand: str) -> None:
        self._origin = issuer
        self._host = urlsplit(issuer).hostname or ""
        self._brand = brand

    def creation(self, operator: Operator, name: str, challenge: bytes) -> str:
        """Return what a browser needs to make one, as JSON (Web Authentication §5.4)."""
        options = generate_registration_options(
            rp_id=self._host,
            rp_name=self._brand,
            user_id=bytes.fromhex(operator.account_id),
            user_name=name,
            challenge=challenge,
            exclude_credentials=_listed(operator),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=VERIFIED
            ),
        )
        return options_to_json(options)

    def request(self, operator: Operator, challenge: bytes) -> str:
        """Return what a browser needs to use one, as JSON (Web Authentication §5.5)."""
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            allow_credentials=_listed(operator),
            user_verification=VERIFIED,
        )
        return options_to_json(options)

    def made(
        self, answer: str, challenge: bytes | None, account_id: str, name: str, now: float
    ) -> Passkey:
        """Return the passkey that was made (Web Authentication §7.1).

        Raises:
            PasskeyRefused: the answer is not one to that challenge, or nothing was asked.
        """
        if challenge is None:
            raise PasskeyRefused(NOT_ASKED)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except REFUSED as error:
            raise PasskeyRefused(f"{type(error).__name__}: {error}") from error
        key, count = made.credential_public_key, made.sign_count
        return Passkey(made.credential_id, account_id, key, count, name, now)

    def used(
        self, answer: str, challenge: bytes | None, operator: Operator | None
    ) -> tuple[Passkey, int]:
        """Return the operator's passkey that has signed, and its count (Web Authentication §7.2).

        Whether the count may be is judged where it is kept, in the step that keeps it.

        Raises:
            PasskeyRefused: the answer is not one to that challenge, or of another's passkey.
        """
        if challenge is None or operator is None:
            raise PasskeyRefused(NOT_ASKED)
        passkey, shown = _shown(answer, operator)
        try:
            used = verify_authentication_response(
                credential=shown,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except REFUSED as error:
            raise PasskeyRefused(f"{type(error).__name__}: {error}") from error
        return passkey, used.new_sign_count


def _shown(answer: str, operator: Operator) -> tuple[Passkey, AuthenticationCredential]:
    try:
        shown = parse_authentication_credential_json(answer)
    except REFUSED as error:
        raise PasskeyRefused(f"{type(error).__name__}: {error}") from error
    for one in operator.passkeys:
        if one.credential_id == shown.raw_id:
            return one, shown
    raise PasskeyRefused("no passkey of this operator's")


def _listed(operator: Operator) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in operator.passkeys]
