"""Plan oidcc-backchannel-rp-initiated-logout-certification (Back-Channel Logout OP).

What else there is to say of the back channel is in ``tests/protocol/test_backchannel.py``.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.protocol.conformance.suite import RelyingParty
from tests.protocol.conformance.test_op_logout import BYE, STATE, gone, leave
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK
from tests.protocol.listening import judged, listening
from tests.protocol.tokens import claims_of


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def telling_world(shared: Shelf, tmp_path_factory: Any) -> AsyncIterator[World]:
    """A broker whose operator allows receivers on loopback."""
    more: dict[str, Any] = {"outbound_allow": ("127.0.0.1",), "redis_prefix": "told"}
    async with begin(shared, tmp_path_factory.mktemp("told"), **more) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(telling_world: World) -> World:
    """The same with nobody signed in."""
    await telling_world.reset()
    return telling_world


async def test_discovery(world: World) -> None:
    """oidcc-backchannel-logout-discovery-endpoint-verification."""
    metadata = (await world.api.get("/.well-known/openid-configuration")).json()
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True
    assert metadata["end_session_endpoint"].startswith("https://")


async def test_rp_initiated_logout(world: World) -> None:
    """oidcc-backchannel-rp-initiated-logout: told in the back, redirected in front, signed out."""
    async with listening() as listener:
        fields: dict[str, Any] = {"backchannel_logout_uri": listener.uri}
        fields |= {"backchannel_logout_session_required": True, "require_pkce": False}
        app = await world.new_app(BACK, **fields)
        rp = RelyingParty(world, app, world.browser())
        outcome = await rp.run()
        answer = await leave(rp, outcome)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state={STATE}")
        (token,) = await listener.hears()
    claims = await judged(world, token, app.client.client_id)
    known = claims_of(outcome.answer["id_token"])
    assert (claims["sub"], claims["sid"]) == (known["sub"], known["sid"])
    assert await gone(rp)
