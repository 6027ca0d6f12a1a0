"""The README's examples do what it says, against a running broker."""

from pathlib import Path
from types import ModuleType

import httpx2
import jwt
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, register
from tests.readme.snippets import snippet
from tests.running import RunningBroker

pytestmark = pytest.mark.node

AUDIENCE = "http://127.0.0.1:9/api"


async def test_the_examples_sign_in_and_verify(
    broker: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient
) -> None:
    """openid-client signs in; jose and PyJWT accept its access token and refuse its ID token."""
    client = register(broker, "From the README", "--public", "--audience", AUDIENCE)
    instead = {"issuer": broker.issuer, "audience": AUDIENCE, "callback": CALLBACK}
    front_end = snippet("openid-client", **instead)
    (node_folder / "readme_openid_client.mjs").write_text(front_end, "utf-8")
    (node_folder / "readme_jose.mjs").write_text(snippet("jose", **instead), "utf-8")
    with NodeProgram(node_folder, "readme.mjs", {"clientId": client.client_id}) as program:
        url = program.hear()["url"]
        program.tell({"back": await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)})
        seen = program.hear()
    assert seen["payload"]["sub"] == seen["sub"]
    assert seen["payload"]["aud"] == AUDIENCE
    assert seen["refused"] == "ERR_JWT_CLAIM_VALIDATION_FAILED"

    service = ModuleType("service")
    exec(snippet("pyjwt", **instead), service.__dict__)
    assert service.verify(seen["accessToken"])["sub"] == seen["sub"]
    with pytest.raises(jwt.PyJWTError):
        service.verify(seen["idToken"])
