"""Commands that travel together: each caller gets its own answer, or a failure, and no other's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import DataError, RedisError

from broker.stores.redis import RedisStores, connect, lanes
from broker.stores.redis.lanes import Lanes, Pool
from tests.stores.redis_servers import bundled, plain

ODD = "odd"  # what a far side that misbehaves does so after


class Between:
    """Carries bytes to a Redis and back, and adds to one answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.more = b""
        self.opened = 0
        self.open: list[asyncio.StreamWriter] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open.append(writer)
        back, forth = await asyncio.open_connection("127.0.0.1", self.port)
        with suppress(OSError):
            await asyncio.gather(self._pass(reader, forth), self._answer(back, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk + (self.more if ODD.encode() in chunk else b""))
        writer.close()


@asynccontextmanager
async def far_side() -> AsyncIterator[tuple[Lanes, Between]]:
    """One lane to a Redis, and who stands in between."""
    with plain(bundled()) as port:
        between = Between(port)
        server = await asyncio.start_server(between.carry, "127.0.0.1", 0)
        address = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = connect(address)
        assert isinstance(client, Redis)
        try:
            yield Lanes(Pool(client.connection_pool), 1.5), between
        finally:
            await client.aclose()
            server.close()


@pytest.fixture(autouse=True)
def _one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "WIDTH", 1)


async def after_odd(lane: Lanes) -> list[object]:
    """Send one command, and others that wait until it is answered; return those others' answers."""
    first = asyncio.create_task(lane.execute("ECHO", ODD))
    await asyncio.sleep(0.001)  # it is under way
    others = asyncio.gather(*(lane.execute("ECHO", word) for word in "abc"))
    assert await first == ODD
    return list(await others)


async def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    """Else every later caller of the lane would get the answer of the one before."""
    async with far_side() as (lane, between):
        between.more = b"+somebody else's\r\n"
        assert await after_odd(lane) == ["a", "b", "c"]
        assert between.opened == 2
        assert await lane.execute("ECHO", "d") == "d"


async def test_a_connection_is_kept_for_the_next_batch_as_long_as_it_is_good() -> None:
    """One that was closed meanwhile, or speaks of its own accord, is not used again."""
    async with far_side() as (lane, between):
        for word in ("a", "b"):
            assert await lane.execute("ECHO", word) == word
        assert between.opened == 1
        between.open[-1].close()
        await asyncio.sleep(0.05)
        assert await lane.execute("ECHO", "c") == "c"
        assert between.opened == 2
        between.open[-1].write(b"+somebody else's\r\n")
        await asyncio.sleep(0.05)
        assert await lane.execute("ECHO", "d") == "d"
        assert between.opened == 3


async def test_connections_that_are_kept_count_as_idle() -> None:
    """What waits for the next step is not in use."""
    with plain(bundled()) as port:
        stores = RedisStores(connect(f"redis://127.0.0.1:{port}"))
        assert await stores.sessions.look("a" * 32, "b" * 32, 1, now=0) is None
        counted = stores.connections()
        assert (counted["in_use"], counted["idle"]) == (0, 1)
        await stores.close()


@pytest.mark.parametrize("odd", ["\ud800", None])
async def test_what_cannot_be_sent_fails_alone(odd: str | None) -> None:
    """Half of a surrogate pair in one caller's words is no failure of those beside it."""
    async with far_side() as (lane, _):
        answers = await asyncio.gather(
            lane.execute("ECHO", "a"),
            lane.execute("ECHO", odd),  # type: ignore[arg-type]
            lane.execute("ECHO", "b"),
            return_exceptions=True,
        )
        assert [answers[0], answers[2]] == ["a", "b"]
        assert isinstance(answers[1], DataError)
        assert isinstance(answers[1], RedisError)  # and so a StoreUnavailable of the step
