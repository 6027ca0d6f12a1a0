"""People in guilds, and what outlives a sign-in, over real HTTP."""

import asyncio
from dataclasses import replace

import httpx2
import pytest

from broker.core.budget import BEFORE_ALL, Go, Urgency
from broker.core.community.model import Community, GuildList, ListedGuild
from broker.core.community.needs import Needs
from broker.core.errors import AuthorizationLost, UpstreamRejected, UpstreamUnavailable
from broker.core.federation import CommunityUpstream
from broker.demo.discord import Fault, Limit
from broker.upstream.budget import ProcessBudget
from broker.upstream.pacing import Errand, PacedTransport
from tests.pace import stood
from tests.upstream.portal import SECRET, VERIFIER, opened

LIGHTHOUSE, GREENHOUSE = "613425648685547541", "697138785317814292"
KEEPER, KEEPS_AND_IS = "613425648685547542", ("613425648685547542", "613425648685547543")
TOKEN, MEMBER, GUILDS, OWNER = (
    "/oauth2/token",
    "/users/@me/guilds/{guild_id}/member",
    "/users/@me/guilds",
    "/oauth2/@me",
)
STANDING = Needs(standings=(LIGHTHOUSE,))
BOTH = Needs(standings=(LIGHTHOUSE, GREENHOUSE), listing=True)


@pytest.fixture
async def portal():
    async with opened() as found:
        yield found


def test_the_port(portal):
    """Discord goes on telling after a sign-in."""
    assert isinstance(portal.upstream, CommunityUpstream)


@pytest.mark.parametrize(
    ("needs", "scope"),
    [
        (Needs(), "identify"),
        (Needs(email=True), "identify email"),
        (STANDING, "identify guilds.members.read"),
        (Needs(listing=True), "identify guilds"),
        (
            Needs(standings=("1",), listing=True, email=True),
            "identify email guilds guilds.members.read",
        ),
    ],
)
async def test_no_scope_but_what_is_needed(portal, needs, scope):
    """Discord's scopes are the least for the needs, and one less does not do."""
    url = await portal.upstream.authorization_url(
        state="s", verifier=VERIFIER, prompt="none", login_hint="", needs=needs
    )
    assert f"scope={scope.replace(' ', '+')}&" in url
    asked = scope.split()
    assert not portal.upstream.lacks(asked, needs)
    assert not portal.upstream.lacks([*asked, "openid"], needs)
    assert all(portal.upstream.lacks(set(asked) - {one}, needs) for one in asked)


async def test_what_a_sign_in_leaves(portal):
    """Both tokens, what was granted and until when; and no token shows."""
    arrived = await portal.arrive(needs=STANDING)
    kept = arrived.authorization
    assert kept.access_token
    assert kept.refresh_token
    assert set(kept.scope) == {"identify", "guilds.members.read"}
    assert kept.expires_at == portal.clock.at + 604_800
    for secret in (kept.access_token, kept.refresh_token, SECRET):
        assert secret not in f"{arrived!r}{kept!r}"


async def test_a_person_may_grant_less(portal):
    """What was granted is what the answer says, and what that lacks is seen."""
    code = await portal.code(needs=STANDING, scopes=())
    arrived = await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert portal.upstream.lacks(arrived.authorization.scope, STANDING)


async def test_without_the_scope_an_address_was_not_read(portal):
    """An unknown address is told from none."""
    unread, none = await portal.arrive(needs=Needs()), await portal.arrive("dmitri7")
    assert (unread.profile.email, unread.profile.email_read) == (None, False)
    assert (none.profile.email, none.profile.email_read) == (None, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("refresh_token", None), ("scope", ()), ("expires_at", None)],
)
@pytest.mark.parametrize("kind", ["missing", "replaced"])
async def test_a_token_answer_that_says_less(portal, kind, field, value):
    """What is not said is not known; the person is signed in all the same."""
    code = await portal.code()
    on_the_wire = "expires_in" if field == "expires_at" else field
    portal.state.misbehave(TOKEN, Fault(kind, fields=(on_the_wire,)))
    arrived = await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert getattr(arrived.authorization, field) == value


# --- guilds --------------------------------------------------------------------------------------


async def test_standings_and_list(portal):
    """Roles, nickname and the rest, of every guild that is needed, with the time of reading."""
    token = await portal.token(needs=BOTH)
    portal.state.set_member("ada.lindqvist", GREENHOUSE, pending=True)
    found = await portal.upstream.community(token, BOTH)
    one = found.standings[LIGHTHOUSE]
    assert (one.member, one.nick, set(one.roles)) == (True, "Ada", set(KEEPS_AND_IS))
    assert one.joined_at == 1709294400
    assert found.standings[GREENHOUSE].pending is True
    assert found.listed == GuildList(
        portal.clock.at,
        (
            ListedGuild(LIGHTHOUSE, "The Lighthouse", owner=True),
            ListedGuild(GREENHOUSE, "Greenhouse"),
        ),
    )
    assert {each.read_at for each in found.standings.values()} == {portal.clock.at}


