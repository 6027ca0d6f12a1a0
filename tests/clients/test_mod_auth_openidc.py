"""Debian's ``libapache2-mod-auth-openidc`` in Apache, the broker behind another Apache with TLS."""

import asyncio
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization

from broker.demo.forms import read_forms
from tests.browsing import sign_in_and_arrive
from tests.certificates import certified
from tests.clients.apache import LOOPBACK, Apache, Guarded, front_door
from tests.core.signers import jwks, signs
from tests.ports import free_port
from tests.protocol.tokens import claims_of, header_of
from tests.running import RunningBroker

pytestmark = pytest.mark.apache

# How an app authenticates, and how the answer comes to it.
METHODS = {
    "client_secret_basic": "query",
    "client_secret_post": "form_post",
    "private_key_jwt": "query",
}
KEY = signs("RS256", "apache")
JWKS = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Site:
    """A deployment: the broker and what is before it, its apps by how they authenticate."""

    broker: RunningBroker
    front: Apache
    apps: dict[str, Guarded]
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """An https issuer with a certificate of its own making, and an app of each kind."""
    # pytest's own folders are closed to whom Apache becomes.
    with tempfile.TemporaryDirectory(prefix="broker-apache-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        apps = {method: Guarded.anywhere(method, mode) for method, mode in METHODS.items()}
        _, trust, certificate = certified(folder, LOOPBACK)
        port = free_port()
        broker = RunningBroker(folder / "broker", settings(apps))
        broker.issuer = f"https://{LOOPBACK}:{port}"
        front, behind = (_made(folder / part) for part in ("front", "behind"))
        door = front_door(certificate, port, broker.port)
        with Apache(front, [port], door) as proxy, broker:
            pages = _pages(folder / "pages")
            hosts = "".join(
                app.host(broker.issuer, certificate, pages, registered(broker, app, folder))
                for app in apps.values()
            )
            with Apache(behind, [app.port for app in apps.values()], hosts):
                yield Site(broker, proxy, apps, trust)


def settings(apps: dict[str, Guarded]) -> dict[str, str]:
    """The broker's: its apps are at addresses that are private and plain http."""
    receivers = ",".join(f"{LOOPBACK}:{app.port}" for app in apps.values())
    return {"BROKER_TRUSTED_PROXIES": LOOPBACK, "BROKER_OUTBOUND_ALLOW": receivers}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _pages(folder: Path) -> Path:
    for where in (folder, folder / "private", folder / "service"):
        _made(where).joinpath("index.html").write_text("<p>Here you are.</p>\n")
    return folder


def registered(broker: RunningBroker, app: Guarded, folder: Path) -> str:
    """Register an app by the command line; return what the module has to know of it."""
    options = ["--redirect-uri", app.back, "--post-logout-redirect-uri", f"{app.origin}/"]
    options += ["--backchannel-logout-uri", f"{app.back}?logout=backchannel"]
    options += ["--auth-method", app.method]
    if app.method == "private_key_jwt":
        keys = folder / "keys.json"
        keys.write_text(json.dumps(jwks(KEY)))
        options += ["--jwks", str(keys)]
    made = broker.cli("clients", "add", f"Apache by {app.method}", *options)
    lines = f"OIDCClientID {made['client_id']}\n"
    if app.method == "private_key_jwt":
        return lines + _key_files(folder)
    return lines + f"OIDCClientSecret {made['client_secret']}"


def _key_files(folder: Path) -> str:
    key = KEY.key.private_key
    pem = serialization.Encoding.PEM
    for name, text in {
        "private.pem": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "public.pem": key.public_key().public_bytes(
            pem, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    }.items():
        (folder / name).write_bytes(text)
    return (
        f"OIDCPrivateKeyFiles {KEY.kid}#{folder}/private.pem\n"
        f"OIDCPublicKeyFiles {KEY.kid}#{folder}/public.pem\n"
    )


@pytest_asyncio.fixture
async def browser(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser without cookies that trusts the certificate."""
    async with httpx2.AsyncClient(trust_env=False, verify=site.trust, timeout=20) as client:
        yield client


async def enter(site: Site, browser: httpx2.AsyncClient, app: Guarded) -> dict[str, Any]:
    """Open the private page, sign in on the way; return what the module then holds."""
    sent = await browser.get(app.private)
    assert sent.status_code == 302
    url = sent.headers["location"]
    assert url.startswith(f"{site.broker.issuer}/authorize?")
    assert {"code_challenge_method=S256", f"response_mode={app.mode}"} <= set(url.split("&"))
    discord = site.broker.discord_origin
    page = await sign_in_and_arrive(browser, url, app.back, discord=discord)
    assert (page.status_code, str(page.url)) == (200, app.private), page.text
    assert page.headers["seen-name"] == "Ada Lindqvist"
    return await held(browser, app)


async def held(browser: httpx2.AsyncClient, app: Guarded) -> dict[str, Any]:
    """What the module holds of the person."""
    found: dict[str, Any] = (await browser.get(app.back, params={"info": "json"})).json()
    return found


async def inside(browser: httpx2.AsyncClient, app: Guarded) -> bool:
    """Whether the private page opens without a sign-in."""
    return (await browser.get(app.private)).status_code == 200


@pytest.mark.parametrize("method", METHODS)
async def test_in_and_out(site: Site, browser: httpx2.AsyncClient, method: str) -> None:
    """Discovery, code with PKCE, ID token, userinfo, refresh, logout: the module is content."""
    app = site.apps[method]
    first = await enter(site, browser, app)
    assert first["id_token"]["sub"] == first["userinfo"]["sub"]
    assert first["userinfo"]["email"] == "ada@example.com"
    again = {"refresh": app.private, "access_token": first["access_token"]}
    assert (await browser.get(app.back, params=again)).headers["location"] == app.private
    second = await held(browser, app)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    leaving = await browser.get(app.back, params={"logout": f"{app.origin}/"})
    assert leaving.headers["location"].startswith(f"{site.broker.issuer}/logout?id_token_hint=")
    left = await browser.get(leaving.headers["location"])
    assert (left.status_code, left.headers["location"]) == (303, f"{app.origin}/")
    assert not await inside(browser, app)
    userinfo = {"authorization": f"Bearer {second['access_token']}"}
    assert (
        await browser.get(f"{site.broker.issuer}/userinfo", headers=userinfo)
    ).status_code == 401


async def test_signed_out_elsewhere(site: Site, browser: httpx2.AsyncClient) -> None:
    """The module takes the logout token: both apps are closed when the person leaves the broker."""
    first, second = site.apps["client_secret_basic"], site.apps["private_key_jwt"]
    await enter(site, browser, first)
    await enter(site, browser, second)
    page = await browser.get(f"{site.broker.issuer}/logout")
    (form,) = read_forms(page.text, str(page.url))
    done = await browser.post(
        form.action, data=form.pressed("confirm", "yes"), headers={"origin": site.broker.issuer}
    )
    assert done.status_code == 200
    async with asyncio.timeout(10):
        while await inside(browser, first) or await inside(browser, second):
            await asyncio.sleep(0.1)


async def test_keys_change_behind_its_back(site: Site, browser: httpx2.AsyncClient) -> None:
    """It keeps the JWKS for an hour; the next key was in it, so a change at once is not noticed."""
    app = site.apps["client_secret_basic"]
    before = await enter(site, browser, app)
    copies = site.front.asked(JWKS)
    site.broker.cli("keys", "rotate", "--now")
    await asyncio.sleep(2)  # twice the polling interval: every process signs with the next key
    async with httpx2.AsyncClient(trust_env=False, verify=site.trust, timeout=20) as other:
        after = await enter(site, other, app)
    kids = {header_of(found["access_token"])["kid"] for found in (before, after)}
    assert len(kids) == 2
    assert site.front.asked(JWKS) == copies > 0


async def test_as_a_service(site: Site, browser: httpx2.AsyncClient) -> None:
    """It verifies access tokens offline, as the guide has services do."""
    app = site.apps["client_secret_post"]
    token = (await enter(site, browser, app))["access_token"]
    service = f"{app.origin}/service/"

    async def shown(text: str) -> httpx2.Response:
        return await browser.get(service, headers={"authorization": f"Bearer {text}"})

    good = await shown(token)
    assert good.status_code == 200
    assert good.headers["seen-client"] == claims_of(token)["client_id"]
    for bad in (token[:-8] + "AAAAAAAA", token.rpartition(".")[0] + ".", "garbage"):
        assert (await shown(bad)).status_code == 401
