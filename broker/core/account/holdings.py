"""What upstreams let us do for a person, and giving it back when the account goes.

It is forgotten in SQL in the step that deletes the account or has it leave; upstream it would live
on for as long as the upstream likes. So it is looked up before, and given back after that step, as
far as upstreams can be reached: nothing waits for them for long, and nothing fails with them.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from broker.core.deadlines import Span, TookTooLong
from broker.core.errors import StoreUnavailable
from broker.core.federation import Authorizations, CommunityUpstream, Upstream
from broker.core.identities import Identities

PATIENCE: Final = 5.0  # seconds for all upstreams together

Held = list[tuple[CommunityUpstream, str]]
"""Tokens, each with the upstream at which it can be given back."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Finds and gives back.

    Attributes:
        identities: whose account is whose.
        authorizations: what is kept.
        upstreams: where it can be given back, by name.
    """

    identities: Identities
    authorizations: Authorizations
    upstreams: Mapping[str, Upstream]

    async def of(self, account_id: str) -> Held:
        """Return what is kept of an account and not known to be lost; nothing while SQL is away."""
        found: Held = []
        with suppress(StoreUnavailable):
            for one in await self.identities.of(account_id):
                upstream = self.upstreams.get(one.upstream)
                kept = await self.authorizations.get(account_id, one.upstream)
                if kept is not None and not kept.lost and isinstance(upstream, CommunityUpstream):
                    granted = kept.authorization
                    found.append((upstream, granted.refresh_token or granted.access_token))
        return found

    @staticmethod
    async def give_back(held: Held) -> None:
        """Revoke tokens upstream (RFC 7009), all at once, as far as that can be done now."""
        given_back = asyncio.gather(*(upstream.revoke(token) for upstream, token in held))
        with suppress(TookTooLong):
            await Span(PATIENCE).within(given_back)
