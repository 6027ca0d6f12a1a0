"""A thousand people signing in within a minute, at a Discord with limits, over two processes.

Scaled down here; ``BROKER_TEST_LONG=1`` runs the whole minute. What it took is printed (``-s``).
"""

import asyncio
import math
import os
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from broker.app.budgets import SharedBudget
from broker.app.clock import SystemClock
from broker.core.community.needs import Needs
from broker.core.errors import UpstreamUnavailable
from broker.core.pkce import challenge_of
from broker.demo.discord import Application, Fault, Limit, SimulatedDiscord
from broker.demo.discord.app import serve_in_thread
from broker.stores.embedded import EmbeddedRedis
from broker.stores.redis import RedisStores, connect
from broker.upstream.base import BoundedTransport
from broker.upstream.budget import ProcessBudget
from tests.upstream.portal import REDIRECT, SECRET, VERIFIER, Portal

LONG = os.environ.get("BROKER_TEST_LONG") == "1"
PEOPLE, SECONDS = (1000, 60.0) if LONG else (50, 3.0)
HALL = "613425648685547541"
STANDING = Needs(email=True, standings=(HALL,))
SCOPES = ("identify", "email", "guilds.members.read")
TOKEN, ME, MEMBER = "/oauth2/token", "/users/@me", "/users/@me/guilds/{guild_id}/member"


@dataclass
class Rush:
    """People who come, and what became of them.

    Attributes:
        needed: calls that had to be made for those who got in.
        took: seconds that each waited for a page, over all tries.
        turned_away: how often somebody was told to come again.
    """

    discord: SimulatedDiscord
    portals: list[Portal]
    needed: int = 0
    took: list[float] = field(default_factory=list)
    turned_away: int = 0

    async def come(self, number: int, needs: Needs, at: float) -> None:
        """Sign in at a moment; when told to come again later, do."""
        await asyncio.sleep(at)
        person = self.discord.add_person(f"person{number}", email=f"{number}@example.com")
        self.discord.join(person.id, HALL)
        upstream, took = self.portals[number % 2].upstream, 0.0
        while True:
            code = self.discord.issue_code(
                "1", person.id, REDIRECT, SCOPES, challenge=challenge_of(VERIFIER)
            )
            began = time.monotonic()
            try:
                arrived = await upstream.fetch(code=code, verifier=VERIFIER)
                if needs.membership:
                    token = arrived.authorization.access_token
                    found = await upstream.community(token, needs, waiting=True)
                    assert found.standings[HALL].member
            except UpstreamUnavailable as error:
                self.turned_away += 1
                await asyncio.sleep(error.retry_after)
                continue
            finally:
                took += time.monotonic() - began
            assert arrived.profile.subject == person.id
            self.needed += 2 + len(needs.standings)
            self.took.append(took)
            return

    @property
    def ratio(self) -> float:
        """Calls made for each that was needed."""
        made = sum(self.discord.traffic.calls[route] for route in (TOKEN, ME, MEMBER))
        return made / self.needed

    def told(self) -> str:
        """What it took, for people."""
        waits = sorted(self.took)
        return (
            f"{len(waits)} people in, {self.needed} calls needed, ratio {self.ratio:.4f}, "
            f"429s {sum(self.discord.traffic.limited.values())}, told to come again "
            f"{self.turned_away}, seconds: median {waits[len(waits) // 2]:.2f}, "
            f"95 % {waits[math.floor(len(waits) * 0.95)]:.2f}, longest {waits[-1]:.2f}"
        )


@asynccontextmanager
async def rush(folder, **limits):
    """Two brokers with budgets of their own on one Redis, and a Discord with limits."""
    discord = SimulatedDiscord(**limits)
    discord.add_application(Application("1", SECRET, (REDIRECT,)))
    with EmbeddedRedis(folder).start() as redis, serve_in_thread(discord) as origin:
        clock, stores, portals = SystemClock(), [], []
        for _ in range(2):
            stores.append(RedisStores(connect(redis.url)))
            budget = SharedBudget(stores[-1].budget, ProcessBudget(clock))
            portals.append(
                Portal(discord, origin, BoundedTransport(), budget=budget, clock=clock, timeout=8.0)
            )
        yield Rush(discord, portals)
        for portal, store in zip(portals, stores, strict=True):
            await portal.transport.shut()
            await store.close()


def moments(seed: int, seconds: float = SECONDS) -> list[float]:
    """When people come: half of them in a few crowds, the others whenever they like."""
    dice = random.Random(seed)
    crowds = [dice.uniform(0, seconds) for _ in range(max(2, PEOPLE // 60))]
    return [
        dice.choice(crowds) if number % 2 else dice.uniform(0, seconds) for number in range(PEOPLE)
    ]


HEADERS = {TOKEN: Limit(20, 1.0), ME: Limit(5, 2.0), MEMBER: Limit(5, 300.0)}
LIMITED = {
    "told in headers": {
        "limits": {TOKEN: Limit(20, 1.0), ME: Limit(5, 2.0), MEMBER: Limit(5, 300)}
    },
    "told with 429 alone": {"limits": {}, "together": Limit(80, 1.0)},
    "told both ways": {"limits": {TOKEN: Limit(100, 5.0)}, "together": Limit(80, 1.0)},
    "of a route for all": {"limits": {}, "shared": {MEMBER: Limit(20, 1.0)}},
}


@pytest.mark.parametrize("kind", LIMITED if LONG else list(LIMITED)[:2])
async def test_a_thousand_people_in_a_minute(tmp_path, kind):
    """All get in; at most one call in ten is made in vain; nobody waits for very long."""
    async with rush(tmp_path, **LIMITED[kind]) as crowd:
        await asyncio.gather(*(crowd.come(n, STANDING, at) for n, at in enumerate(moments(1))))
    print(f"\n{kind}: {crowd.told()}")
    assert len(crowd.took) == PEOPLE
    assert crowd.ratio <= 1.1


async def test_all_of_them_at_once(tmp_path):
    """Nobody spreads out: who cannot be served in time is told when to come again, and does."""
    limits = {"limits": {TOKEN: Limit(20, 1.0)}}
    async with rush(tmp_path, **limits) as crowd:
        await asyncio.gather(*(crowd.come(n, Needs(), 0.0) for n in range(PEOPLE)))
    print(f"\nat once: {crowd.told()}")
    assert len(crowd.took) == PEOPLE
    assert crowd.ratio <= 1.1


async def test_shut_out_by_cloudflare(tmp_path):
    """While the address is shut out next to nothing is sent, whoever comes; then all get in."""
    async with rush(tmp_path, limits={}) as crowd:
        crowd.discord.misbehave("*", Fault("html", status=429))
        people = 400 if LONG else 20
        coming = [asyncio.create_task(crowd.come(n, Needs(), n / 20)) for n in range(people)]
        await asyncio.sleep(20 if LONG else 2)
        assert crowd.discord.traffic.calls[TOKEN] <= 10
        crowd.discord.behave()
        await asyncio.gather(*coming)
    print(f"\nshut out: {crowd.told()}")
    assert crowd.discord.traffic.calls[TOKEN] <= people + 10
