"""Minting: access tokens (RFC 9068), ID tokens (OpenID Connect Core §2), and judging our own."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Protocol

from broker.core import vocabulary as v
from broker.core.claims import released
from broker.core.errors import InvalidRequest, InvalidScope, InvalidTarget, InvalidToken
from broker.core.handles import Handle, Handles, Kind
from broker.core.model import Client, Facts, Grant, Lifetimes
from broker.core.pkce import encode
from broker.core.ports import Clock, Entropy
from broker.core.signing import SigningAlgorithms, audiences
from keys.algorithms import ALGORITHMS
from keys.errors import InvalidToken as BadSignature
from keys.jws import VerificationKey, sign_jwt, verify_jwt
from keys.signer import Signer

_TOKEN_HASHES: Final = {
    name: getattr(hashlib, algorithm.token_hash) for name, algorithm in ALGORITHMS.items()
}


class Keys(Protocol):
    """What minting needs of a keyring."""

    def signer(self, alg: str = ...) -> Signer:
        """Return the key that signs now.

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
class AccessToken:
    """An access token of ours, verified.

    Attributes:
        account_id, grant_id: out of its ``jti``.
        client_id, scope: as its claims say.
        audience: its ``aud``, always a tuple here.
    """

    account_id: str
    grant_id: str
    client_id: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hint:
    """An ID token of ours given back as a hint; perhaps expired."""

    sub: str
    client_id: str
    sid: str | None


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes tokens, and judges those that come back.

    Attributes:
        issuer: ``iss``, from configuration.
        keys: the keyring.
        handles: makes the opaque parts.
        clock, entropy: time and randomness.
        lifetimes: in seconds.
        signing: which algorithm signs what.
    """

    issuer: str
    keys: Keys
    handles: Handles
    clock: Clock
    entropy: Entropy
    lifetimes: Lifetimes
    signing: SigningAlgorithms

    async def ready(self, client: Client, resources: tuple[str, ...], *, id_token: bool) -> None:
        """Refuse before anything is spent if the answer could not be signed.

        Args:
            client: who asks.
            resources: as the request names them.
            id_token: whether the answer may hold an ID token.

        Raises:
            InvalidTarget: no resource is the client's, or no one signature serves them all.
            AlgorithmOff: the client or an API is set to an algorithm that is off.
            StoreUnavailable: the APIs are not known, and SQL does not answer.
            keys.errors.StaleKeyring, keys.errors.NoSigningKey: as the keyring says.
            keys.errors.SigningFailed: what holds the key is known not to sign at present.
        """
        for alg in await self.signing.needed(client, resources, id_token=id_token):
            self.keys.signer(alg).check()

    async def answer(
        self,
        client: Client,
        grant: Grant,
        facts: Facts,
        *,
        scope: tuple[str, ...],
        resources: tuple[str, ...],
        id_token: bool,
    ) -> dict[str, Any]:
        """Return a token endpoint's answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).

        What an operator has taken from the client since the grant began is left out.

        Raises:
            InvalidScope, InvalidTarget: nothing of the scope or of the resources is left, or the
                APIs behind the resources were changed, and no one signature serves them all.
        """
        scope = tuple(word for word in scope if word in client.scopes)
        if not scope:
            raise InvalidScope
        kept = tuple(resource for resource in resources if resource in client.resources)
        if resources and not kept:
            raise InvalidTarget
        access = await self._access_token(client, grant, facts, scope=scope, resources=kept)
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self._lifetime(client),
            "scope": " ".join(scope),
        }
        if v.GRANT_REFRESH in client.grant_types:
            handle = Handle(grant.account_id, grant.grant_id, grant.generation)
            answer["refresh_token"] = self.handles.make(Kind.REFRESH, handle)
        if id_token and v.SCOPE_OPENID in scope:
            answer["id_token"] = await self._id_token(client, grant, facts, scope, access)
        return answer

    async def _access_token(
        self,
        client: Client,
        grant: Grant,
        facts: Facts,
        *,
        scope: tuple[str, ...],
        resources: tuple[str, ...],
    ) -> str:
        """RFC 9068 §2.2; its ``jti`` is opaque, unique, and names the grant to us alone."""
        alg = await self.signing.of_access_token(client, resources)
        now = int(self.clock.now())
        unique = int.from_bytes(self.entropy.token(8), "big")
        claims = {
            "iss": self.issuer,
            "sub": facts.sub,
            "aud": audience(client, resources),
            "client_id": client.client_id,
            "scope": " ".join(scope),
            "iat": now,
            "exp": now + self._lifetime(client),
            "auth_time": int(grant.auth_time),
            "jti": self.handles.make(Kind.ACCESS, Handle(grant.account_id, grant.grant_id, unique)),
        }
        return await sign_jwt(self.keys.signer(alg), v.TYP_ACCESS, claims)

    async def _id_token(
        self, client: Client, grant: Grant, facts: Facts, scope: tuple[str, ...], access: str
    ) -> str:
        """OpenID Connect Core §2, §3.1.3.6 (``at_hash``), with the claims its scope releases.

        The nonce is the request's, so it is only in the first ID token (Core §12.2).
        """
        alg = self.signing.of_id_token(client)
        now = int(self.clock.now())
        claims = released(facts.claims, scope) | {
            "iss": self.issuer,
            "sub": facts.sub,
            "aud": client.client_id,
            "iat": now,
            "exp": now + (client.id_token_lifetime or self.lifetimes.id_token),
            "auth_time": int(grant.auth_time),
            "sid": grant.sid,
            "at_hash": token_hash(access, alg),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        return await sign_jwt(self.keys.signer(alg), v.TYP_ID, claims)

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
        handle = self.handles.open(Kind.ACCESS, _text(claims, "jti"))
        if claims.get("iss") != self.issuer or handle is None:
            raise InvalidToken(private="iss or jti is not ours")
        return AccessToken(
            account_id=handle.account_id,
            grant_id=handle.item_id,
            client_id=_text(claims, "client_id"),
            scope=tuple(_text(claims, "scope").split()),
            audience=_audience(claims.get("aud")),
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
        exp = _seconds(claims.get("exp"))
        begins = _seconds(claims.get("nbf", claims.get("iat")))
        if exp <= now or begins > now + self.lifetimes.skew:
            raise InvalidToken(private="expired, or not yet valid")

    def _lifetime(self, client: Client) -> int:
        """Return seconds; retired keys stay published for the longest lifetime, no longer."""
        wanted = client.access_token_lifetime or self.lifetimes.access_token
        return min(wanted, self.lifetimes.longest_token)


def audience(client: Client, resources: tuple[str, ...]) -> str | list[str]:
    """Return ``aud``: the resources asked for, else the client's own (RFC 9068 §3, RFC 8707)."""
    found = audiences(client, resources)
    return found[0] if len(found) == 1 else list(found)


def token_hash(token: str, alg: str) -> str:
    """Return ``at_hash``: the left half of the hash that belongs to the ID token's algorithm.

    OpenID Connect Core §3.1.3.6.
    """
    digest: bytes = _TOKEN_HASHES[alg](token.encode()).digest()
    return encode(digest[: len(digest) // 2])


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise InvalidToken(private=f"{name} is missing or not text")
    return value


def _audience(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidToken(private="aud is missing or not text")
    return tuple(names)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidToken(private="a time is missing or not a number")
    return value
