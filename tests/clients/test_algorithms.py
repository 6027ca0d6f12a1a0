"""npm's openid-client and jose against chosen signature algorithms: what they want, they get."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, Registered, register
from tests.running import RunningBroker

pytestmark = pytest.mark.node

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


@pytest.fixture(scope="module")
def choosing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A running broker with every algorithm on, from its first start."""
    settings = {"BROKER_SIGNING_ALGORITHMS": ",".join(ALGORITHMS)}
    with RunningBroker(tmp_path_factory.mktemp("algorithms"), settings) as running:
        yield running


async def flow(
    broker: RunningBroker,
    client: Registered,
    folder: Path,
    browser: httpx2.AsyncClient,
    **wants: Any,
) -> Any:
    """Walk the program's sign-in; return what it saw."""
    arguments = {
        "issuer": broker.issuer,
        "clientId": client.client_id,
        "clientSecret": client.client_secret,
        "callback": CALLBACK,
        **wants,
    }
    with NodeProgram(folder, "algorithms.mjs", arguments) as program:
        url = program.hear()["url"]
        program.tell({"back": await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)})
        return program.hear()


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_the_algorithm_of_a_client_and_of_an_api(
    choosing: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient, alg: str
) -> None:
    """Found in discovery, its signatures checked from the JWKS, at first and at a refresh.

    A token for an API is none for userinfo, which would tell the API more than it was told.
    """
    api = f"https://{alg.lower()}.example.org"
    choosing.cli("apis", "add", api, "--alg", alg)
    client = register(choosing, "Ledger", "--id-token-alg", alg, "--resource", api)
    seen = await flow(choosing, client, node_folder, browser, api=api, alg=alg)
    assert "refused" not in seen, seen
    assert seen["supported"] == list(ALGORITHMS)
    assert seen["subject"] == seen["refreshedSubject"]
    assert seen["atUserinfo"] == ["invalid_token"]
    assert seen["apiSaw"] == {"sub": seen["subject"], "alg": alg}


async def test_a_client_that_wants_another_algorithm_notices(
    choosing: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient
) -> None:
    """The checks above are made: one that is registered with RS256 and wants ES256 refuses."""
    client = register(choosing, "Ledger", "--resource", "https://other.example.org")
    wants = {"api": "https://other.example.org", "alg": "ES256"}
    seen = await flow(choosing, client, node_folder, browser, **wants)
    assert "alg" in seen["refused"]
