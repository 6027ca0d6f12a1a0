"""The headers of every answer, judged as the well-known graders of web sites judge them."""

from typing import Any

import httpx2
import pytest

from broker.web.routes import ROUTES, Cache
from tests.protocol.actors import Browser
from tests.protocol.checks import hidden
from tests.protocol.harness import World
from tests.protocol.known import FRONT, THIRD
from tests.protocol.operating import Desk

YEAR = 31_536_000
LOOSE = ("unsafe-inline", "unsafe-eval", "unsafe-hashes", "*", "http:", "https:", "data:")
CONSOLE_CSRF = "starlette_admin_csrftoken"
PICTURES = {"https:", "data:"}
CONSOLE_PAGES = ("/accounts", "/clients", "/clients/new", "/keys", "/operators", "/audit")
PLAIN = {"{upstream}": "discord", "{client_id}": "front", "{code}": "BCDF-GHJK",
         "{name}": "style.css", "{path:path}": "none"}  # fmt: skip


def policy_of(answer: httpx2.Response) -> dict[str, list[str]]:
    """The directives of an answer's Content-Security-Policy."""
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    assert len({part[0] for part in parts if part}) == len([part for part in parts if part])
    return {part[0]: part[1:] for part in parts if part}


def grade(answer: httpx2.Response, *, kept: bool = False) -> None:
    """What every answer needs, and a page besides; ``kept`` documents may be cached."""
    said, where = answer.headers, (str(answer.url), answer.status_code)
    assert int(said["strict-transport-security"].partition("max-age=")[2]) >= YEAR, where
    assert said["x-content-type-options"] == "nosniff", where
    assert "server" not in said, where
    assert "x-powered-by" not in said, where
    if not kept or answer.status_code >= 400:
        assert said["cache-control"] == "no-store", where
    policy = policy_of(answer)
    assert policy["default-src"] == ["'none'"], where
    assert policy["frame-ancestors"] == ["'none'"], where
    for name, sources in policy.items():
        # Pictures of apps and people come from anywhere, and do nothing; nothing else may.
        loose = {*LOOSE} - (PICTURES if name == "img-src" else set())
        assert not loose & {one.strip("'") for one in sources}, (where, name)
    if said.get("content-type", "").startswith("text/html"):
        grade_page(answer, policy)
    if answer.is_redirect:
        assert said["referrer-policy"] in {"no-referrer", "same-origin"}, where
    for cookie in said.get_list("set-cookie"):
        name, *attributes = (part.strip().lower() for part in cookie.split(";"))
        if "max-age=0" in attributes:
            continue  # one that is taken away holds nothing
        assert "secure" in attributes, where
        if not name.startswith(f"{CONSOLE_CSRF}="):  # its forms' own, of a library, no secret alone
            assert name.startswith("__host-"), where
            assert {"httponly", "path=/"} <= {*attributes}, where
        assert {"samesite=lax", "samesite=strict"} & {*attributes}, where


def grade_page(answer: httpx2.Response, policy: dict[str, list[str]]) -> None:
    """What a browser needs to be told of a page."""
    said, where = answer.headers, str(answer.url)
    assert said["referrer-policy"] in {"no-referrer", "same-origin"}, where
    assert said["x-frame-options"] == "DENY", where
    assert said["cross-origin-opener-policy"] == "same-origin", where
    assert said["cross-origin-resource-policy"] == "same-origin", where
    assert {"camera=()", "geolocation=()", "microphone=()"} <= {
        *said["permissions-policy"].split(", ")
    }, where
    assert {"base-uri", "form-action"} <= policy.keys(), where
    assert "charset=utf-8" in said["content-type"].lower(), where


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "TRACE"])
async def test_every_route(desk: Desk, method: str) -> None:
    """Whatever it answers, errors included, to somebody who brings nothing."""
    for entry in ROUTES:
        path = entry.path
        for placeholder, value in PLAIN.items():
            path = path.replace(placeholder, value)
        grade(await desk.world.api.request(method, path), kept=entry.cache is Cache.PUBLIC)
    grade(await desk.world.api.request(method, "/none"))


async def test_pages_on_the_way(world: World, browser: Browser) -> None:
    """Consent, account, sign-out, device, and each redirect between."""
    page = await browser.authorize(world.app(FRONT))
    grade(page)
    third = world.app(THIRD)
    consent = await browser.arrive(third)
    assert hidden(consent)
    grade(consent)
    grade(await browser.decide(consent, "allow", csrf="forged"))
    for path in ("/account", "/logout", "/device", "/"):
        grade(await browser.http.get(path))
    grade(await browser.arrive(world.app(FRONT), response_mode="form_post"))
    grade(await browser.authorize(world.app(FRONT), prompt="none"))


async def test_pages_of_the_console(desk: Desk) -> None:
    """Each of them, to an operator who is inside."""
    for path in CONSOLE_PAGES:
        answer = await desk.get(path)
        assert answer.status_code == 200, path
        grade(answer)


async def test_secrets_are_never_kept(world: World, browser: Browser) -> None:
    """Tokens, and what is said of people."""
    app = world.app(FRONT)
    code = await browser.code(app)
    answer: Any = await app.redeem(code)
    grade(answer)
    grade(await world.userinfo(answer.json()["access_token"]))
    grade(await app.refresh(answer.json()["refresh_token"]))
    grade(await app.redeem(code))
