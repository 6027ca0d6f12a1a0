"""npm's openid-client with keys of its own: private_key_jwt and signed requests (RFC 9101)."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, register
from tests.core.signers import jwks, signs
from tests.running import RunningBroker

pytestmark = pytest.mark.node


@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "Ed25519"])
async def test_a_client_that_signs_everything(
    broker: RunningBroker,
    node_folder: Path,
    browser: httpx2.AsyncClient,
    tmp_path: Path,
    alg: str,
) -> None:
    """Its requests and its authentication, from the authorization to the revocation."""
    key = signs(alg)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(jwks(key)))
    options = ("--auth-method", "private_key_jwt", "--jwks", str(keys), "--auth-alg", alg,
               "--require-signed-request", "--request-alg", alg)  # fmt: skip
    client_id = register(broker, f"Signs {alg}", *options).client_id
    arguments = {"issuer": broker.issuer, "clientId": client_id, "jwk": key.private_jwk,
                 "alg": alg, "callback": CALLBACK}  # fmt: skip
    with NodeProgram(node_folder, "openid_client_signing.mjs", arguments) as program:
        url = program.hear()["url"]
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)
        program.tell({"back": back})
        seen = program.hear()
    assert seen["claims"]["aud"] == client_id
    assert seen["refreshed"] == seen["claims"]["sub"]
    assert sorted(seen["outside"]) == ["client_id", "request"]
