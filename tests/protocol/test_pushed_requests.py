"""Pushed authorization requests (RFC 9126): what is taken, what is told, and that it is once."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal, is_token_error, query_of
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, CUSTOM, FRONT, ISSUER, THIRD, TWO

PREFIX = "urn:ietf:params:oauth:request_uri:"


async def push(app: App, **changes: str | None) -> str:
    """Push a request; returns its request_uri."""
    answer = await app.post("/par", **app.asks(**changes))
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == {"request_uri", "expires_in"}
    found: str = answer.json()["request_uri"]
    return found


async def follow(browser: Browser, app: App, uri: str, **more: str):
    """GET /authorize with nothing but what RFC 9126 §4 wants."""
    named = {"client_id": app.client.client_id, "request_uri": uri} | more
    return await browser.http.get("/authorize", params=named)


@pytest.mark.parametrize("client", [FRONT, BACK], ids=["public", "confidential"])
async def test_a_pushed_request_signs_somebody_in(world: World, browser: Browser, client) -> None:
    """Public clients push by their client_id, others authenticate; the code is redeemed as ever."""
    app = world.app(client)
    answer = await app.post("/par", **app.asks())
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.json()["expires_in"] == 60
    uri = answer.json()["request_uri"]
    assert uri.startswith(PREFIX)
    arrived = await browser.go_on(await follow(browser, app, uri))
    redeemed = await app.redeem(answered(arrived, app)["code"])
    assert redeemed.status_code == 200, redeemed.text


async def test_what_stands_beside_it_counts_for_nothing(world: World, browser: Browser) -> None:
    """RFC 9126 §4: only client_id and request_uri are read at the authorization endpoint."""
    app = world.app(TWO)
    uri = await push(app)
    beside = {"redirect_uri": TWO.redirect_uris[1], "state": "other", "scope": "openid email"}
    arrived = await browser.go_on(await follow(browser, app, uri, **beside))
    answered(arrived, app)


async def test_a_request_object_beside_it(world: World, browser: Browser, app: App) -> None:
    """RFC 9101 §5: one or the other, whatever it says; it is told where the pushed one says."""
    uri = await push(app, response_mode="fragment")
    beside = {"request": "e30.e30.", "redirect_uri": "https://evil.example/", "state": "other"}
    told = await follow(browser, app, uri, **beside)
    assert told.headers["location"].startswith(f"{app.redirect_uri}#")
    assert "cannot+be+joined" in told.headers["location"]
    assert query_of(told.headers["location"].replace("#", "?"))["error"] == "invalid_request"
    spent = await push(app)
    is_refusal(await follow(browser, app, spent, **beside), app, "invalid_request")
    answered(await browser.go_on(await follow(browser, app, spent)), app)


async def test_nobody_is_led_to_an_app_that_anybody_registered(
    world: World, browser: Browser
) -> None:
    """RFC 9700 §4.11.2: the person decides about going there, but where no page is wanted."""
    app = await world.new_app(FRONT, registration_digest="ef" * 32)
    page = await follow(browser, app, await push(app), request="e30.e30.")
    assert app.redirect_uri in is_page(page)
    silent = await follow(browser, app, await push(app, prompt="none"), request="e30.e30.")
    is_refusal(silent, app, "invalid_request")


async def test_client_id_is_known_from_the_authentication(world: World, browser: Browser) -> None:
    """A client that has authenticated need not name itself in the body too."""
    app = world.app(BACK)
    uri = await push(app, client_id=None)
    answered(await browser.go_on(await follow(browser, app, uri)), app)


async def test_a_person_who_has_to_consent(world: World, browser: Browser) -> None:
    """The page has an address of its own, so loading it again shows it again."""
    app = world.app(THIRD)
    await browser.code(app)
    page = await follow(browser, app, await push(app, prompt="consent"))
    assert page.status_code == 303
    address = page.headers["location"]
    assert address.startswith("/interaction?request=")
    for _ in range(2):
        page = await browser.http.get(address)
        assert page.status_code == 200
    answered(await browser.decide(page, "allow"), app)


async def test_a_post_to_authorize(world: World, browser: Browser, app: App) -> None:
    """A POST from another site takes the request and goes on by a GET that has our cookies."""
    named = {"client_id": app.client.client_id, "request_uri": await push(app)}
    answer = await browser.http.post("/authorize", data=named)
    assert answer.status_code == 303
    answered(await browser.go_on(answer), app)


async def test_it_is_used_once(browser: Browser, app: App) -> None:
    """The second time there is a page that says so; an app that names itself is told."""
    uri = await push(app)
    answered(await browser.go_on(await follow(browser, app, uri)), app)
    text = is_page(await follow(browser, app, uri))
    assert "already used, or has expired" in text
    told = await follow(browser, app, uri, redirect_uri=app.redirect_uri, state=app.state)
    is_refusal(told, app, "invalid_request_uri")


async def test_it_may_be_opened_again_until_it_led_to_a_code(browser: Browser, app: App) -> None:
    """FAPI 2.0 §5.3.2.2 note 3: a reload before the sign-in costs nobody anything."""
    uri = await push(app)
    for _ in range(3):
        assert (await follow(browser, app, uri)).status_code == 303
    answered(await browser.go_on(await follow(browser, app, uri)), app)
    is_page(await follow(browser, app, uri))


async def test_of_many_at_once_one_gets_a_code(world: World, app: App) -> None:
    """N signed-in browsers open one link at the same moment: one code, however it is raced for."""
    uri = await push(app)
    browsers = [world.browser() for _ in range(8)]
    for one in browsers:
        await one.tokens(world.app(FRONT))
    answers = await asyncio.gather(*(follow(one, app, uri) for one in browsers))
    codes = [a for a in answers if "code=" in a.headers.get("location", "")]
    assert len(codes) == 1
    for answer in answers:
        if answer is not codes[0] and answer.status_code == 303:
            is_refusal(answer, app, "invalid_request_uri")


async def test_a_page_left_open_leads_nowhere(world: World, browser: Browser) -> None:
    """Agreeing on a second page of the same request gives no second code."""
    app = world.app(THIRD)
    uri = await push(app)
    pages = [await browser.go_on(await follow(browser, app, uri)) for _ in range(2)]
    answered(await browser.decide(pages[0], "allow"), app)
    is_refusal(await browser.decide(pages[1], "allow"), app, "invalid_request_uri")


@pytest.mark.parametrize("seconds", [60.5, 4000])
async def test_it_expires(world: World, browser: Browser, app: App, seconds: float) -> None:
    """After its lifetime it is refused, whether Redis still has it or not."""
    uri = await push(app)
    await world.advance(seconds)
    is_page(await follow(browser, app, uri))


async def test_it_lives_as_long_as_was_said(world: World, browser: Browser, app: App) -> None:
    """It is good for the whole of expires_in."""
    uri = await push(app)
    await world.advance(59.9)
    answered(await browser.go_on(await follow(browser, app, uri)), app)


async def test_of_another_client(world: World, browser: Browser, app: App) -> None:
    """Another client can neither use nor spend it."""
    uri, other = await push(app), world.app(TWO)
    is_page(await follow(browser, other, uri))
    told = await follow(browser, other, uri, redirect_uri=other.redirect_uri, state=other.state)
    is_refusal(told, other, "invalid_request_uri")
    answered(await browser.go_on(await follow(browser, app, uri)), app)


@pytest.mark.parametrize("tail", ["", "x", "A" * 82, "../../x", "\u2603", "a" * 3000])
async def test_a_handle_we_never_made(browser: Browser, app: App, tail: str) -> None:
    """Garbage is refused like a spent one, and an evil redirect URI beside it is not followed."""
    is_page(await follow(browser, app, PREFIX + tail))
    evil = {"redirect_uri": "https://evil.example/callback"}
    assert "evil.example" not in is_page(await follow(browser, app, PREFIX + tail, **evil))


async def test_a_handle_of_another_kind(browser: Browser, app: App) -> None:
    """A pushed request's handle is no handle of a request under way, nor the other way round."""
    handle = (await push(app)).removeprefix(PREFIX)
    assert (await browser.http.get("/interaction", params={"request": handle})).status_code == 400
    posted = await browser.http.post("/authorize", data=app.asks())
    under_way = posted.headers["location"].partition("=")[2]
    is_page(await follow(browser, app, PREFIX + under_way))