async def test_nothing_needed_costs_nothing(portal):
    """No call is made for what nobody asks."""
    token = await portal.token()
    asked = portal.state.calls.copy()
    assert await portal.upstream.community(token, Needs(email=True)) == Community()
    assert portal.state.calls == asked


async def test_not_a_member(portal):
    """404 with Discord's code says so: of a guild left, deleted, or never there."""
    token = await portal.token("ben_okafor", BOTH)
    needs = Needs(standings=(GREENHOUSE, "5", LIGHTHOUSE))
    portal.state.delete_guild(LIGHTHOUSE)
    found = await portal.upstream.community(token, needs)
    assert [each.member for each in found.standings.values()] == [False, False, False]
    listed = await portal.upstream.community(token, Needs(listing=True))
    assert listed.listed == GuildList(portal.clock.at)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 450])
async def test_very_many_guilds(portal, count):
    """Page by page, each guild once, by rising id."""
    for number in range(count):
        guild = portal.state.add_guild(f"No. {number} " + "x" * 90)
        portal.state.join("chiyo", guild.id)
    token = await portal.token("chiyo", Needs(listing=True))
    found = await portal.upstream.community(token, Needs(listing=True))
    assert len({each.guild_id for each in found.listed.guilds}) == count
    ids = [int(each.guild_id) for each in found.listed.guilds]
    assert ids == sorted(ids)
    assert portal.state.calls[GUILDS] == count // 200 + 1


async def test_a_page_larger_than_other_answers(portal):
    """200 guilds with all their features are more than a profile may be."""
    for number in range(200):
        guild = portal.state.add_guild(f"{number} " + "x" * 600)
        portal.state.join("chiyo", guild.id)
    token = await portal.token("chiyo", Needs(listing=True))
    found = await portal.upstream.community(token, Needs(listing=True))
    assert len(found.listed.guilds) == 200


@pytest.mark.parametrize("route", [MEMBER, GUILDS])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=500),
        Fault("status", status=503),
        Fault("status", status=400),
        Fault("status", status=403),
        Fault("status", status=404),
        Fault("html", status=200),
        Fault("html", status=404),
        Fault("html", status=502),
        Fault("drop"),
        Fault("lost_answer"),
        Fault("truncated"),
        Fault("not_json"),
        Fault("huge", size=4 * 1024 * 1024),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_no_sound_answer_is_no_membership_read(portal, route, fault):
    """Nothing partial is returned, nobody is taken for a stranger, and nothing is asked twice."""
    token = await portal.token(needs=BOTH)
    portal.state.misbehave(route, fault)
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.community(token, BOTH)
    assert portal.state.calls[route] <= 2
    portal.state.behave()
    assert len((await portal.upstream.community(token, BOTH)).standings) == 2


@pytest.mark.parametrize("field", ["roles"])
@pytest.mark.parametrize("kind", ["missing", "replaced"])
async def test_half_a_record(portal, kind, field):
    """A member record without roles is none."""
    token = await portal.token(needs=STANDING)
    portal.state.misbehave(MEMBER, Fault(kind, fields=(field,)))
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.community(token, STANDING)


async def test_a_token_that_is_not_good_any_more(portal):
    """A withdrawn one is lost; it is tried once, and not again for ten minutes."""
    token = await portal.token(needs=STANDING)
    portal.state.deauthorize(portal.state.person("ada.lindqvist").id, "1")
    for _ in range(3):
        with pytest.raises(AuthorizationLost) as caught:
            await portal.upstream.community(token, STANDING)
        assert token not in f"{caught.value}{caught.value.private}"
    assert portal.state.calls[MEMBER] == 1


async def test_a_token_that_does_not_reach_so_far(portal):
    """Without the scope only a new sign-in helps."""
    token = await portal.token()
    with pytest.raises(AuthorizationLost):
        await portal.upstream.community(token, STANDING)
    with pytest.raises(AuthorizationLost):
        await portal.upstream.community(token, Needs(listing=True))


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "é", "x" * 5000, "a\x00"])
async def test_what_could_be_no_token_is_not_sent(portal, token):
    """Whatever somebody presents as a token."""
    for reading in (
        portal.upstream.community(token, STANDING),
        portal.upstream.owner(token),
        portal.upstream.profile(token),
        portal.upstream.renew(token),
    ):
        with pytest.raises(AuthorizationLost):
            await reading
    assert portal.state.calls.total() == 0


async def test_the_limit_of_a_member_record(portal):
    """Discord lets it be read five times in five minutes; the sixth is not even sent."""
    token = await portal.token(needs=STANDING)
    for _ in range(5):
        await portal.upstream.community(token, STANDING)
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.community(token, STANDING)
    assert 290 <= caught.value.retry_after <= 301
    assert portal.state.calls[MEMBER] == 5
    other = await portal.token("ben_okafor", STANDING)
    assert (await portal.upstream.community(other, STANDING)).standings[LIGHTHOUSE].member


