"""The plans' clients: confidential, with a secret, let off PKCE in their registration."""

import pytest
import pytest_asyncio

from tests.protocol.actors import Browser
from tests.protocol.conformance.suite import RelyingParty
from tests.protocol.harness import World
from tests.protocol.known import BACK


@pytest.fixture(params=["default", "form_post"])
def mode(request: pytest.FixtureRequest) -> str:
    """How answers come: the Form Post plan is the Basic plan in another response mode."""
    found: str = request.param
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def rp(world: World, browser: Browser, mode: str) -> RelyingParty:
    """The plan's first client."""
    app = await world.new_app(BACK, require_pkce=False)
    return RelyingParty(world, app, browser, mode)
