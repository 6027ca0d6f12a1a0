"""npm's openid-client: registering itself, acting for itself, acting for somebody."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, register
from tests.running import RunningBroker

pytestmark = pytest.mark.node

ORDERS = "https://orders.example/api"
READ = "orders:read"


@pytest.fixture(scope="module")
def open_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker where who has an initial access token may register."""
    folder = tmp_path_factory.mktemp("registering")
    with RunningBroker(folder, {"BROKER_REGISTRATION": "token"}) as running:
        running.cli("apis", "add", ORDERS, "--scope", READ)
        yield running


async def test_it_registers_itself(
    open_broker: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient
) -> None:
    """RFC 7591: with a token from an operator; the secret it is told works at once."""
    ticket = open_broker.cli("clients", "registration-token", "--uses", "1")["initial_access_token"]
    arguments = {"issuer": open_broker.issuer, "ticket": ticket, "callback": CALLBACK}
    with NodeProgram(node_folder, "openid_client_registers.mjs", arguments) as program:
        told = program.hear()
        back = await sign_in(browser, told["url"], CALLBACK, discord=open_broker.discord_origin)
        program.tell({"back": back})
        seen = program.hear()
    assert told["metadata"]["redirect_uris"] == [CALLBACK]
    assert seen["aud"] == told["metadata"]["client_id"]
    assert seen["person"]["sub"] == seen["sub"]


async def test_it_acts_for_somebody(
    open_broker: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient
) -> None:
    """RFC 8693 §4.1: the token is about the person, and ``act`` says who holds it."""
    options = ("--grant", "code", "--grant", "client-credentials", "--grant", "token-exchange",
               "--exchange", "delegation", "--resource", ORDERS,
               "--scope", f"openid profile {READ}")  # fmt: skip
    courier = register(open_broker, "Courier", *options)
    arguments = {"issuer": open_broker.issuer, "clientId": courier.client_id, "api": ORDERS,
                 "clientSecret": courier.client_secret, "callback": CALLBACK,
                 "scope": READ}  # fmt: skip
    with NodeProgram(node_folder, "openid_client_exchange.mjs", arguments) as program:
        url = program.hear()["url"]
        back = await sign_in(browser, url, CALLBACK, discord=open_broker.discord_origin)
        program.tell({"back": back})
        seen = program.hear()
    assert seen["kind"] == "urn:ietf:params:oauth:token-type:access_token"
    acting, itself = seen["acting"], seen["itself"]
    assert (acting["sub"], acting["aud"]) == (seen["sub"], ORDERS)
    assert acting["act"]["sub"] == itself["sub"] == courier.client_id
    assert acting["scope"] == itself["scope"] == READ
