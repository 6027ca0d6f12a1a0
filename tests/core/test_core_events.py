"""Events of Discord: what happens where a store is away, and keys that are none."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from broker.core.errors import StoreUnavailable, UnsignedEvent
from broker.core.events import Delivery, DiscordEvents, public_key
from broker.core.model import Facts
from broker.core.ports import Ended
from broker.demo.discord import Application, SimulatedDiscord
from tests.core.helpers import NOW, Hands
from tests.pace import Spent

APPLICATION = Application("1130000000000000001", "secret", ())
FACTS = Facts(2, "s", not_before=NOW)
SAID = (
    b'{"version":1,"application_id":"1130000000000000001","type":1,"event":{"type":'
    b'"APPLICATION_DEAUTHORIZED","timestamp":"2027-01-15T08:00:00","data":{"user":{"id":"7"}}}}'
)


@dataclass
class Stores:
    """Both stores, either of which may be away."""

    sql: bool = True
    redis: bool = True
    slow: float = 0.0
    found: tuple[str, Facts] | None = ("acct", FACTS)
    calls: list[Any] = field(default_factory=list)

    async def deauthorized(self, *who: str, at: float, now: float) -> tuple[str, Facts] | None:
        self.calls.append((who, at, now))
        if not self.sql:
            raise StoreUnavailable(private="SQL is away")
        return self.found

    async def end_all(self, account_id: str, facts: Facts, *, since_stays: bool = False) -> Ended:
        self.calls.append((account_id, facts, since_stays))
        await asyncio.sleep(self.slow)
        if not self.redis:
            raise StoreUnavailable(private="Redis is away")
        return Ended()


async def take(stores: Stores, said: bytes = SAID, at: float = NOW) -> None:
    """Hand an event in, signed at that moment."""
    request = SimulatedDiscord().events.signed(APPLICATION, said, at=at)
    headers = request.headers
    delivery = Delivery(headers["X-Signature-Ed25519"], headers["X-Signature-Timestamp"], said)
    key, application = public_key(APPLICATION.verify_key), APPLICATION.client_id
    events = DiscordEvents(key, application, stores, stores, clock=Hands(), skew=60)  # type: ignore[arg-type]
    await events.take(delivery)


async def test_sql_then_redis() -> None:
    """The moment is the event's own; what SQL has committed is carried to Redis at once."""
    stores = Stores()
    await take(stores)
    assert stores.calls == [(("discord", "7"), NOW, NOW), ("acct", FACTS, True)]


async def test_sql_away() -> None:
    """Nothing is done, and Discord is told to come again."""
    stores = Stores(sql=False)
    with pytest.raises(StoreUnavailable):
        await take(stores)
    assert len(stores.calls) == 1


async def test_redis_away() -> None:
    """It is committed: Discord has done its part, the outbox does the rest."""
    stores = Stores(redis=False)
    await take(stores)
    assert len(stores.calls) == 2


async def test_redis_slow() -> None:
    """Discord has its answer within three seconds, of which SQL may take half."""
    async with Spent() as spent:
        await take(Stores(slow=30.0))
    assert spent.seconds < 1.5


async def test_nothing_to_end() -> None:
    """Nobody, or a replay: Redis is not asked at all."""
    stores = Stores(found=None)
    await take(stores)
    assert len(stores.calls) == 1


async def test_nothing_is_read_before_it_is_proven() -> None:
    """No store hears of what Discord has not signed just now."""
    stores = Stores()
    with pytest.raises(UnsignedEvent):
        await take(stores, at=NOW - 901)
    assert stores.calls == []


@pytest.mark.parametrize("text", ["", "00", "g" * 64, "0" * 63, "0" * 65, f" {'0' * 63}", "٣" * 64])
def test_keys_that_are_none(text: str) -> None:
    """32 bytes, hexadecimal, in either case."""
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        public_key(text)
    assert public_key(APPLICATION.verify_key.upper()) == public_key(APPLICATION.verify_key)
