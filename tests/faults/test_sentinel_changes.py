"""Under Sentinels: another primary is followed at once, and whoever is none is left."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from broker.core.errors import StoreUnavailable
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.scripts import Steps
from tests.faults.redis_groups import Sentinels, Server, sentinels
from tests.faults.waiting import eventually

pytestmark = pytest.mark.redis_server
LATE = 2.0  # seconds after the other one takes writes in which nothing is lost any more


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinels]:
    """A primary with two replicas under three Sentinels."""
    with sentinels(tmp_path_factory.mktemp("sentinels")) as found:
        yield found


@asynccontextmanager
async def following(group: Sentinels) -> AsyncIterator[Steps]:
    """Stores as in a process that serves."""
    stores, stop = RedisStores(connect(group.url)), asyncio.Event()
    tasks = [asyncio.create_task(task(stop)) for task in stores.beside().values()]
    try:
        yield stores._steps
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await stores.close()


class Writer:
    """Writes numbers without a pause, and keeps those that were acknowledged, with the moment."""

    def __init__(self, steps: Steps, key: str) -> None:
        self._steps = steps
        self._key = key
        self.acknowledged: dict[int, float] = {}
        self.over = asyncio.Event()

    async def write(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            try:
                await self._steps.command("ZADD", self._key, number, str(number))
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                self.acknowledged[number] = time.monotonic()
            await asyncio.sleep(0)

    def lost(self, primary: Server) -> list[float]:
        """When those were acknowledged of which a server knows nothing."""
        kept = {int(one) for one in primary.say("ZRANGE", self._key, "0", "-1")}
        return [at for number, at in self.acknowledged.items() if number not in kept]


def listeners(watcher: Server) -> int:
    """How many listen to a Sentinel."""
    return str(watcher.say("CLIENT", "LIST", "TYPE", "pubsub")).count(" sub=2 ")


def promoted(group: Sentinels, former: Server) -> Server | None:
    """Another server than that which takes writes."""
    others = (one for one in group.servers if one is not former)
    return next((one for one in others if one.say("ROLE")[0] == "master"), None)


async def test_a_fail_over_that_is_asked_for_is_followed_at_once(watched: Sentinels) -> None:
    """What is acknowledged later than a moment after the change is not lost.

    Before, the Sentinel that was listened to hangs: another is, and whoever writes goes on.
    """
    former, (hanging, other, _) = watched.primary(), watched.watchers
    async with following(watched) as steps:
        writers = [Writer(steps, f"written-{number}") for number in range(3)]
        async with asyncio.TaskGroup() as group:
            for one in writers:
                group.create_task(one.write())
            await asyncio.to_thread(eventually, lambda: listeners(hanging) == 1)
            hanging.hang()
            try:
                await asyncio.to_thread(eventually, lambda: listeners(other) == 1)
                other.say("SENTINEL", "FAILOVER", "tokens")
                primary = await asyncio.to_thread(eventually, lambda: promoted(watched, former))
                changed = time.monotonic()
                await asyncio.sleep(1.5 * LATE)
            finally:
                hanging.go_on()
                for one in writers:
                    one.over.set()
    lost = [at - changed for one in writers for at in one.lost(primary)]
    assert max(lost, default=0.0) < LATE
    assert all(max(one.acknowledged.values()) > changed + LATE / 2 for one in writers)
