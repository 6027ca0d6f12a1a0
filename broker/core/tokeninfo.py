"""What tokens say and how they end: userinfo (Core §5.3) and revocation (RFC 7009)."""

from typing import Any

from broker.core import vocabulary as v
from broker.core.claims import USERINFO, named, released
from broker.core.errors import InsufficientScope, InvalidGrant, InvalidRequest, InvalidToken
from broker.core.grants import Counter
from broker.core.handles import Handle, Kind
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.ports import GrantAlive, GrantRefused
from broker.core.subjects import subject_for
from broker.core.tokens import AccessToken, audience


class TokenInfo:
    """Answers ``/userinfo`` and ``/revoke``.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def userinfo(self, token: str) -> dict[str, Any] | str:
        """Return the claims that the token releases (OpenID Connect Core §5.3.2); as text, signed.

        One Redis round trip: the grant must still be alive, and its account.

        Raises:
            InvalidToken: the token is no living access token of ours (RFC 6750 §3.1).
            InsufficientScope: it lacks ``openid``.
        """
        access = self._counter.mint.access_token(token)
        if v.SCOPE_OPENID not in access.scope:
            raise InsufficientScope(v.SCOPE_OPENID)
        client, alive = await self._alive(access)
        grant, facts = alive.grant, alive.facts
        found = {
            "sub": subject_for(client, grant.account_id, facts.sub),
            **released(facts.claims, access.scope),
        }
        found |= named(facts.claims, grant.claims or {}, USERINFO, client)
        return await self._counter.mint.userinfo(client, found)

    async def _alive(self, access: AccessToken) -> tuple[Client, GrantAlive]:
        counter = self._counter
        client = await counter.clients.find(access.client_id)
        if client is None or client.disabled:
            raise InvalidToken(private="the client is gone or switched off")
        if not set(access.audience) <= {audience(client, ()), *client.resources}:
            raise InvalidToken(private="aud is none that this client may have")
        try:
            result = await counter.step(
                access.account_id,
                lambda: counter.grants.look(
                    access.account_id, access.grant_id, now=counter.clock.now()
                ),
            )
        except InvalidGrant as error:
            raise InvalidToken(private=error.private) from None
        if isinstance(result, GrantRefused):
            raise InvalidToken(private=f"its grant: {result.reason}")
        if result.grant.client_id != access.client_id:
            raise InvalidToken(private="its grant is another client's")
        return client, result

    async def revoke(self, params: Parameters, authorization: str | None) -> None:
        """End the grant of a refresh or access token of this client (RFC 7009 §2.1).

        Whichever generation is named, nothing of the grant works afterwards. A token that is not
        known is a success (RFC 7009 §2.2); the hint is not needed.

        Raises:
            InvalidClient: client authentication failed.
            InvalidRequest: no token, or another client's.
        """
        counter = self._counter
        client = await counter.client(params, authorization)
        token = params.one("token")
        if token is None:
            raise InvalidRequest("token is missing")
        params.one("token_type_hint")
        handle = self._grant_of(token)
        if handle is None:
            return
        if not await counter.grants.end(handle.account_id, handle.item_id, client.client_id):
            raise InvalidRequest("The token was issued to another client")

    def _grant_of(self, token: str) -> Handle | None:
        counter = self._counter
        handle = counter.handles.open(Kind.REFRESH, token)
        if handle is not None:
            return handle
        try:
            access = counter.mint.access_token(token)
        except InvalidToken:
            return None
        return Handle(access.account_id, access.grant_id)