async def test_a_foreign_request_uri_is_not_fetched(browser: Browser, app: App) -> None:
    """What is none of ours is refused by name."""
    answer = await browser.authorize(app, request_uri="https://evil.example/request.jwt")
    is_refusal(answer, app, "request_uri_not_supported")


async def test_two_request_uris(browser: Browser, app: App) -> None:
    """Two are none, and neither is spent."""
    uri = await push(app)
    pairs = [*app.asks().items(), ("request_uri", uri), ("request_uri", uri)]
    is_refusal(await browser.http.get("/authorize", params=pairs), app, "invalid_request")
    answered(await browser.go_on(await follow(browser, app, uri)), app)


async def test_unknown_client_with_a_good_handle(browser: Browser, app: App) -> None:
    """Without its client a handle is nothing."""
    uri = await push(app)
    is_page(await browser.http.get("/authorize", params={"request_uri": uri}))
    nobody = {"request_uri": uri, "client_id": "nobody"}
    is_page(await browser.http.get("/authorize", params=nobody))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"request_uri": "https://a.example/r"}, "invalid_request"),
        ({"request_uri": PREFIX + "x"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid  x"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"state": "a\nb"}, "invalid_request"),
    ],
)
async def test_what_authorize_would_refuse_is_refused_at_once(app: App, changes, error) -> None:
    """RFC 9126 §2.3: the whole request is judged; the error is JSON, never a redirect."""
    is_token_error(await app.post("/par", **app.asks(**changes)), error)


