"""Registration when a store is out of reach: a quick 503, and nothing fails open."""

from pathlib import Path

from tests.pace import Spent
from tests.protocol.harness import Shelf, begin, redis_server
from tests.protocol.registering import WANTED, manage, register, registered, ticket


async def test_redis_away(shared: Shelf, tmp_path: Path) -> None:
    """Nobody can be counted, so nobody registers; who is registered looks after himself."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url, registration="open") as world:
            told, before = await registered(world), len(await world.sql.clients.list())
            await world.redis.shutdown(nosave=True)
            async with Spent() as spent:
                answer = await register(world)
            assert (answer.status_code, spent.seconds < 2) == (503, True)
            assert int(answer.headers["retry-after"]) >= 1
            assert len(await world.sql.clients.list()) == before
            assert (await manage(world, told, "GET")).status_code == 200
            assert (await manage(world, told, "DELETE")).status_code == 204


async def test_a_ticket_that_cannot_be_counted(shared: Shelf, tmp_path: Path) -> None:
    """Nor does its holder register, revoked or not: nothing fails open."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url, registration="token") as world:
            await world.redis.shutdown(nosave=True)
            assert (await register(world, ticket(world))).status_code == 503


async def test_sql_away(shared: Shelf, tmp_path: Path) -> None:
    """503 within the deadline, for a new client and for one that exists; nothing is changed."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url, registration="open") as world:
            told = await registered(world)
            await world.sql.engine.dispose()
            for path in tmp_path.glob("broker.db*"):
                path.rename(tmp_path / f"lost-{path.name}")
            (tmp_path / "broker.db").mkdir()
            for call in (
                lambda: register(world),
                lambda: manage(world, told, "GET"),
                lambda: manage(world, told, "PUT", json=WANTED),
                lambda: manage(world, told, "DELETE"),
            ):
                async with Spent() as spent:
                    answer = await call()
                assert (answer.status_code, spent.seconds < 2) == (503, True)
                assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["cache-control"] == "no-store"
