"""Registered APIs (RFC 8707, RFC 9068): their scopes and lifetimes, from consent to the token."""

from typing import Any

import pytest

from broker.core import vocabulary as v
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_refusal, is_token_error
from tests.protocol.devices import GRANTS
from tests.protocol.harness import World
from tests.protocol.known import API, FRONT, OTHER_API, THIRD
from tests.protocol.services import (
    COUNT,
    ORDERS,
    READ,
    SHARED,
    STOCK,
    WRITE,
    api,
    asks,
    own_token,
    service,
    shop,
    shops,
)
from tests.protocol.tokens import claims_of

ALL = f"openid profile {READ} {COUNT} {SHARED}"


async def scope_of(browser: Browser, app: App, **changes: str | None) -> str:
    found: str = claims_of((await browser.tokens(app, **changes))["access_token"])["scope"]
    return found


@pytest.mark.parametrize(
    ("resource", "scope"),
    [
        (ORDERS, f"openid profile {READ} {SHARED}"),
        (STOCK, f"openid profile {COUNT} {SHARED}"),
        (None, ALL),  # its own audience is no registered API: nothing is known of it
    ],
)
async def test_a_token_carries_what_means_something(
    world: World, browser: Browser, resource: str | None, scope: str
) -> None:
    """The API's scopes and those of OpenID Connect; the answer says so (RFC 6749 §5.1)."""
    await shops(world)
    app = await shop(world)
    tokens = await browser.tokens(app, scope=ALL, resource=resource)
    assert claims_of(tokens["access_token"])["scope"] == tokens["scope"] == scope
    assert "id_token" in tokens


async def test_one_grant_serves_several_apis(world: World, browser: Browser) -> None:
    """Each refresh names one resource, and gets what that one understands."""
    await shops(world)
    app = await shop(world)
    data: Any = app.asks(scope=ALL) | {"resource": [ORDERS, STOCK]}
    answer = await browser.go_on(await browser.http.get("/authorize", params=data))
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    tokens = (await app.redeem(code)).json()
    assert claims_of(tokens["access_token"])["aud"] == [ORDERS, STOCK]
    assert tokens["scope"] == ALL
    for resource, scope in ((STOCK, f"{COUNT} {SHARED}"), (ORDERS, f"{READ} {SHARED}")):
        tokens = (await app.refresh(tokens["refresh_token"], resource=resource)).json()
        assert tokens["scope"] == f"openid profile {scope}"
    narrow = await app.refresh(tokens["refresh_token"], resource=ORDERS, scope=READ)
    assert narrow.json()["scope"] == READ


async def test_nothing_left_is_no_refusal(world: World, browser: Browser) -> None:
    """A code is not spent for nothing: the token says who comes, and permits nothing."""
    await shops(world)
    app = await shop(world)
    tokens = await browser.tokens(app, scope=WRITE, resource=STOCK)
    assert tokens["scope"] == claims_of(tokens["access_token"])["scope"] == ""
    answer = await app.refresh(tokens["refresh_token"])
    assert answer.status_code == 200


async def test_an_unregistered_resource_is_as_before(world: World, browser: Browser) -> None:
    """Nothing is known of it, so the scope stays as it was granted; beside an API as well."""
    await shops(world)
    app = await shop(world, resources=(ORDERS, API))
    assert (
        await scope_of(browser, app, scope=ALL, resource=API) == f"openid profile {READ} {SHARED}"
    )


async def test_scopes_of_foreign_apis_are_unknown(world: World, browser: Browser) -> None:
    """Words of APIs that the app is not for are ignored, as any word that means nothing here."""
    await shops(world)
    app = await shop(world, resources=(STOCK,))
    asked = f"openid {WRITE} {COUNT} nonsense"
    assert await scope_of(browser, app, scope=asked, resource=STOCK) == f"openid {COUNT}"
    is_refusal(await browser.authorize(app, scope=WRITE), app, "invalid_scope")


async def test_scopes_of_communities_are_known_to_whoever_is_registered_for_them(
    world: World, browser: Browser
) -> None:
    """An app that asks every server for ``groups`` is let in; it is told nothing by it."""
    await shops(world)
    app = await shop(world)
    assert await scope_of(browser, app, scope="openid groups roles guilds") == "openid"
    is_refusal(await browser.authorize(app, scope="groups"), app, "invalid_scope")


async def test_scopes_that_the_app_has_not(world: World, browser: Browser) -> None:
    """Of an API that it is for: told, as with the scopes of OpenID Connect."""
    await shops(world)
    app = await shop(world, scopes=("openid", READ))
    is_refusal(await browser.authorize(app, scope=f"openid {WRITE}"), app, "invalid_scope")


async def test_scopes_of_the_default_audience(world: World, browser: Browser) -> None:
    """An app whose own audience is a registered API needs to name no resource."""
    await shops(world)
    app = await world.new_app(FRONT, scopes=(*v.SCOPES, READ, WRITE), audience=ORDERS)
    assert await scope_of(browser, app, scope=f"openid {READ}") == f"openid {READ}"
    await world.sql.apis.remove(ORDERS, now=world.clock.at)
    await world.advance(0)
    assert await scope_of(browser, app, scope=f"openid {READ}") == "openid"


