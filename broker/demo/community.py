"""The community of the demonstration: a guild whose roles decide what the sample app allows."""

from collections.abc import Mapping
from typing import Any, Final

from broker.core.community.registry import Guild
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.discord.ratelimit import DEFAULT_LIMITS, Limit
from broker.demo.discord.state import SimulatedDiscord
from broker.demo.sample.rights import CREW, KEEPER

SCOPE: Final = "openid profile email guilds roles"
KEEPER_ROLE, MEMBER_ROLE = LIGHTHOUSE.roles

# The app's own roles by Discord's.
ROLE_MAPPING: Final[Mapping[str, Mapping[str, list[str]]]] = {
    LIGHTHOUSE.id: {KEEPER_ROLE: [KEEPER, CREW], MEMBER_ROLE: [CREW]}
}
# Who may use the sample app at all.
POLICY: Final[Mapping[str, Any]] = {
    "guilds": [{"id": LIGHTHOUSE.id, "not_pending": True, "not_timed_out": True}]
}
# Changes are to be seen at the next refresh, however soon somebody clicks. A real Discord could
# not be asked so often: it lets a member record be read five times in five minutes.
FRESH_SECONDS: Final = 1
_PATIENT: Final = Limit(120, 60)
_MEMBER_ROUTE: Final = "/users/@me/guilds/{guild_id}/member"


def registered_guild() -> Guild:
    """Return the guild as an operator registers it: Discord tells ids alone."""
    return Guild(LIGHTHOUSE.id, LIGHTHOUSE.name, roles=LIGHTHOUSE.roles)


def patient_discord() -> SimulatedDiscord:
    """Return a simulated Discord that may be asked about members as often as somebody clicks."""
    return SimulatedDiscord(limits={**DEFAULT_LIMITS, _MEMBER_ROUTE: _PATIENT})
