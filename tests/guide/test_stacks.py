"""Sites that are configured by copying from the pages for developers: people sign in for real."""

import asyncio
import html
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
import pytest_asyncio

from broker.demo.forms import read_forms
from broker.web.docs.render import snippets
from tests.browsing import sign_in_and_arrive
from tests.guide.sites import (
    Site,
    api_server,
    broker_with,
    django_words,
    node_modules,
    node_site,
    port_of,
    registered,
    serving,
    written,
)
from tests.outer import need
from tests.running import RunningBroker

pytestmark = [pytest.mark.slow]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody's browser."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as made:
        yield made


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder below which Node.js finds what the sites import."""
    need("npm", "node")
    return node_modules(tmp_path_factory.mktemp("node"))


def subject_of(site: Site) -> str:
    """Return the one person's ``sub``."""
    [account] = site.broker.cli("accounts", "list")
    found: str = account["sub"]
    return found


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


async def left_for_good(browser: httpx2.AsyncClient, site: Site, leaving: str) -> str:
    """Follow a site's own sign-out to ours, agree, and return where that leads."""
    assert leaving.startswith(f"{site.broker.issuer}/logout?client_id="), leaving
    page = await browser.get(leaving)
    [form] = read_forms(page.text, str(page.url))
    origin = {"Origin": site.broker.issuer}
    return (await browser.post(form.action, data=form.fields, headers=origin)).headers["location"]


@pytest.mark.node
async def test_express_openid_connect_signs_in(
    tmp_path: Path, modules: Path, browser: httpx2.AsyncClient
) -> None:
    """Its session knows the person, calls the API with a token that it renews, and signs out."""
    with api_server() as api, broker_with(tmp_path, "express", api) as (site, files):
        folder = node_site(modules, files)
        secrets = {"CLIENT_SECRET": site.client["client_secret"], "SESSION_SECRET": "s" * 40}
        words = ["node", "serve.mjs", "express", port_of(site.address)]
        with serving(words, folder, site.address, **secrets):
            back = f"{site.address}/callback"
            begun = f"{site.address}/profile"
            await sign_in_and_arrive(browser, begun, back, discord=site.broker.discord_origin)
            who = (await browser.get(f"{site.address}/profile")).json()
            assert who["sub"] == subject_of(site)
            assert (who["name"], who["email"]) == ("Ada Lindqvist", "ada@example.com")
            first = (await browser.get(f"{site.address}/orders")).json()
            assert (first["path"], first["scheme"]) == ("/orders", "Bearer")
            assert claims_of(first["token"])["aud"] == api
            await browser.get(f"{site.address}/later")
            second = (await browser.get(f"{site.address}/orders")).json()
            assert second["token"] != first["token"]
            assert claims_of(second["token"])["sub"] == who["sub"]
            left = await browser.get(f"{site.address}/logout")
            assert left.headers["location"].startswith(f"{site.broker.issuer}/logout?")
            home = await browser.get(left.headers["location"])
            assert (home.status_code, home.headers["location"]) == (303, site.address)


@pytest.mark.node
async def test_auth_js_signs_in(tmp_path: Path, modules: Path, browser: httpx2.AsyncClient) -> None:
    """Its session holds sub as the user's id."""
    with broker_with(tmp_path, "authjs") as (site, files):
        folder = node_site(modules, files)
        secrets = {"AUTH_BROKER_SECRET": site.client["client_secret"], "AUTH_SECRET": "s" * 40}
        words = ["node", "serve.mjs", "authjs", port_of(site.address)]
        base = f"{site.address}/api/auth"
        with serving(words, folder, site.address, **secrets):
            csrf = (await browser.get(f"{base}/csrf")).json()["csrfToken"]
            begun = await browser.post(f"{base}/signin/broker", data={"csrfToken": csrf})
            where = begun.headers["location"]
            back = f"{base}/callback/broker"
            await sign_in_and_arrive(browser, where, back, discord=site.broker.discord_origin)
            user = (await browser.get(f"{base}/session")).json()["user"]
            assert user["id"] == subject_of(site)
            assert (user["name"], user["email"]) == ("Ada Lindqvist", "ada@example.com")


