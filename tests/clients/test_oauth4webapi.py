"""npm's oauth4webapi: pushed requests, private_key_jwt, DPoP with nonces and without, services."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, register
from tests.core.signers import jwks, signs
from tests.running import RunningBroker

pytestmark = pytest.mark.node

ORDERS = "https://orders.example/api"


@pytest.fixture(scope="module", params=["without nonces", "with nonces"])
def fapi_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningBroker]:
    """A running broker; one of them demands nonces in DPoP proofs (RFC 9449 §8)."""
    nonces = {"BROKER_DPOP_NONCES": "true"} if request.param == "with nonces" else {}
    with RunningBroker(tmp_path_factory.mktemp("fapi"), nonces) as running:
        running.cli("apis", "add", ORDERS, "--scope", "orders:read")
        yield running


async def test_a_client_of_fapi(
    fapi_broker: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient, tmp_path: Path
) -> None:
    """From the push to the revocation, each answer checked by a strict library."""
    key = signs("ES256")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(jwks(key)))
    options = ("--auth-method", "private_key_jwt", "--jwks", str(keys), "--auth-alg", "ES256",
               "--require-par", "--dpop", "--grant", "code refresh client-credentials",
               "--resource", ORDERS,
               "--scope", "openid profile email offline_access orders:read")  # fmt: skip
    client_id = register(fapi_broker, "Bank", *options).client_id
    arguments = {"issuer": fapi_broker.issuer, "clientId": client_id, "jwk": key.private_jwk,
                 "callback": CALLBACK, "api": ORDERS}  # fmt: skip
    with NodeProgram(node_folder, "oauth4webapi.mjs", arguments) as program:
        url = program.hear()["url"]
        back = await sign_in(browser, url, CALLBACK, discord=fapi_broker.discord_origin)
        program.tell({"back": back})
        seen = program.hear()
    assert sorted(seen["asked"]) == ["client_id", "request_uri"]
    assert seen["person"]["sub"] == seen["sub"]
    assert "email" in seen["person"]
    assert {seen[one]["token_type"] for one in ("tokens", "refreshed", "machine")} == {"dpop"}
    assert seen["alive"]["active"] is True
    assert seen["alive"]["cnf"]["jkt"]
    assert (seen["service"]["sub"], seen["service"]["scope"]) == (client_id, "orders:read")
    assert seen["dead"] == {"active": False}
