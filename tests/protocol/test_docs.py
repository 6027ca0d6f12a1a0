"""The client that a page for developers is: there where it is switched on, for that page alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from broker.app.client_rules import CLIENT_ID
from broker.app.manual import TRY_CLIENT, TRY_PATH, try_client
from tests.protocol.actors import App
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ISSUER
from tests.protocol.tokens import claims_of


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trying_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker with the page."""
    async with begin(shared, tmp_path_factory.mktemp("docs"), docs="try") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def trying(trying_world: World) -> World:
    """The same with nobody signed in."""
    await trying_world.reset()
    return trying_world


def page_of(world: World) -> App:
    """The page, as an app."""
    return world.app(try_client(ISSUER))


async def code_of(world: World, scope: str = "openid profile email") -> tuple[App, str]:
    """Sign in, agree, and stop where the page would take over."""
    app, browser = page_of(world), world.browser()
    asked = await browser.arrive(app, scope=scope)
    assert asked.status_code == 200
    answer = await browser.decide(asked, "allow")
    assert answer.status_code == 303, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == f"{ISSUER}{TRY_PATH}"
    return app, parse_qs(where.query)["code"][0]


async def test_people_are_asked_by_its_name(trying: World) -> None:
    """It is nobody's first-party app: the consent page names it."""
    page = await trying.browser().arrive(page_of(trying))
    assert page.status_code == 200
    assert "Try it, a page for developers" in page.text


@pytest.mark.parametrize(
    "uri",
    [
        f"{ISSUER}{TRY_PATH}/",
        f"{ISSUER}/docs",
        "https://evil.example/docs/try",
        f"{ISSUER}/docs/try?x=1",
    ],
)
async def test_answers_go_to_that_page_and_nowhere_else(trying: World, uri: str) -> None:
    """Another redirect URI is a page, as for every client."""
    answer = await trying.browser().authorize(page_of(trying), redirect_uri=uri)
    assert answer.status_code == 400


async def test_its_tokens_are_for_nobody_but_us(trying: World) -> None:
    """Their audience is the page itself, whatever APIs there are; userinfo takes them."""
    app, code = await code_of(trying)
    tokens = (await app.redeem(code)).json()
    claims = claims_of(tokens["access_token"])
    assert (claims["aud"], claims["client_id"]) == (TRY_CLIENT, TRY_CLIENT)
    assert (await trying.userinfo(tokens["access_token"])).status_code == 200


async def test_its_access_does_not_outlive_the_session(trying: World) -> None:
    """It may not ask for that."""
    asked = {"scope": "openid offline_access", "prompt": "consent"}
    answer = await trying.browser().authorize(page_of(trying), **asked)
    assert answer.headers["location"].startswith(f"{ISSUER}{TRY_PATH}?error=invalid_scope")


async def test_it_learns_nothing_of_communities(trying: World) -> None:
    """It has no servers: those scopes mean nothing to it."""
    app, code = await code_of(trying, "openid profile email guilds roles groups")
    assert (await app.redeem(code)).json()["scope"] == "openid profile email"


async def test_what_was_tried_out_is_over_within_the_hour(trying: World) -> None:
    """However often it is refreshed."""
    app, code = await code_of(trying)
    answer = (await app.redeem(code)).json()
    for _ in range(6):
        await trying.advance(550)
        answer = (await app.refresh(answer["refresh_token"])).json()
    await trying.advance(400)
    assert (await app.refresh(answer["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("docs", "pages"), [("pages", 200), ("off", 404)])
async def test_without_the_setting_there_is_no_such_client(
    shared: Shelf, tmp_path: Path, docs: str, pages: int
) -> None:
    """What others can reach has the pages and no client, unless somebody switched it on."""
    async with begin(shared, tmp_path, docs=docs) as world:
        assert (await world.browser().authorize(page_of(world))).status_code == 400
        assert (await page_of(world).redeem("x")).json()["error"] == "invalid_client"
        assert (await world.api.get("/docs")).status_code == pages
        assert (await world.api.get(TRY_PATH)).status_code == 404


async def test_nobody_can_register_its_name() -> None:
    """So it never stands before a client of an operator's."""
    assert CLIENT_ID.fullmatch(TRY_CLIENT) is None
