"""However much is refused, Discord never shuts our address out."""

import pytest

from broker.core.budget import WINDOW, Allowance
from broker.core.community.needs import Needs
from broker.core.errors import AuthorizationLost, UpstreamRejected, UpstreamUnavailable
from broker.demo.discord import Fault
from broker.demo.discord.traffic import Ban
from broker.upstream.budget import ProcessBudget
from tests.core.helpers import Hands, Ticking
from tests.upstream.portal import Portal, opened

FEW = Allowance(sign_in=12, keeping=8, offered=4)
OWNER, TOKEN, ME = "/oauth2/@me", "/oauth2/token", "/users/@me"
STANDING = Needs(standings=("613425648685547541",))
ADDRESS = "127.0.0.1"


@pytest.fixture
async def portal():
    """A Discord that shuts out after 16 refusals, and a broker that stops before."""
    async with opened(ban=Ban(requests=16, seconds=WINDOW, lasts=3600.0)) as found:
        clock = Hands()
        yield Portal(
            found.state,
            found.origin,
            found.transport,
            clock=clock,
            budget=ProcessBudget(Ticking(clock), FEW),
        )


async def test_tokens_that_strangers_try(portal):
    """They use up their own share, and nobody's sign-in."""
    for number in range(30):
        with pytest.raises((AuthorizationLost, UpstreamUnavailable)):
            await portal.upstream.owner(f"made-up-{number}")
    assert portal.state.traffic.calls[OWNER] == FEW.offered
    arrived = await portal.arrive(needs=STANDING)
    token = arrived.authorization.access_token
    assert (await portal.upstream.community(token, STANDING)).standings
    assert portal.tally.refused == ["refusals"] * 26


async def test_one_token_again_and_again(portal):
    """A token that was refused is refused by us for ten minutes, and costs one call."""
    for _ in range(30):
        with pytest.raises(AuthorizationLost):
            await portal.upstream.owner("made-up")
    assert portal.state.traffic.calls[OWNER] == 1
    portal.clock.at += WINDOW + 1
    with pytest.raises(AuthorizationLost):
        await portal.upstream.owner("made-up")
    assert portal.state.traffic.calls[OWNER] == 2


async def test_a_wrong_client_secret(portal):
    """Every sign-in is refused then; long before the address would be shut out none is sent."""
    portal.state.applications.clear()
    for _ in range(20):
        with pytest.raises((UpstreamRejected, UpstreamUnavailable)) as caught:
            await portal.upstream.fetch(code="whatever", verifier="v" * 43)
    assert 0 < caught.value.retry_after <= WINDOW + 60
    assert portal.state.traffic.calls[TOKEN] == FEW.sign_in
    assert not portal.state.traffic.is_banned(ADDRESS)


async def test_limits_that_are_never_over(portal):
    """429 counts as a refusal too: whoever comes, and however often, the address stays welcome."""
    fault = Fault("rate_limited", seconds=1, scope="user")
    portal.state.misbehave("*", fault)
    for _ in range(40):
        with pytest.raises(UpstreamUnavailable):
            await portal.upstream.fetch(code="whatever", verifier="v" * 43)
        portal.clock.at += 2
    assert portal.state.traffic.calls[TOKEN] == FEW.sign_in
    assert not portal.state.traffic.is_banned(ADDRESS)
    portal.state.behave()
    portal.clock.at += WINDOW + 60
    assert (await portal.profile()).username == "ada.lindqvist"


async def test_a_limit_shared_with_others_is_not_held_against_us(portal):
    """Discord does not count those, and neither do we."""
    portal.state.misbehave(ME, Fault("rate_limited", seconds=1, scope="shared"))
    for _ in range(20):
        with pytest.raises(UpstreamUnavailable):
            await portal.profile()
        portal.clock.at += 2
    portal.state.behave()
    portal.clock.at += WINDOW
    assert (await portal.profile()).username == "ada.lindqvist"
    assert portal.state.traffic.invalid(ADDRESS) == 0
