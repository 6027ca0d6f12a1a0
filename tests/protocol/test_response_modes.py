"""How answers reach the client: in the query, in the fragment, by form post."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden, is_refusal
from tests.protocol.harness import World
from tests.protocol.known import ADA, CUSTOM, FRONT, ISSUER, NATIVE, ORIGIN, THIRD

MARKUP = '"><script>alert(1)</script>&'


def in_fragment(answer: httpx2.Response, app: App) -> dict[str, str]:
    """The answer's parameters, none of them in the query."""
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["location"])
    assert parts._replace(fragment="").geturl() == app.redirect_uri
    return dict(parse_qsl(parts.fragment))


def posted(page: httpx2.Response, app: App) -> dict[str, str]:
    """What the page posts to the app: kept by nobody, framed by nobody, sent nowhere else."""
    assert page.status_code == 200, page.headers.get("location")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    parts = urlsplit(app.redirect_uri)
    assert f"form-action {parts.scheme}://{parts.netloc};" in policy + ";"
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    action = re.search(r'<form method="post" action="([^"]*)"', page.text)
    assert action is not None
    assert unescape(action[1]) == app.redirect_uri
    return hidden(page)


async def test_fragment(browser: Browser, app: App) -> None:
    """OAuth 2.0 Multiple Response Types §2.1: a code, the state and ``iss`` behind the #."""
    found = in_fragment(await browser.arrive(app, response_mode="fragment"), app)
    assert found.keys() == {"code", "state", "iss"}
    assert (await app.redeem(found["code"])).status_code == 200


async def test_form_post(browser: Browser, app: App) -> None:
    """Form Post Response Mode §2: a page that posts them."""
    page = await browser.arrive(app, response_mode="form_post")
    found = posted(page, app)
    assert (found["state"], found["iss"]) == (app.state, ISSUER)
    assert (await app.redeem(found["code"])).status_code == 200
    script = re.search(r'<script src="(/static/form_post\.[0-9a-f]+\.js)">', page.text)
    assert script is not None
    sent = await browser.http.get(script[1])
    assert sent.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "submit()" in sent.text


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_errors_go_the_same_way(
    browser: Browser, app: App, mode: str, changes: dict[str, str | None], error: str
) -> None:
    """Whatever is wrong, the app hears of it where it listens."""
    answer = await browser.authorize(app, response_mode=mode, **changes)
    found = in_fragment(answer, app) if mode == "fragment" else posted(answer, app)
    assert (found["error"], found["state"], found["iss"]) == (error, app.state, ISSUER)
    assert "code" not in found


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
async def test_a_no_goes_the_same_way(world: World, browser: Browser, mode: str) -> None:
    """At Discord, and at our consent page."""
    app = world.app(THIRD)
    first = await browser.authorize(app, response_mode=mode)
    answer = await browser.go_on(first, ADA, deny=True)
    read = in_fragment if mode == "fragment" else posted
    assert read(answer, app)["error"] == "access_denied"
    page = await browser.arrive(app, response_mode=mode)
    assert read(await browser.decide(page, "deny"), app)["error"] == "access_denied"


async def test_values_are_text_on_the_page(world: World, browser: Browser) -> None:
    """What a request says is no markup on the page that answers it."""
    app = world.app(FRONT)
    app.state = MARKUP
    page = await browser.arrive(app, response_mode="form_post")
    assert "<script>alert" not in page.text
    assert posted(page, app)["state"] == MARKUP


@pytest.mark.parametrize("mode", ["jwt", "web_message", "query fragment", "FORM_POST"])
async def test_modes_that_are_not_known(browser: Browser, app: App, mode: str) -> None:
    """They are refused, in the query."""
    is_refusal(await browser.authorize(app, response_mode=mode), app, "invalid_request")


async def test_nothing_is_posted_to_an_app_s_own_scheme(world: World, browser: Browser) -> None:
    """No browser can; a loopback address of a native app can be posted to."""
    custom, native = world.app(CUSTOM), world.app(NATIVE)
    is_refusal(
        await browser.authorize(custom, response_mode="form_post"), custom, "invalid_request"
    )
    page = await browser.arrive(native, response_mode="form_post")
    assert "code" in posted(await browser.decide(page, "allow"), native)


async def test_a_bad_redirect_uri_is_no_form(browser: Browser, app: App) -> None:
    """What is not registered is posted nothing."""
    page = await browser.authorize(
        app, response_mode="form_post", redirect_uri="https://evil.example/"
    )
    assert page.status_code == 400
    assert "evil.example" not in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
async def test_the_way_back_from_a_page(
    world: World, browser: Browser, app: App, mode: str
) -> None:
    """A sign-in that took too long leads back in the way the app listens."""
    waiting = (await browser.http.post("/authorize", data=app.asks(response_mode=mode))).headers
    await world.advance(700)
    page = await browser.http.get(waiting["location"])
    assert page.status_code == 400
    if mode == "fragment":
        assert f'href="{app.redirect_uri}#error=access_denied' in page.text
        return
    policy = page.headers["content-security-policy"]
    assert f"form-action {ORIGIN}" in policy
    assert "script-src" not in policy
    assert f'<form method="post" action="{app.redirect_uri}">' in page.text
    assert '<input type="hidden" name="error" value="access_denied">' in page.text
    assert f'<input type="hidden" name="state" value="{app.state}">' in page.text
