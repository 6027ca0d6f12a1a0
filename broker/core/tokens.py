"""Minting: access tokens (RFC 9068) and ID tokens (OpenID Connect Core §2)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, Final

from broker.core import apis
from broker.core import vocabulary as v
from broker.core.claims import (
    ACR,
    ID_TOKEN,
    authenticated,
    authorizing,
    named,
    of_id_token,
    released,
)
from broker.core.errors import InvalidScope, InvalidTarget
from broker.core.handles import Handle, Kind
from broker.core.minted import AccessToken, Hint
from broker.core.model import Client, Facts, Grant
from broker.core.own_tokens import Keys, OwnTokens
from broker.core.per_client import PerClient
from broker.core.pkce import encode
from broker.core.ports import Proof
from broker.core.signing import SigningAlgorithms, audiences
from broker.core.subjects import subject_for
from keys.algorithms import ALGORITHMS
from keys.jws import sign_jwt

__all__ = ["AccessToken", "Hint", "Keys", "Mint", "audience", "token_hash"]

_TOKEN_HASHES: Final = {
    name: getattr(hashlib, algorithm.token_hash) for name, algorithm in ALGORITHMS.items()
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for access tokens of one client for the same resources.

    Attributes:
        alg: the JWS algorithm.
        audience: ``aud``.
        lifetime: seconds.
        understood: the scopes that mean something to the audience; None for all.
    """

    alg: str
    audience: str | list[str]
    lifetime: int
    understood: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Mint(OwnTokens):
    """Makes tokens; judging those that come back is ``OwnTokens``.

    Attributes:
        signing: which algorithm signs what.
    """

    signing: SigningAlgorithms
    _terms: PerClient[Terms] = field(
        default_factory=PerClient, init=False, repr=False, compare=False
    )

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
            (await self.keys.fresh_signer(alg)).check()

    async def answer(
        self,
        client: Client,
        grant: Grant,
        facts: Facts,
        *,
        scope: tuple[str, ...],
        resources: tuple[str, ...],
        id_token: bool,
        proof: Proof | None = None,
    ) -> dict[str, Any]:
        """Return a token endpoint's answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).

        What an operator has taken from the client since the grant began is left out.

        Raises:
            InvalidScope, InvalidTarget: nothing of the scope or of the resources is left, or the
                APIs behind the resources were changed, and no one signature serves them all.
        """
        scope = tuple([word for word in scope if word in client.scopes])
        if not scope:
            raise InvalidScope
        kept = tuple(resource for resource in resources if resource in client.resources)
        if resources and not kept:
            raise InvalidTarget
        handle = Handle(grant.account_id, grant.grant_id, self.unique())
        more = authenticated(grant.auth_time) | authorizing(facts.claims, scope)
        answer = await self.access_answer(
            client,
            handle,
            subject_for(client, grant.account_id, facts.sub),
            scope=scope,
            resources=kept,
            more=more | confirmation(proof),
        )
        if v.GRANT_REFRESH in client.grant_types:
            handle = Handle(grant.account_id, grant.grant_id, grant.generation)
            answer["refresh_token"] = self.handles.make(Kind.REFRESH, handle)
        if id_token and v.SCOPE_OPENID in scope:
            answer["id_token"] = await self._id_token(
                client, grant, facts, scope, answer["access_token"]
            )
        return answer

    def unique(self) -> int:
        """Return what tells an access token from the others of its grant: 64 random bits."""
        return int.from_bytes(self.entropy.token(8), "big")

    async def access_answer(
        self,
        client: Client,
        handle: Handle,
        sub: str,
        *,
        scope: tuple[str, ...],
        resources: tuple[str, ...],
        more: Mapping[str, Any],
        until: float = inf,
    ) -> dict[str, Any]:
        """Return an access token (RFC 9068 §2.2) in the members of an answer (RFC 6749 §5.1).

        Args:
            client: who gets it.
            handle: becomes its ``jti``: opaque, unique, and names the grant to us alone.
            sub: whom it speaks of.
            scope: what was granted; what means nothing to the audience is left out.
            resources: whom it is for; empty for the client's own audience.
            more: further claims; ``confirmation`` among them binds it to a key.
            until: UTC seconds after which it may not live.

        Raises:
            InvalidTarget, AlgorithmOff: no one signature serves the audience.
        """
        known = await self.signing.apis.registered()
        terms = self._terms.of(client, known, resources, partial(self._work_out, resources))
        now = self.clock.now()
        begun, end = int(now), int(min(now + terms.lifetime, until))
        if terms.understood is not None:
            scope = tuple([word for word in scope if word in terms.understood])
        told = " ".join(scope)
        claims = {
            "iss": self.issuer,
            "sub": sub,
            "aud": terms.audience,
            "client_id": client.client_id,
            "scope": told,
            "iat": begun,
            "exp": end,
            **more,
            "jti": self.handles.make(Kind.ACCESS, handle),
        }
        token = await sign_jwt(await self.keys.fresh_signer(terms.alg), v.TYP_ACCESS, claims)
        return {
            "access_token": token,
            "token_type": "DPoP" if "cnf" in more else "Bearer",
            "expires_in": end - begun,
            "scope": told,
        }

    async def _id_token(
        self, client: Client, grant: Grant, facts: Facts, scope: tuple[str, ...], access: str
    ) -> str:
        """OpenID Connect Core §2, §3.1.3.6 (``at_hash``), with the claims its scope releases.

        The nonce is the request's, so it is only in the first ID token (Core §12.2).
        """
        alg = self.signing.of_id_token(client)
        now = int(self.clock.now())
        known = of_id_token(facts.claims)
        claims = released(known, scope) | {
            "iss": self.issuer,
            "sub": subject_for(client, grant.account_id, facts.sub),
            "aud": client.client_id,
            "iat": now,
            "exp": now + (client.id_token_lifetime or self.lifetimes.id_token),
            **authenticated(grant.auth_time),
            "sid": grant.sid,
            "at_hash": token_hash(access, alg),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        if grant.claims is not None:
            claims = named(known, grant.claims, ID_TOKEN, client) | claims
            if ACR in grant.claims:
                claims[ACR] = v.ACR
        return await sign_jwt(await self.keys.fresh_signer(alg), v.TYP_ID, claims)

    async def userinfo(self, client: Client, claims: dict[str, Any]) -> dict[str, Any] | str:
        """Return userinfo claims as the client wants them: plain, or signed (Core §5.3.2).

        Signed ones name who says it, and to whom. They have no ``exp``, so nobody who looks for it
        takes them for an ID token; ``hint`` does look.

        Raises:
            AlgorithmOff: the client is set to an algorithm that was switched off.
            keys.errors.StaleKeyring, keys.errors.NoSigningKey: nothing can be signed now.
        """
        alg = self.signing.of_userinfo(client)
        if alg is None:
            return claims
        told = claims | {"iss": self.issuer, "aud": client.client_id}
        return await sign_jwt(await self.keys.fresh_signer(alg), v.TYP_ID, told)

    def _work_out(
        self, resources: tuple[str, ...], client: Client, known: Mapping[str, apis.Api]
    ) -> Terms:
        """Retired keys stay published for the longest lifetime, so no token lives longer."""
        meant = audiences(client, resources)
        own, default = client.access_token_lifetime, self.lifetimes.access_token
        lifetime = apis.lifetime(known, meant, own, default)
        return Terms(
            self.signing.one(known, meant),
            audience(client, resources),
            min(lifetime, self.lifetimes.longest_token),
            apis.understood(known, meant),
        )


def audience(client: Client, resources: tuple[str, ...]) -> str | list[str]:
    """Return ``aud``: the resources asked for, else the client's own (RFC 9068 §3, RFC 8707)."""
    found = audiences(client, resources)
    return found[0] if len(found) == 1 else list(found)


def confirmation(proof: Proof | None) -> dict[str, Any]:
    """Return the claim that binds a token to a proof's key (RFC 9449 §6.1); none without one."""
    return {} if proof is None else {"cnf": {"jkt": proof.jkt}}


def token_hash(token: str, alg: str) -> str:
    """Return ``at_hash``: the left half of the hash that belongs to the ID token's algorithm.

    OpenID Connect Core §3.1.3.6.
    """
    digest: bytes = _TOKEN_HASHES[alg](token.encode()).digest()
    return encode(digest[: len(digest) // 2])
