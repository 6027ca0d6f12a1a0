"""Keeping fresh what is known of people's communities: read again where it is older than allowed.

Whoever needs it takes a step that says how old it may be, and where that answers that it is older,
it is read again and the step taken again. Of all processes one reads; where upstream does not
answer, nobody asks it about this person for a while, and what was last known counts up to a
further age. What is read is put into Redis, where steps look, and kept in SQL.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from broker.core.community.model import Community, GuildList, Standing
from broker.core.community.needs import Needs
from broker.core.community.turns import Turns
from broker.core.deadlines import Span, TookTooLong
from broker.core.errors import (
    AuthorizationLost,
    StoreUnavailable,
    Unavailable,
    UpstreamUnavailable,
)
from broker.core.federation import Telling
from broker.core.model import Facts
from broker.core.ports import Accounts, AccountStates, Clock, Entropy
from broker.core.renewal import Renewal
from broker.core.together import Together
from broker.log import structlog

TURN: Final = 30.0  # seconds a turn lasts, should its holder die
PATIENCE: Final = 3.0  # seconds that one request waits for what is read
ENDING: Final = 0.4  # and for why it was not, where upstream is given just as long
PAUSE: Final = 0.05  # seconds between two looks at another's turn
LEAST_REST: Final = 5.0  # seconds for which upstream is not asked after it did not answer
LONGEST_REST: Final = 60.0
SOON: Final = 1.0  # seconds; what would be too old by then is read along
TRIES: Final = 3

T = TypeVar("T")

_log = structlog.get_logger("broker.community")


class Outcome(StrEnum):
    """What came of a check for which the facts were too old."""

    READ = "read"  # they were read again, by this process or by another
    LAST_KNOWN = "last_known"  # upstream did not answer; what was last known counts
    UNAVAILABLE = "unavailable"  # upstream did not answer, and what was last known is too old
    LOST = "lost"  # the person has to sign in again upstream


@dataclass(frozen=True, slots=True)
class Ages:
    """How old what is known of a person's communities may be, in seconds.

    Attributes:
        fresh: older is read again.
        stale: how old it may be while upstream does not answer.
    """

    fresh: float
    stale: float


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where facts are kept, and what it takes to read them again.

    Attributes:
        accounts: in SQL.
        states: in Redis, where steps look.
        turns: at reading.
        renewal: has people's authorizations.
        guilds: returns the ids of the guilds that any client may know of.
    """

    accounts: Accounts
    states: AccountStates
    turns: Turns
    renewal: Renewal
    guilds: Callable[[], Awaitable[Collection[str]]]


def uncounted(_outcome: Outcome) -> None:
    """Count nothing."""


