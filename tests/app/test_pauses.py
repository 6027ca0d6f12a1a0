"""Silence asked for by an upstream is known to every process."""

import pytest

from broker.app.pauses import SharedPauses
from broker.stores.embedded import EmbeddedRedis
from broker.stores.redis import connect


class Clock:
    seconds = 1_800_000_000.0

    def now(self):
        return self.seconds


@pytest.fixture
def redis_url(tmp_path):
    with EmbeddedRedis(tmp_path).start() as redis:
        yield redis.url


async def test_one_process_hears_what_another_was_told(redis_url):
    """A pause is shared, and Redis forgets it when it is over."""
    one, other = connect(redis_url), connect(redis_url)
    until = Clock.seconds + 30
    try:
        await SharedPauses(one, "t:", Clock()).set("discord", until)
        assert await SharedPauses(other, "t:", Clock()).until("discord") == until
        assert await SharedPauses(other, "t:", Clock()).until("another") == 0.0
        (key,) = await one.keys("t:*")
        assert 0 < await one.ttl(key) <= 30
    finally:
        await one.aclose()
        await other.aclose()


async def test_without_redis_a_process_keeps_its_own_word():
    """Losing Redis is no reason to pester Discord."""
    client = connect("unix:///nowhere")
    pauses = SharedPauses(client, "t:", Clock())
    await pauses.set("discord", Clock.seconds + 5)
    assert await pauses.until("discord") == Clock.seconds + 5
    await client.aclose()