async def test_django_allauth_signs_in(tmp_path: Path, browser: httpx2.AsyncClient) -> None:
    """Its social account is the person's sub."""
    with broker_with(tmp_path, "django") as (site, files):
        written(tmp_path, files, "settings.py", "urls.py", "link.html")
        secrets = {"BROKER_CLIENT_SECRET": site.client["client_secret"]}
        with serving(django_words(tmp_path, site.address), tmp_path, site.address, **secrets):
            page = await browser.get(f"{site.address}/signin")
            [form] = read_forms(page.text, str(page.url))
            begun = await browser.post(form.action, data=form.fields)
            back = f"{site.address}/accounts/oidc/broker/login/callback/"
            where = begun.headers["location"]
            home = await sign_in_and_arrive(
                browser, where, back, discord=site.broker.discord_origin
            )
            assert home.json() == {"uid": subject_of(site), "provider": "broker"}
            leaving = await browser.get(f"{site.address}/accounts/logout/")
            [form] = read_forms(leaving.text, str(leaving.url))
            gone = await browser.post(form.action or str(leaving.url), data=form.fields)
            after = await left_for_good(browser, site, gone.headers["location"])
            assert after == f"{site.address}/"


@pytest.mark.oauth2_proxy
async def test_oauth2_proxy_lets_in_who_has_signed_in(
    tmp_path: Path, browser: httpx2.AsyncClient
) -> None:
    """Nobody else; and its configuration is understood to the last key."""
    program = need("oauth2-proxy", "oauth2_proxy")
    with broker_with(tmp_path, "oauth2-proxy") as (site, files):
        (tmp_path / "secret").write_text(site.client["client_secret"])
        (tmp_path / "cookie").write_text("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
        text = files["oauth2-proxy.cfg"]
        for shown, here in (
            ("/run/secrets/my-tool", str(tmp_path / "secret")),
            ("/run/secrets/cookie", str(tmp_path / "cookie")),
            ("127.0.0.1:4180", site.address.removeprefix("http://")),
            ("http://127.0.0.1:8080/", "static://202"),
            ("240s", "3s"),
        ):
            assert shown in text
            text = text.replace(shown, here)
        # The one thing that a site without TLS needs besides.
        (tmp_path / "proxy.cfg").write_text(f"{text}cookie_secure = false\n")
        words = [str(program), "--config", "proxy.cfg"]
        with serving(words, tmp_path, site.address):
            begun, back = f"{site.address}/", f"{site.address}/oauth2/callback"
            await sign_in_and_arrive(browser, begun, back, discord=site.broker.discord_origin)
            assert (await browser.get(begun)).status_code == 202
            told = await browser.get(f"{site.address}/oauth2/auth")
            assert told.headers["x-auth-request-email"] == subject_of(site)
            assert "set-cookie" not in told.headers
            async with asyncio.timeout(20):
                while "set-cookie" not in (renewed := await browser.get(begun)).headers:
                    await asyncio.sleep(0.1)
            assert renewed.status_code == 202
            stranger = httpx2.get(f"{site.address}/", trust_env=False, follow_redirects=False)
            assert stranger.status_code == 302
            [link] = re.findall(r'href="([^"]+)"', html.unescape(files["sign-out.html"]))
            gone = await browser.get(f"{site.address}{link}")
            after = await left_for_good(browser, site, gone.headers["location"])
            assert after == f"{site.address}/"
            assert (await browser.get(f"{site.address}/")).status_code == 302


def test_every_command_shown_is_understood(tmp_path: Path) -> None:
    """What a page tells to type registers what it says, on a broker that has nothing yet."""
    with RunningBroker(tmp_path) as broker:
        files = snippets(issuer=broker.issuer, brand="x")
        for name in ("register-spa.sh", "looks-spa.sh", "register-api.sh"):
            registered(broker, files[name])


def test_the_proxys_configuration_is_toml() -> None:
    """And asks for a cookie's renewal before the access token's end."""
    text = snippets(issuer="https://id.example.org", brand="x", access_seconds="300")
    assert tomllib.loads(text["oauth2-proxy.cfg"])["cookie_refresh"] == "240s"
