"""A person enters a device's code: whose browser, how many guesses, what if all is away."""

from pathlib import Path

from tests.protocol.actors import Browser
from tests.protocol.checks import hidden, is_page
from tests.protocol.devices import (
    GRANTS,
    again,
    allow,
    begin,
    consent_page,
    enter,
    is_page_200,
)
from tests.protocol.harness import Shelf, World, redis_server
from tests.protocol.harness import begin as begin_world
from tests.protocol.known import BEN, FRONT
from tests.protocol.tokens import claims_of

# ── browsers ────────────────────────────────────────────────────────────────────────────


async def test_forms_of_other_pages(world: World, browser: Browser) -> None:
    """A code is taken from our own page, in this browser, alone."""
    device = await begin(world)
    is_page(await enter(browser, device.code, csrf="forged"), 403)
    is_page(await enter(browser, device.code, csrf=None), 403)
    page = await browser.http.get("/device")
    other = world.browser()
    stolen = {**hidden(page), "user_code": device.code}
    is_page(await other.http.post("/device", data=stolen), 403)


async def test_a_page_of_another_browser(world: World, browser: Browser) -> None:
    """The address of somebody's consent page is worth nothing elsewhere (CVE-2022-39222)."""
    device = await begin(world)
    answer = await enter(browser, device.code)
    other = world.browser()
    await other.tokens(world.app(FRONT))
    is_page(await other.http.get(answer.headers["location"]), 403)


async def test_the_last_page_is_about_who_allowed_it(world: World, browser: Browser) -> None:
    """Nobody else is told that a device was connected, and garbage opens nothing."""
    device = await begin(world)
    end = await allow(browser, device)
    other = world.browser()
    page = await other.http.get(str(end.url))
    assert "Nothing was connected" in is_page_200(page)
    await other.tokens(world.app(FRONT), BEN)
    page = await other.http.get(str(end.url))
    assert "Nothing was connected" in is_page_200(page)
    is_page(await browser.http.get("/device/done?device=garbage"), 400)
    is_page(await browser.http.get("/device/done"), 400)


async def test_an_app_that_wants_a_fresh_sign_in(world: World, browser: Browser) -> None:
    """Its default_max_age counts for its devices too: somebody signed in long ago does it again."""
    app = await world.new_app(FRONT, grant_types=GRANTS, default_max_age=60)
    await browser.tokens(world.app(FRONT))
    await world.advance(61)
    device = await again(app)
    entered = await enter(browser, device.code)
    answer = await browser.http.get(entered.headers["location"])
    assert answer.headers["location"].startswith(world.discord_origin)
    await browser.go_on(await browser.decide(await browser.go_on(answer), "allow"))
    tokens = (await device.poll()).json()
    assert claims_of(tokens["id_token"])["auth_time"] == int(world.clock.at)


async def test_nothing_at_rest_is_the_code(world: World, browser: Browser) -> None:
    """A dump of Redis holds neither what a device shows nor what it polls with."""
    device = await begin(world)
    await consent_page(browser, device)
    bare = device.code.replace("-", "")
    for key in await world.redis.keys("*"):
        text = key
        if await world.redis.type(key) == "string":
            text += await world.redis.get(key)
        for secret in (device.code, bare, device.answer["device_code"]):
            assert secret not in text


# ── guessing ────────────────────────────────────────────────────────────────────────────


async def test_guessing_is_stopped(world: World, browser: Browser) -> None:
    """After a handful of wrong codes even the right one is not judged; later it is."""
    device = await begin(world)
    for number in range(5):
        wrong = f"BCDF-GHJ{'BCDFG'[number]}"
        is_page(await enter(browser, wrong), 400)
    answer = await enter(browser, device.code)
    text = is_page(answer, 429)
    assert "Too many wrong codes" in text
    assert 0 < int(answer.headers["retry-after"]) <= 600
    await forget_guesses(world)
    assert (await enter(browser, device.code)).status_code == 303


async def test_guessing_from_one_address(world: World) -> None:
    """A new browser for every few guesses helps nobody: the address counts too."""
    for _ in range(2):
        browser = world.browser()
        for number in range(5):
            is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
    is_page(await enter(world.browser(), "BCDF-GHJK"), 429)


async def test_guessing_as_one_account(world: World, browser: Browser) -> None:
    """Signed in, the account counts, whichever browser it uses."""
    await browser.tokens(world.app(FRONT))
    for number in range(5):
        is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
    other = world.browser()
    is_page(await enter(other, "BCDF-GHJK"), 400)
    await other.tokens(world.app(FRONT))
    is_page(await enter(other, "BCDF-GHJK"), 429)


async def test_right_codes_do_not_count(world: World, browser: Browser) -> None:
    """Somebody with many devices is not stopped; and right ones make no room for wrong ones."""
    app = await world.new_app(FRONT, grant_types=GRANTS)
    for _ in range(7):
        assert (await enter(browser, (await again(app)).code)).status_code == 303
    for number in range(5):
        is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
        if number < 4:
            assert (await enter(browser, (await again(app)).code)).status_code == 303
    is_page(await enter(browser, "BCDF-GHJK"), 429)


async def test_typing_errors_that_can_be_no_code_do_not_count(browser: Browser) -> None:
    """What has another form is told at once and guesses nothing."""
    for text in ("", "AEIOU", "BCDF-GHJ", "x" * 60) * 3:
        is_page(await enter(browser, text), 400)


async def forget_guesses(world: World) -> None:
    """Let the windows end: Redis keeps their time itself."""
    for key in await world.redis.keys("tb:{guess:*"):
        await world.redis.delete(key)


# ── faults ──────────────────────────────────────────────────────────────────────────────


async def test_redis_away(shared: Shelf, tmp_path: Path) -> None:
    """A code is not judged where guesses cannot be counted; nothing is begun and nothing given."""
    with redis_server(tmp_path) as url:
        async with begin_world(shared, tmp_path, redis_url=url) as world:
            browser = world.browser()
            device = await begin(world)
            page = await consent_page(browser, device)
            form = await browser.http.get("/device")
            await world.redis.shutdown(nosave=True)
            entered = {**hidden(form), "user_code": device.code}
            for call in (
                device.poll,
                lambda: device.app.post("/device_authorization", scope="openid"),
                lambda: browser.http.post("/device", data=entered),
                lambda: browser.decide(page, "allow"),
                lambda: browser.decide(page, "deny"),
            ):
                answer = await call()
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1
            assert (await browser.http.get("/device")).status_code == 200


async def test_wrong_answers_are_never_500(world: World, browser: Browser) -> None:
    """Strange fields at each address: a page or an error, never a failure of ours."""
    await begin(world)
    form = hidden(await browser.http.get("/device"))
    for text in ("\u0000", "é" * 50, "B" * 5000, "\uff22" * 8, "<script>", "\u202ebcdfghjk"):
        for answer in (
            await browser.http.post("/device", data={**form, "user_code": text}),
            await browser.http.get("/device", params={"user_code": text}),
            await browser.http.get("/device/done", params={"device": text}),
            await world.api.post("/device_authorization", data={"client_id": text, "scope": text}),
            await world.api.post("/token", data={"client_id": text, "device_code": text}),
        ):
            assert answer.status_code in {200, 400, 401}, (text, answer.text)