class Recheck:
    """Reads again what is older than allowed.

    Args:
        upstream: tells of communities; None where there is none: then nobody is in any guild.
        shelves: where facts are kept.
        ages: how old they may be.
        clock: time.
        entropy: names holders of turns.
        count: told of each outcome.
    """

    def __init__(
        self,
        upstream: Telling | None,
        shelves: Shelves,
        ages: Ages,
        *,
        clock: Clock,
        entropy: Entropy,
        count: Callable[[Outcome], None] = uncounted,
    ) -> None:
        self._upstream = upstream
        self._shelves = shelves
        self._clock = clock
        self._entropy = entropy
        self._ages = ages
        self._count = count
        self._together: Together[tuple[str, Needs], None] = Together()

    async def fresh(
        self, account_id: str, needs: Needs, take: Callable[[float], Awaitable[T | None]]
    ) -> T:
        """Take a step with fresh facts; they are read again only where it says that they are not.

        Args:
            account_id: whose.
            needs: what is needed of them.
            take: takes the step; its argument is the moment before which nothing may have been read
                (UTC seconds). It returns None, and has changed nothing, where something was.

        Raises:
            AuthorizationLost: the person has to sign in again upstream; nothing was changed.
            UpstreamUnavailable: upstream does not answer, and what was last known is too old;
                nothing was changed.
            StoreUnavailable: a store is out of reach.
        """
        found = await take(self._clock.now() - self._ages.fresh)
        if found is not None:
            return found
        try:
            return await self._read_and_take(account_id, needs, take)
        except AuthorizationLost:
            self._count(Outcome.LOST)
            raise
        except UpstreamUnavailable:
            found = await take(self._clock.now() - self._ages.stale)
            if found is None:
                self._count(Outcome.UNAVAILABLE)
                raise
            self._count(Outcome.LAST_KNOWN)
            return found

    async def ours(self, community: Community, also: Collection[str] = ()) -> Community:
        """Return what was read without the guilds that no client may know of.

        Args:
            community: as it was read.
            also: guilds of a client that may be newer than what is followed.

        Raises:
            StoreUnavailable: the clients were never read, and SQL does not answer.
        """
        if community.listed is None:
            return community
        return community.listing({*await self._shelves.guilds(), *also})

    async def _read_and_take(
        self, account_id: str, needs: Needs, take: Callable[[float], Awaitable[T | None]]
    ) -> T:
        for _ in range(TRIES):
            await self._read(account_id, needs)
            found = await take(self._clock.now() - self._ages.fresh)
            if found is not None:
                self._count(Outcome.READ)
                return found
        raise UpstreamUnavailable(private="it was read, and the step knows nothing of it")

    async def _read(self, account_id: str, needs: Needs) -> None:
        """Wait until it was read by whose turn it is: this process or another.

        Raises:
            AuthorizationLost: the person has to sign in again upstream.
            UpstreamUnavailable: it cannot be read now, or not in time.
        """
        wanted = account_id, needs
        try:
            read = self._together.do(wanted, lambda: self._turns(*wanted))
            await Span(PATIENCE).within(read, ENDING)
        except TookTooLong:
            raise UpstreamUnavailable(private="communities: not read in time") from None
        except StoreUnavailable as error:
            raise UpstreamUnavailable(error.public, error.private, error.retry_after) from error

    async def _turns(self, account_id: str, needs: Needs) -> None:
        """Read it when it is this process's turn; by then another may have done so."""
        while not await self._in_turn(account_id, needs):  # noqa: ASYNC110 - in Redis
            await asyncio.sleep(PAUSE)

    async def _in_turn(self, account_id: str, needs: Needs) -> bool:
        """Read what is older, if nobody else does; say whether that was done."""
        turns, now = self._shelves.turns, self._clock.now()
        holder = self._entropy.token(16).hex()
        turn = await turns.take(account_id, holder, now=now, seconds=TURN)
        if turn.resting:
            wait = math.ceil(turn.ends_at - now)
            raise UpstreamUnavailable(private="communities: not asked again yet", retry_after=wait)
        if not turn.mine:
            return False
        rest = 0.0
        try:
            await self._renew(account_id, needs, turn.known)
        except Unavailable as error:
            rest = min(max(error.retry_after, LEAST_REST), LONGEST_REST)
            error.retry_after = max(error.retry_after, math.ceil(rest))  # as others are told
            raise
        finally:
            await turns.give_back(account_id, holder, now=self._clock.now(), rest=rest)
        return True

    async def _renew(self, account_id: str, needs: Needs, known: Facts | None) -> None:
        """Read what is older, put it where steps look, keep it."""
        shelves, now = self._shelves, self._clock.now()
        known = known or await shelves.accounts.facts(account_id)
        oldest = now - self._ages.fresh + SOON
        wanted = outdated(needs, known.community if known else Community(), oldest)
        if not wanted.membership:
            return
        upstream = self._upstream
        if upstream is None or known is None or upstream.name not in known.identities:
            await shelves.states.put_community(account_id, _nobody(wanted, now))
            return
        community = await self.ours(await self._asked(upstream, account_id, wanted))
        await shelves.states.put_community(account_id, community)
        try:
            await shelves.accounts.keep_community(account_id, upstream.name, community)
        except StoreUnavailable as error:
            _log.warning("community.not_stored", account_id=account_id, reason=error.private)

    async def _asked(self, upstream: Telling, account_id: str, wanted: Needs) -> Community:
        """Ask upstream, with the person's authorization."""
        kept = await self._shelves.renewal.current(upstream, account_id)
        if upstream.lacks(kept.authorization.scope, wanted):
            raise AuthorizationLost(private=f"{upstream.name}: kept, but for fewer scopes")
        try:
            return await upstream.community(kept.authorization.access_token, wanted)
        except AuthorizationLost:
            kept = await self._shelves.renewal.refused(upstream, account_id, kept)
            return await upstream.community(kept.authorization.access_token, wanted)


def outdated(needs: Needs, community: Community, before: float) -> Needs:
    """Return what of these needs was never read, or before a moment (UTC seconds)."""
    standings, listed = community.standings, community.listed
    return Needs(
        tuple(
            guild_id
            for guild_id in needs.standings
            if guild_id not in standings or standings[guild_id].read_at < before
        ),
        needs.listing and (listed is None or listed.read_at < before),
    )


def _nobody(wanted: Needs, now: float) -> Community:
    """Return what is known of somebody who has no identity there: no member of anything."""
    standings = {one: Standing(one, now, member=False) for one in wanted.standings}
    return Community(standings, GuildList(now) if wanted.listing else None)
