"""Judging tokens of our own that come back: access tokens (RFC 9068 §4), ``id_token_hint``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from broker.core import vocabulary as v
from broker.core.errors import InvalidRequest, InvalidToken
from broker.core.handles import Handles, Kind
from broker.core.minted import AccessToken, Hint, named_audience, seconds, text
from broker.core.model import Lifetimes
from broker.core.ports import Clock, Entropy
from keys.errors import InvalidToken as BadSignature
from keys.jws import VerificationKey, verify_jwt
from keys.signer import Signer


class Keys(Protocol):
    """What minting needs of a keyring."""

    async def fresh_signer(self, alg: str = ...) -> Signer:
        """Return the key that signs now, after a look at the key store where it must be.

        Raises:
            keys.errors.StaleKeyring, keys.errors.NoSigningKey: none may.
        """
        ...

    def key_for(self, kid: str) -> VerificationKey | None:
        """Return the published key of that ``kid``."""
        ...

    def hint_key_for(self, kid: str) -> VerificationKey | None:
        """Return the key, published or retired, that may still judge an ``id_token_hint``."""
        ...


@dataclass(frozen=True, slots=True)
class OwnTokens:
    """Judges tokens that say that we made them.

    Attributes:
        issuer: ``iss``, from configuration.
        keys: the keyring.
        handles: makes and opens the opaque parts.
        clock, entropy: time and randomness.
        lifetimes: in seconds.
    """

    issuer: str
    keys: Keys
    handles: Handles
    clock: Clock
    entropy: Entropy
    lifetimes: Lifetimes

    def access_token(self, token: str) -> AccessToken:
        """Return what an access token of ours says (RFC 9068 §4); whose audience is not judged.

        Raises:
            InvalidToken: it is not one of ours, not an access token, or expired.
        """
        try:
            claims = verify_jwt(token, self.keys.key_for, typ=v.TYP_ACCESS)
        except BadSignature as error:
            raise InvalidToken(private=str(error)) from None
        self._must_be_timely(claims)
        handle = self.handles.open(Kind.ACCESS, text(claims, "jti"))
        if claims.get("iss") != self.issuer or handle is None:
            raise InvalidToken(private="iss or jti is not ours")
        return AccessToken(
            account_id=handle.account_id,
            grant_id=handle.item_id,
            client_id=text(claims, "client_id"),
            scope=tuple(text(claims, "scope").split()),
            audience=named_audience(claims.get("aud")),
            unique=handle.generation,
            claims=claims,
        )

    def hint(self, token: str) -> Hint:
        """Return what an ``id_token_hint`` says, expired or not (RP-Initiated Logout §2).

        Raises:
            InvalidRequest: it is not an ID token of ours, or its key was revoked.
        """
        try:
            claims = verify_jwt(token, self.keys.hint_key_for, typ=v.TYP_ID)
        except BadSignature as error:
            raise InvalidRequest("The id_token_hint is not valid", private=str(error)) from None
        sub, aud, sid = claims.get("sub"), claims.get("aud"), claims.get("sid")
        if claims.get("iss") != self.issuer or not isinstance(sub, str) or not isinstance(aud, str):
            raise InvalidRequest("The id_token_hint is not valid", private="iss, sub or aud")
        if "exp" not in claims:  # a signed userinfo answer is no ID token
            raise InvalidRequest("The id_token_hint is not valid", private="not an ID token")
        return Hint(sub, aud, sid if isinstance(sid, str) else None)

    def hint_subject(self, token: str, client_id: str) -> str:
        """Return the subject of an ``id_token_hint`` that was issued to this client.

        Raises:
            InvalidRequest: it is not an ID token of ours for this client.
        """
        hint = self.hint(token)
        if hint.client_id != client_id:
            raise InvalidRequest("The id_token_hint was issued to another client")
        return hint.sub

    def _must_be_timely(self, claims: Mapping[str, Any]) -> None:
        now = self.clock.now()
        exp = seconds(claims.get("exp"))
        begins = seconds(claims.get("nbf", claims.get("iat")))
        if exp <= now or begins > now + self.lifetimes.skew:
            raise InvalidToken(private="expired, or not yet valid")
