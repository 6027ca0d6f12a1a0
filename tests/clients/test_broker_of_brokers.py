"""A broker whose upstream is another broker: both sides of OpenID Connect, over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from broker.core.pkce import challenge_of
from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, register
from tests.ports import free_port
from tests.protocol.checks import query_of
from tests.protocol.tokens import claims_of
from tests.running import RunningBroker

pytestmark = pytest.mark.slow

VERIFIER = "v" * 43


@dataclass(frozen=True)
class House:
    """Two brokers: people sign in to ``outer`` through ``inner``, and to that with Discord."""

    outer: RunningBroker
    inner: RunningBroker
    app: str


@pytest.fixture(scope="module", params=["RS256", "EdDSA"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """The inner one signs ID tokens in the usual way and in a new one; the outer has no Discord."""
    port, folder = free_port(), tmp_path_factory.mktemp("house")
    with ExitStack() as stack:
        wide = {"BROKER_SIGNING_ALGORITHMS": "RS256,EdDSA"}
        inner = stack.enter_context(RunningBroker(folder / "inner", wide))
        callback = f"http://127.0.0.1:{port}/login/inner/callback"
        words = ("--redirect-uri", callback, "--id-token-alg", request.param)
        made = inner.cli("clients", "add", "Outer", *words)
        outer = stack.enter_context(
            RunningBroker(folder / "outer", upstream(inner, made), port=port)
        )
        yield House(outer, inner, register(outer, "Notes", "--public").client_id)


def upstream(inner: RunningBroker, made: dict[str, Any]) -> dict[str, str]:
    """The outer broker's settings; empty ones count as not set."""
    one = {
        "name": "inner",
        "kind": "oidc",
        "title": "Inner",
        "issuer": inner.issuer,
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    absent = ("CLIENT_ID", "CLIENT_SECRET", "AUTHORIZE_URL", "API_URL", "CDN_URL")
    return {"BROKER_UPSTREAMS": json.dumps([one])} | {f"BROKER_DISCORD_{n}": "" for n in absent}


async def signed_in(house: House, person: str = "ada.lindqvist", **changes: str) -> dict[str, Any]:
    """Sign in to the app at the outer broker; returns the token answer."""
    asked = {
        "client_id": house.app,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    async with httpx2.AsyncClient(trust_env=False, timeout=20, verify=False) as browser:
        url = f"{house.outer.issuer}/authorize?{urlencode(asked)}"
        discord = house.inner.discord_origin
        back = query_of(await sign_in(browser, url, CALLBACK, discord=discord, person=person))
        fields = {
            "grant_type": "authorization_code",
            "client_id": house.app,
            "code": back["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        answer = await browser.post(f"{house.outer.issuer}/token", data=fields)
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    return found


async def test_a_person_passes_through_both(house: House) -> None:
    """Discovery, PKCE, nonce, ``iss``, the ID token: what one of us sends the other one takes."""
    claims = claims_of((await signed_in(house))["id_token"])
    assert claims["iss"] == house.outer.issuer
    assert claims["name"] == "Ada Lindqvist"
    assert claims["preferred_username"] == "ada.lindqvist"
    assert (claims["email"], claims["email_verified"]) == ("ada@example.com", True)


async def test_one_person_is_one_account_at_each(house: House) -> None:
    """The outer one knows people by the inner one's ``sub``, whatever they are called by then."""
    first = claims_of((await signed_in(house))["id_token"])
    again = claims_of((await signed_in(house, prompt="login"))["id_token"])
    other = claims_of((await signed_in(house, "ben_okafor"))["id_token"])
    assert first["sub"] == again["sub"] != other["sub"]
    (inner,) = house.inner.cli("accounts", "show", "ada.lindqvist")["identities"]
    (outer,) = house.outer.cli("accounts", "show", first["sub"])["identities"]
    assert inner["upstream"] == "discord"
    assert outer["upstream"] == "inner"
    assert outer["subject"] == house.inner.cli("accounts", "show", "ada.lindqvist")["sub"]


async def test_the_signing_key_changes(house: House, tmp_path: Path) -> None:
    """The inner one's successor was published before: nobody is kept out by a rotation."""
    await signed_in(house)
    house.inner.cli("keys", "rotate", "--now")
    await signed_in(house)