async def test_a_limit_that_passes_is_waited_out():
    """A turn that comes in time is waited for, however many ask at once; nobody is refused."""
    limits = {MEMBER: Limit(2, 0.4)}
    async with opened(limits=limits) as portal:
        token = await portal.token(needs=STANDING)
        for _ in range(6):
            await portal.upstream.community(token, STANDING)
        assert portal.state.calls[MEMBER] == 6
        assert ("member", "limited") not in portal.tally.calls


class Pausing(ProcessBudget):
    """Gives each call its turn after a moment in which the process stands still."""

    async def may_send(self, call, *, patience, waited=BEFORE_ALL):
        if waited is not BEFORE_ALL:
            return await super().may_send(call, patience=patience)
        asyncio.get_running_loop().call_later(0.01, stood, 1.0)
        return Go(0.05, 1)


async def test_no_less_than_nothing_was_waited_where_the_process_stood_still(portal):
    """Near the end of an errand that leaves it a turn, which is more than there was before."""
    wire = replace(portal.wire, budget=Pausing(portal.ticking))
    paced = PacedTransport(wire, Errand("discord", lambda _: "profile", 8.0, Urgency.KEEPING))
    stood(7.0)
    async with httpx2.AsyncClient(transport=paced, timeout=None, trust_env=False) as client:
        answer = await client.get(f"{portal.settings.api_url}/users/@me")
    assert answer.status_code == 401
    assert portal.tally.waits == [0.0]


# --- tokens --------------------------------------------------------------------------------------


async def test_renewing(portal):
    """A refresh token is good once; its successor goes on, and the access token with it."""
    first = (await portal.arrive(needs=STANDING)).authorization
    portal.clock.at += 60
    second = await portal.upstream.renew(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.expires_at == portal.clock.at + 604_800
    assert (await portal.upstream.community(second.access_token, STANDING)).standings
    with pytest.raises(AuthorizationLost):
        await portal.upstream.renew(first.refresh_token)
    assert (await portal.upstream.renew(second.refresh_token)).access_token


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=500),
        Fault("html", status=502),
        Fault("html", status=200),
        Fault("drop"),
        Fault("lost_answer"),
        Fault("truncated"),
        Fault("status", status=401),
        Fault("missing", fields=("access_token",)),
        Fault("replaced", fields=("token_type",)),
        Fault("rate_limited", seconds=30, scope="shared"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_a_renewal_without_a_sound_answer(portal, fault):
    """Trouble is no refusal: nothing says that the authorization is lost."""
    kept = (await portal.arrive()).authorization
    portal.state.misbehave(TOKEN, fault)
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.renew(kept.refresh_token)
    assert portal.state.calls[TOKEN] == 2


async def test_our_own_wrong_secret_loses_nobodys_authorization(portal):
    """What an operator mistyped is mended by the operator."""
    kept = (await portal.arrive()).authorization
    portal.state.applications.clear()
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.renew(kept.refresh_token)
    assert "BROKER_DISCORD_CLIENT_ID" in caught.value.private


async def test_an_answer_without_a_refresh_token_leaves_the_old_one(portal):
    """RFC 6749 §6: a server may issue none; then the old one stays."""
    kept = (await portal.arrive()).authorization
    portal.state.misbehave(TOKEN, Fault("missing", fields=("refresh_token",)))
    renewed = await portal.upstream.renew(kept.refresh_token)
    assert renewed.refresh_token == kept.refresh_token


async def test_whose_token(portal):
    """Which application it was issued to, what it may, and until when."""
    token = await portal.token(needs=STANDING)
    found = await portal.upstream.owner(token)
    assert found.application == "1"
    assert set(found.scope) == {"identify", "guilds.members.read"}
    assert found.expires_at > portal.clock.at - 86400 * 365 * 50
    with pytest.raises(AuthorizationLost):
        await portal.upstream.owner("made-up")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("missing", fields=("application",)),
        Fault("replaced", fields=("application",)),
        Fault("replaced", fields=("scopes",)),
        Fault("not_json"),
        Fault("html", status=200),
        Fault("status", status=500),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.fields}",
)
async def test_a_token_of_nobody_known(portal, fault):
    """Without a plain answer it is nobody's."""
    token = await portal.token()
    portal.state.misbehave(OWNER, fault)
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.owner(token)


async def test_the_profile_of_a_token(portal):
    """As at a sign-in; a bot has none."""
    token = await portal.token()
    assert (await portal.upstream.profile(token)).username == "ada.lindqvist"
    with pytest.raises(AuthorizationLost):
        await portal.upstream.profile("made-up")
    portal.state.misbehave("/users/@me", Fault("bot"))
    with pytest.raises(UpstreamRejected):
        await portal.upstream.profile(token)


async def test_giving_back(portal):
    """Both tokens end; whatever goes wrong is no concern of the caller."""
    kept = (await portal.arrive()).authorization
    await portal.upstream.revoke(kept.refresh_token)
    with pytest.raises(AuthorizationLost):
        await portal.upstream.owner(kept.access_token)
    for fault in (Fault("status", status=500), Fault("drop"), Fault("html", status=429)):
        portal.state.misbehave("/oauth2/token/revoke", fault)
        await portal.upstream.revoke("whatever")
