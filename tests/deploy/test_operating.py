"""What ``deploy/operating.md`` has operators write down works."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.stores.embedded.process import say
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.health import health
from tests.outer import need
from tests.ports import free_port
from tests.stores.redis_world import ACCOUNT, CLIENT, World

PAGE = Path(__file__).resolve().parents[2] / "deploy" / "operating.md"
PASSWORD = "a-password-of-the-tests"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis server set up as the page says."""
    written = re.search(r"```text\n( +appendonly yes\n[^`]*)```", PAGE.read_text("utf-8"))
    assert written
    port, conf = free_port(), tmp_path / "redis.conf"
    text = written[1].replace("PASSWORD", PASSWORD)
    conf.write_text(f"{text}\nbind 127.0.0.1\nport {port}\nunixsocket {tmp_path}/sock\n")
    program = need("redis-server", "redis_server")
    with subprocess.Popen([program, conf], cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        while not (tmp_path / "sock").exists() or not say(tmp_path / "sock", "PING"):
            assert process.poll() is None
        yield f"redis://broker:{PASSWORD}@127.0.0.1:{port}/0"
        process.terminate()


@pytest.mark.redis_server
async def test_redis_lets_the_broker_do_what_it_must(redis_url: str) -> None:
    """The user of the page may do every step, and is told whether Redis evicts; no stranger may."""
    stores = RedisStores(connect(redis_url), prefix="tb:")
    world = World(stores)
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid)
    await stores.grants.end(ACCOUNT, gid, CLIENT)
    await stores.accounts.living(ACCOUNT, now=world.now)
    await stores.sessions.end(ACCOUNT, world.session.sid, now=world.now)
    assert await health(stores.client) is None
    await stores.close()
    stranger = RedisStores(connect(redis_url.replace(f"broker:{PASSWORD}@", "")), prefix="tb:")
    assert await health(stranger.client) is not None
    await stranger.close()
