"""Tokens of an upstream that somebody offers in exchange: whose they are, and whether for us.

Each costs the upstream a call, and wrong ones count against our address there. So who offers them
is counted first, and whoever has offered too many worthless ones is turned away without a call.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

from broker.core.community.model import Community
from broker.core.desk import Desk
from broker.core.errors import (
    AuthorizationLost,
    TooManyRequests,
    Unavailable,
    UpstreamRejected,
)
from broker.core.federation import CommunityUpstream, TokenOwner
from broker.core.grants.exchange import unusable
from broker.core.model import Client, Profile


class Offers(Protocol):
    """How often tokens that are worth nothing may be offered (Redis)."""

    async def attempt(self, address: str, client_id: str) -> int:
        """Count a token before it is looked at.

        Args:
            address: whose request it is, or empty where that is not to be counted.
            client_id: who offers it.

        Returns:
            0 where it may be looked at; else the seconds to wait.

        Raises:
            StoreUnavailable: it cannot be counted, so it must not be looked at.
        """
        ...

    async def forgive(self, address: str, client_id: str) -> None:
        """Take a token back that was good."""
        ...


@dataclass(frozen=True, slots=True)
class Offered:
    """A token that was issued to our application, and what it told; only ``read`` makes one.

    Attributes:
        token: the token.
        owner: what the upstream says of it.
        profile: whom it is about.
        community: what was read of that person's communities, or None.
    """

    token: str = field(repr=False)
    owner: TokenOwner
    profile: Profile
    community: Community | None


class OfferedTokens:
    """Reads offered tokens.

    Args:
        desk: what a sign-in has at hand.
        offers: counts worthless ones.
    """

    def __init__(self, desk: Desk, offers: Offers) -> None:
        self._desk = desk
        self._offers = offers

    async def read(
        self, client: Client, asker: str, upstream: CommunityUpstream, token: str
    ) -> Offered:
        """Return what a token tells, unless too much that was worth nothing came from there.

        A client that has proven who it is is counted as one, wherever it asks from; one that
        anybody could be is counted by address, too.

        Args:
            client: who offers it.
            asker: whose request it is.
            upstream: whose token it is said to be.
            token: the token.

        Raises:
            InvalidRequest: it is not good, another application's, or no person's.
            TooManyRequests: too many worthless ones came before it.
            UpstreamUnavailable: the upstream does not answer; that is not counted.
        """
        who = asker if client.public else "", client.client_id
        wait = await self._offers.attempt(*who)
        if wait:
            raise TooManyRequests(wait)
        try:
            found = await self._read(client, upstream, token)
        except Unavailable:
            await self._offers.forgive(*who)
            raise
        await self._offers.forgive(*who)
        return found

    async def _read(self, client: Client, upstream: CommunityUpstream, token: str) -> Offered:
        access = self._desk.access
        needs = access.needs(client)
        try:
            owner = await upstream.owner(token)
            _must_be_ours(owner, upstream)
            profile = await upstream.profile(token)
            community = None
            if needs.membership and not upstream.lacks(owner.scope, replace(needs, email=False)):
                community = await upstream.community(token, needs, waiting=True)
                community = await access.recheck.ours(community, client.guilds)
        except (AuthorizationLost, UpstreamRejected) as error:
            raise unusable("subject_token", error.private) from None
        return Offered(token, owner, profile, community)


def _must_be_ours(owner: TokenOwner, upstream: CommunityUpstream) -> None:
    """Refuse a token that was issued to another application (token substitution)."""
    if owner.application != upstream.application:
        raise unusable("subject_token", "issued to another application")