async def test_consent_names_them(world: World, browser: Browser) -> None:
    """The page shows them, the record keeps them, and the person is not asked twice."""
    await shops(world)
    app = await world.new_app(THIRD, scopes=(*v.SCOPES, READ, WRITE), resources=(ORDERS,))
    asked = f"openid {WRITE} {READ}"
    page = await browser.arrive(app, scope=asked, resource=ORDERS)
    assert page.status_code == 200
    assert READ in page.text
    assert WRITE in page.text
    answer = await browser.go_on(await browser.decide(page, "allow"))
    assert "code=" in answer.headers["location"]
    account = await world.account_of("ada.lindqvist")
    facts = await world.sql.accounts.facts(account)
    assert facts is not None
    assert facts.consents[app.client.client_id] == f"openid {READ} {WRITE}"
    again = await browser.arrive(app, scope=f"openid {READ}", resource=ORDERS)
    assert again.status_code == 303
    more = await browser.arrive(app, scope=f"openid profile {READ}", resource=ORDERS)
    assert more.status_code == 200, "profile was not agreed to"


async def test_devices_may_ask_for_them(world: World) -> None:
    """The device endpoint knows the same words."""
    await shops(world)
    app = await shop(world, grant_types=GRANTS, scopes=("openid", READ))
    good = await app.post("/device_authorization", scope=f"openid {READ} nonsense", resource=ORDERS)
    assert good.status_code == 200, good.text
    bad = await app.post("/device_authorization", scope=WRITE, resource=ORDERS)
    is_token_error(bad, "invalid_scope")


@pytest.mark.parametrize(
    ("of_app", "of_orders", "of_stock", "wanted"),
    [
        (None, None, None, 300),
        (None, 600, None, 600),
        (None, 600, 120, 120),
        (90, 600, 120, 90),
        (900, 600, None, 600),
        (7200, 7200, 7200, 3600),
    ],
)
async def test_lifetimes(
    world: World, of_app: int | None, of_orders: int | None, of_stock: int | None, wanted: int
) -> None:
    """The shortest that anybody set, never more than the longest that keys are kept for."""
    await api(world, ORDERS, READ, access_token_lifetime=of_orders)
    await api(world, STOCK, COUNT, access_token_lifetime=of_stock)
    app = await service(world, access_token_lifetime=of_app)
    data = {"grant_type": v.GRANT_CLIENT, "resource": [ORDERS, STOCK]}
    answer = (await world.api.post("/token", data=data, headers=app.proof())).json()
    claims = claims_of(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == wanted


async def test_a_lifetime_is_for_its_own_api(world: World, browser: Browser) -> None:
    """Tokens for others keep to the client's; the ID token has one of its own."""
    await api(world, ORDERS, READ, access_token_lifetime=60)
    app = await shop(world, id_token_lifetime=120)
    tokens = await browser.tokens(app, resource=ORDERS)
    assert tokens["expires_in"] == 60
    claims = claims_of(tokens["id_token"])
    assert claims["exp"] - claims["iat"] == 120
    assert (await browser.tokens(app))["expires_in"] == 300
    assert (await own_token(await service(world), resource=STOCK))["expires_in"] == 300
    is_token_error(await asks(await service(world), resource=OTHER_API), "invalid_target")


async def test_a_grant_lives_as_long_as_its_client_says(world: World, browser: Browser) -> None:
    """Per client: the idle time and the absolute end of refresh tokens."""
    app = await world.new_app(FRONT, grant_lifetime=1000, grant_idle=400)
    token = (await browser.tokens(app, scope="openid offline_access"))["refresh_token"]
    idle = (await browser.tokens(app, scope="openid offline_access"))["refresh_token"]
    for _ in range(3):
        await world.advance(300)
        answer = await app.refresh(token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
    is_token_error(await app.refresh(idle), "invalid_grant")
    await world.advance(101)
    is_token_error(await app.refresh(token), "invalid_grant")


async def test_rotation_off(world: World, browser: Browser) -> None:
    """A confidential client's refresh token stays; several at once get the same one."""
    app = await shop(world, rotate_refresh_tokens=False)
    token = (await browser.tokens(app))["refresh_token"]
    for _ in range(3):
        await world.advance(60)
        answer = await app.refresh(token)
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] == token
    assert (await app.revoke(token)).status_code == 200
    is_token_error(await app.refresh(token), "invalid_grant")


async def test_rotation_is_never_off_for_public_clients(world: World, browser: Browser) -> None:
    """RFC 9700 §2.2.2: where no key binds the grant, it rotates whatever the registration says."""
    app = await world.new_app(FRONT, rotate_refresh_tokens=False)
    first = (await browser.tokens(app))["refresh_token"]
    second = (await app.refresh(first)).json()["refresh_token"]
    assert second != first
    await world.advance(11)
    is_token_error(await app.refresh(first), "invalid_grant")
    is_token_error(await app.refresh(second), "invalid_grant")
