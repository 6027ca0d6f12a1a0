"""Redis or SQL out of reach, as each endpoint says it: nothing fails open."""

from pathlib import Path

import httpx2
import pytest

from tests.pace import Spent
from tests.protocol.checks import answered, hidden, is_page, is_token_error
from tests.protocol.harness import Shelf, begin, redis_server
from tests.protocol.known import FRONT, ISSUER
from tests.protocol.listening import judged, listening


def is_unavailable(answer: httpx2.Response) -> None:
    """503 with Retry-After, kept by nobody, with no token and no cookie in it."""
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert "access_token" not in answer.text


async def documents_answer(http: httpx2.AsyncClient) -> None:
    for name in ("jwks.json", "openid-configuration", "oauth-authorization-server"):
        answer = await http.get(f"/.well-known/{name}")
        assert answer.status_code == 200


async def test_redis_away(shared: Shelf, tmp_path: Path) -> None:
    """Every endpoint that needs it: 503 within the deadline. JWKS and discovery still answer."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url) as world:
            app, browser = world.app(FRONT), world.browser()
            tokens, code = await browser.tokens(app), await browser.code(app)
            page = await browser.http.get("/logout")
            await world.redis.shutdown(nosave=True)
            for call in (
                lambda: app.refresh(tokens["refresh_token"]),
                lambda: app.redeem(code),
                lambda: world.userinfo(tokens["access_token"]),
                lambda: app.revoke(tokens["refresh_token"]),
                lambda: browser.authorize(app),
                lambda: browser.authorize(app, prompt="none"),
                lambda: world.browser().authorize(app),
                lambda: browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]}),
                lambda: browser.http.post("/logout", data={**hidden(page), "confirm": "yes"}),
            ):
                async with Spent() as spent:
                    is_unavailable(await call())
                assert spent.seconds < 2
            is_page(await browser.authorize(app), 503)
            is_token_error(await app.token(grant_type="x"), "unsupported_grant_type")
            assert browser.session
            await documents_answer(world.api)


@pytest.fixture
def lost_database(tmp_path: Path):
    """Puts a directory where the database was, so that it cannot be opened."""

    async def lose(world) -> None:
        await world.sql.engine.dispose()
        for path in tmp_path.glob("broker.db*"):
            path.rename(tmp_path / f"lost-{path.name}")
        (tmp_path / "broker.db").mkdir()

    return lose


async def test_sql_away(shared: Shelf, tmp_path: Path, lost_database) -> None:
    """Refresh, userinfo, silent sign-in, revocation and logout go on; new logins get a 503 page."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url) as world:
            app, browser, other = world.app(FRONT), world.browser(), world.browser()
            tokens = await browser.tokens(app)
            callback = await other.at_discord(await other.authorize(app), "ben_okafor")
            await lost_database(world)
            answer = await other.http.get(callback)
            is_unavailable(answer)
            text = is_page(answer, 503)
            assert "/interaction?request=" in text
            refreshed = await app.refresh(tokens["refresh_token"])
            assert refreshed.status_code == 200
            assert (await world.userinfo(tokens["access_token"])).status_code == 200
            answered(await browser.authorize(app, prompt="none"), app)
            await documents_answer(world.api)
            assert (await app.revoke(tokens["refresh_token"])).status_code == 200
            is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
            hint = {"id_token_hint": tokens["id_token"]}
            assert (await browser.http.get("/logout", params=hint)).status_code == 200
            assert browser.session is None


async def test_keys_read_long_ago_are_read_before_anybody_is_refused(
    shared: Shelf, tmp_path: Path, lost_database
) -> None:
    """As in a process that was stopped: SQL tells of them, else Redis of those revoked, else 503.

    Nothing is spent where nothing can be signed.
    """
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url) as world:
            app = world.app(FRONT)
            tokens = await world.browser().tokens(app)
            world.clock.at += 100
            tokens = (await app.refresh(tokens["refresh_token"])).json()
            await lost_database(world)
            world.clock.at += 100
            tokens = (await app.refresh(tokens["refresh_token"])).json()
            assert tokens["access_token"]
            await world.redis.shutdown(nosave=True)
            world.clock.at += 100
            async with Spent() as spent:
                is_unavailable(await app.refresh(tokens["refresh_token"]))
            assert spent.seconds < 2


async def test_readiness_names_what_is_missing(shared: Shelf, tmp_path: Path) -> None:
    """Not ready without Redis, with the reason; alive all the same."""
    with redis_server(tmp_path) as url:
        async with begin(shared, tmp_path, redis_url=url) as world:
            assert (await world.api.get("/readyz")).status_code == 200
            await world.redis.shutdown(nosave=True)
            await world.advance(2)
            answer = await world.api.get("/readyz")
            assert answer.status_code == 503
            assert [c["name"] for c in answer.json()["checks"] if not c["ok"]] == ["redis"]
            assert (await world.api.get("/livez")).status_code == 200
            assert ISSUER


async def test_clients_are_told_while_sql_is_away(
    shared: Shelf, tmp_path: Path, lost_database
) -> None:
    """Back-channel logout needs no SQL for the clients that a process knows."""
    apart = {"outbound_allow": ("127.0.0.1",), "redis_prefix": "away"}
    async with begin(shared, tmp_path, **apart) as world, listening() as listener:
        app = await world.new_app(FRONT, backchannel_logout_uri=listener.uri)
        browser = world.browser()
        tokens = await browser.tokens(app)
        await lost_database(world)
        await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
        (token,) = await listener.hears()
        await judged(world, token, app.client.client_id)
