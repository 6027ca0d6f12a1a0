"""npm's openid-client, the whole flow: each way of authenticating."""

from pathlib import Path

import httpx2
import pytest

from tests.browsing import sign_in
from tests.clients.conftest import AFTER, CALLBACK, NodeProgram, Registered
from tests.clients.test_authlib import METHODS
from tests.running import RunningBroker

pytestmark = pytest.mark.node


@pytest.mark.parametrize("method", METHODS)
async def test_the_whole_flow(
    broker: RunningBroker,
    confidential: Registered,
    public: Registered,
    node_folder: Path,
    browser: httpx2.AsyncClient,
    method: str,
) -> None:
    """openid-client accepts every answer, from discovery to revocation and logout."""
    registered = public if method == "none" else confidential
    arguments = {
        "issuer": broker.issuer,
        "clientId": registered.client_id,
        "clientSecret": registered.client_secret,
        "method": method,
        "callback": CALLBACK,
        "after": AFTER,
    }
    with NodeProgram(node_folder, "openid_client.mjs", arguments) as program:
        url = program.hear()["url"]
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)
        program.tell({"back": back})
        seen = program.hear()
    assert seen["metadata"]["issuer"] == broker.issuer
    assert seen["claims"]["aud"] == registered.client_id
    assert seen["person"]["sub"] == seen["claims"]["sub"] == seen["refreshedSubject"]
    assert seen["person"]["email_verified"] is True
    assert seen["rotated"] is True
    assert seen["afterRevocation"] == "invalid_grant"
    assert seen["userinfoAfterRevocation"] is not None
    assert await signed_out(browser, seen["end"]) == AFTER


async def signed_out(browser: httpx2.AsyncClient, url: str) -> str:
    """Return where the browser ends when it follows the client's end-session address."""
    answer = await browser.get(url, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]
