"""What tests of keeping communities fresh share: an upstream, what is kept, turns, in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from broker.core.community.model import Community, GuildList, Standing
from broker.core.community.needs import Needs
from broker.core.community.recheck import Ages, Outcome, Recheck, Shelves
from broker.core.community.turns import Turn
from broker.core.errors import AuthorizationLost
from broker.core.federation import KeptAuthorization, UpstreamAuthorization
from broker.core.model import Facts
from broker.core.renewal import Renewal
from tests.core.helpers import NOW, Counted, Hands

ACCOUNT = "ac" * 16
HALL, YARD = "613425648685547541", "697138785317814292"
SCOPE = ("identify", "guilds.members.read")
WEEK = 7 * 86400
NEEDS = Needs(standings=(HALL,))


def authorization(number: int = 1, **changes: Any) -> UpstreamAuthorization:
    """The authorization after so many renewals."""
    found = UpstreamAuthorization(f"access-{number}", f"refresh-{number}", SCOPE, NOW + WEEK)
    return replace(found, **changes)


@dataclass
class FarSide:
    """A ``Telling`` upstream that says who is asked, and fails as it is told."""

    clock: Hands
    name: str = "discord"
    asked: list[tuple[str, Needs]] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    pause: float = 0.0

    def lacks(self, scope: Any, needs: Needs) -> bool:
        wanted = {"guilds.members.read": bool(needs.standings), "guilds": needs.listing}
        return any(asked and name not in scope for name, asked in wanted.items())

    async def community(
        self, access_token: str, needs: Needs, *, waiting: bool = False
    ) -> Community:
        del waiting
        self.asked.append((access_token, needs))
        await asyncio.sleep(self.pause)
        if access_token in self.fails:
            raise self.fails[access_token]
        now = self.clock.now()
        standings = {one: Standing(one, now, member=True) for one in needs.standings}
        return Community(standings, GuildList(now) if needs.listing else None)

    async def renew(self, refresh_token: str) -> UpstreamAuthorization:
        self.renewed.append(refresh_token)
        await asyncio.sleep(self.pause)
        if refresh_token in self.fails:
            raise self.fails[refresh_token]
        number = int(refresh_token.rpartition("-")[2]) + 1
        return authorization(number, expires_at=self.clock.now() + WEEK)


@dataclass
class Safe:
    """The ``Authorizations`` port over one place."""

    kept: KeptAuthorization | None = field(
        default_factory=lambda: KeptAuthorization(authorization(), 1)
    )
    leased: int | None = None
    before_keep: Callable[[], None] = lambda: None

    async def keep(
        self, account_id: str, upstream: str, authorization: UpstreamAuthorization, *,
        now: float, version: int | None = None,
    ) -> bool:  # fmt: skip
        del account_id, upstream, now
        self.before_keep()
        before = self.kept.version if self.kept else 0
        if version is not None and before != version:
            return False
        self.kept, self.leased = KeptAuthorization(authorization, before + 1), None
        return True

    async def get(self, account_id: str, upstream: str) -> KeptAuthorization | None:
        del account_id, upstream
        return self.kept

    async def lease(
        self, account_id: str, upstream: str, *, version: int, now: float, seconds: float
    ) -> bool:
        del account_id, upstream, now, seconds
        if self.kept is None or self.kept.version != version or self.leased is not None:
            return False
        self.leased = version
        return True

    async def lose(self, account_id: str, upstream: str, *, version: int, now: float) -> None:
        del account_id, upstream, now
        if self.kept is not None and self.kept.version == version:
            self.kept = replace(self.kept, lost=True)

    async def forget(self, account_id: str, upstream: str) -> None:
        del account_id, upstream
        self.kept = None


@dataclass
class Memory:
    """Facts of one account: the ports of states, accounts and turns, as far as they are used."""

    clock: Hands
    facts_now: Facts = field(
        default_factory=lambda: Facts(1, "sub", identities={"discord": "175928847299117063"})
    )
    kept: list[Community] = field(default_factory=list)
    holder: str = ""
    resting_until: float = 0.0
    fails: Exception | None = None

    async def put_community(self, account_id: str, community: Community) -> None:
        del account_id
        merged = self.facts_now.community.merged(community)
        self.facts_now = replace(self.facts_now, community=merged)

    async def keep_community(self, account_id: str, upstream: str, community: Community) -> None:
        del account_id, upstream
        if self.fails:
            raise self.fails
        self.kept.append(community)

    async def facts(self, account_id: str) -> Facts | None:
        del account_id
        return self.facts_now

    async def take(self, account_id: str, holder: str, *, now: float, seconds: float) -> Turn:
        del account_id
        if self.resting_until > now:
            return Turn(mine=False, resting=True, ends_at=self.resting_until)
        if self.holder:
            return Turn(mine=False, resting=False, ends_at=now + seconds)
        self.holder = holder
        return Turn(mine=True, resting=False, ends_at=now + seconds, known=self.facts_now)

    async def give_back(self, account_id: str, holder: str, *, now: float, rest: float = 0) -> None:
        del account_id
        assert holder == self.holder
        self.holder, self.resting_until = "", now + rest


class Place:
    """One account, its upstream, and a process (or two) that keeps what is known fresh."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.far = FarSide(self.clock)
        self.safe = Safe()
        self.memory = Memory(self.clock)
        self.outcomes: list[Outcome] = []
        self.recheck = self.process()

    def process(self, *, upstream: bool = True) -> Recheck:
        """Another process over the same stores."""
        renewal = Renewal(self.safe, self.clock)
        memory: Any = self.memory
        return Recheck(
            self.far if upstream else None,
            Shelves(memory, memory, memory, renewal, self.registered),
            Ages(600, 86400),
            clock=self.clock,
            entropy=Counted(str(id(renewal)).encode()),
            count=self.outcomes.append,
        )

    async def registered(self) -> tuple[str, ...]:
        """The guilds that clients may know of."""
        return (HALL, YARD)

    async def know(self, recheck: Recheck | None = None, needs: Needs = NEEDS) -> Community:
        """Take a step that wants fresh facts."""

        async def take(read_after: float) -> Community | None:
            known = self.memory.facts_now.community
            fresh = [
                one in known.standings and known.standings[one].read_at >= read_after
                for one in needs.standings
            ]
            if needs.listing:
                fresh.append(known.listed is not None and known.listed.read_at >= read_after)
            return known if all(fresh) else None

        return await (recheck or self.recheck).fresh(ACCOUNT, needs, take)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.at += seconds


LOST = AuthorizationLost(private="refused")
