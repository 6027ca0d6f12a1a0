"""The harness itself."""

from tests.protocol.harness import World
from tests.protocol.known import CLIENTS


async def test_every_kind_of_client_signs_in(world: World) -> None:
    """Each registered client gets tokens for a person, so a refusal elsewhere means something."""
    for client in CLIENTS:
        tokens = await world.browser().tokens(world.app(client))
        answer = await world.userinfo(tokens["access_token"])
        assert answer.status_code == 200
        assert answer.json()["preferred_username"] == "ada.lindqvist"