async def test_authentication(world: World) -> None:
    """As at the token endpoint: wrong, missing, doubled, somebody else's."""
    app = world.app(BACK)
    asked = app.asks()
    bare = await world.api.post("/par", data=asked)
    is_token_error(bare, "invalid_client", 401)
    wrong = await world.api.post("/par", data=asked | {"client_secret": "wrong"})
    is_token_error(wrong, "invalid_client", 401)
    is_token_error(await app.post("/par", **asked, client_secret="x"), "invalid_request")
    is_token_error(await app.post("/par", **app.asks(client_id="front")), "invalid_request")
    twice = [*asked.items(), ("client_id", "back")]
    answer = await world.api.post(
        "/par", content="&".join(f"{k}={v}" for k, v in twice),
        headers=app.proof() | {"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    is_token_error(answer, "invalid_request")


async def test_a_client_without_the_code_grant(world: World) -> None:
    """A client that may not ask for codes cannot push a request for one."""
    app = await world.new_app(FRONT, grant_types=("refresh_token",))
    is_token_error(await app.post("/par", **app.asks()), "unauthorized_client")


async def test_get_and_json(world: World, app: App) -> None:
    """Only a form by POST."""
    assert (await world.api.get("/par", params=app.asks())).status_code == 405
    is_token_error(await world.api.post("/par", json=app.asks()), "invalid_request")


async def test_a_client_that_has_to_push(world: World, browser: Browser) -> None:
    """Its plain request goes back with invalid_request; its pushed one is taken (RFC 9126 §6)."""
    app = await world.new_app(BACK, require_pushed_authorization_requests=True)
    is_refusal(await browser.authorize(app), app, "invalid_request")
    answered(await browser.go_on(await follow(browser, app, await push(app))), app)


async def test_the_app_changes_between_push_and_sign_in(world: World, browser: Browser) -> None:
    """An address that is no longer registered gets no code."""
    app = await world.new_app(FRONT)
    uri = await push(app)
    await world.edit(app, redirect_uris=("https://front.example/new",))
    is_page(await follow(browser, app, uri))


async def test_its_errors_reach_the_app(world: World, browser: Browser, app: App) -> None:
    """What goes wrong afterwards is told as the pushed request wants it."""
    answer = await follow(browser, app, await push(app, prompt="none"))
    is_refusal(answer, app, "login_required")
    answer = await follow(browser, app, await push(app, prompt="none", response_mode="fragment"))
    assert query_of(answer.headers["location"].replace("#", "?"))["error"] == "login_required"
    assert "#" in answer.headers["location"]


async def test_an_app_on_this_machine_sees_its_page(world: World, browser: Browser) -> None:
    """Pushing proves nothing of a custom scheme: the page that names the app stays."""
    app = world.app(CUSTOM)
    page = await browser.go_on(await follow(browser, app, await push(app)))
    assert page.status_code == 200
    answered(await browser.decide(page, "allow"), app)


async def test_several_resources(world: World, browser: Browser) -> None:
    """Resources are pushed, and come back in the token's audience."""
    app = world.app(BACK)
    uri = await push(app, resource=API)
    code = answered(await browser.go_on(await follow(browser, app, uri)), app)["code"]
    assert (await app.redeem(code)).status_code == 200


async def test_nothing_readable_stays(world: World, browser: Browser, app: App) -> None:
    """The record is one key with an end, and taking it removes it; the handle stands nowhere."""
    redis: Redis = world.redis
    uri = await push(app)
    (key,) = [k async for k in redis.scan_iter("*req:*")]
    assert 60 <= await redis.ttl(key) <= 60 + 600 + 60
    assert uri.removeprefix(PREFIX) not in str(key) + str(await redis.get(key))
    await browser.go_on(await follow(browser, app, uri))
    assert not await redis.exists(key)


async def test_a_page_of_the_app_may_call_it(world: World, app: App) -> None:
    """The browser of a single-page app pushes from its registered origin."""
    headers = {"origin": "https://front.example"}
    answer = await world.api.post("/par", data=app.asks(), headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://front.example"
    assert ISSUER.startswith("https://")


async def test_the_page_leads_to_the_app(world: World, browser: Browser) -> None:
    """The one that the link names, at the home page that it is registered with."""
    text = is_page(await follow(browser, world.app(THIRD), f"{PREFIX}unknown"))
    assert f'href="{THIRD.client_uri}"' in text
