"""Upstream tokens that are good now: as they are kept, renewed where they have run out.

An upstream's refresh token may be good once (Discord's is), and whoever loses the answer to it has
lost the person's authorization. So one process renews a version at a time, under its lease in SQL,
and the new authorization is kept before it is used. A crash in between costs a new sign-in upstream
and nothing else.
"""

import asyncio
from typing import Final

from broker.core.errors import AuthorizationLost, UpstreamUnavailable
from broker.core.federation import Authorizations, KeptAuthorization, Telling
from broker.core.ports import Clock
from broker.core.together import Together
from broker.log import structlog

EARLY: Final = 30.0  # seconds before its end in which a token is renewed already
LEASE: Final = 90.0  # seconds; longer than an upstream may take to answer
LOOKS: Final = 20  # for what another process renews
PAUSE: Final = 0.1  # seconds between two of them

_log = structlog.get_logger("broker.upstream")


class Renewal:
    """Returns authorizations that are good now.

    Args:
        authorizations: keeps them.
        clock: time.
    """

    def __init__(self, authorizations: Authorizations, clock: Clock) -> None:
        self._authorizations = authorizations
        self._clock = clock
        self._together: Together[tuple[str, str], KeptAuthorization] = Together()

    async def current(self, upstream: Telling, account_id: str) -> KeptAuthorization:
        """Return what is kept of an account at an upstream, its access token good for a while.

        Raises:
            AuthorizationLost: nothing is kept, or it was refused: the person has to sign in again.
            UpstreamUnavailable: it has to be renewed, and that cannot be done now.
            StoreUnavailable: SQL is out of reach.
        """
        kept = await self._authorizations.get(account_id, upstream.name)
        if kept is None or kept.lost:
            raise AuthorizationLost(private=f"{upstream.name}: {'lost' if kept else 'none'} kept")
        if self._good(kept):
            return kept
        key = account_id, upstream.name
        return await self._together.do(key, lambda: self._renewed(upstream, account_id, kept))

    async def refused(
        self, upstream: Telling, account_id: str, kept: KeptAuthorization
    ) -> KeptAuthorization:
        """Return what is kept now that the upstream has refused an access token.

        Raises:
            AuthorizationLost: it is the same; it is marked as lost.
            StoreUnavailable: SQL is out of reach.
        """
        newer = await self._authorizations.get(account_id, upstream.name)
        if newer is not None and newer.version != kept.version and not newer.lost:
            return newer
        await self._lost(upstream, account_id, kept.version)
        raise AuthorizationLost(private=f"{upstream.name}: the access token was refused")

    def _good(self, kept: KeptAuthorization) -> bool:
        ends = kept.authorization.expires_at
        return ends is None or ends > self._clock.now() + EARLY

    async def _renewed(
        self, upstream: Telling, account_id: str, kept: KeptAuthorization
    ) -> KeptAuthorization:
        """Renew it, or wait for whoever does."""
        token, version = kept.authorization.refresh_token, kept.version
        if token is None:
            await self._lost(upstream, account_id, version)
            raise AuthorizationLost(private=f"{upstream.name}: ran out, without a refresh token")
        name, now = upstream.name, self._clock.now()
        if not await self._authorizations.lease(
            account_id, name, version=version, now=now, seconds=LEASE
        ):
            return await self._others(upstream, account_id, version)
        try:
            renewed = await upstream.renew(token)
        except AuthorizationLost:
            await self._lost(upstream, account_id, version)
            raise
        now = self._clock.now()
        await self._authorizations.keep(account_id, name, renewed, now=now, version=version)
        found = await self._authorizations.get(account_id, name)
        if found is None or found.lost:
            raise AuthorizationLost(private=f"{name}: forgotten or lost while it was renewed")
        return found

    async def _others(self, upstream: Telling, account_id: str, version: int) -> KeptAuthorization:
        """Return what another process has renewed.

        Raises:
            AuthorizationLost: it was refused to it.
            UpstreamUnavailable: that takes too long.
        """
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            found = await self._authorizations.get(account_id, upstream.name)
            if found is None or found.lost:
                raise AuthorizationLost(private=f"{upstream.name}: refused to another process")
            if found.version != version:
                return found
        raise UpstreamUnavailable(private=f"{upstream.name}: another process is renewing")

    async def _lost(self, upstream: Telling, account_id: str, version: int) -> None:
        now = self._clock.now()
        await self._authorizations.lose(account_id, upstream.name, version=version, now=now)
        _log.warning("upstream.authorization_lost", upstream=upstream.name, account_id=account_id)
