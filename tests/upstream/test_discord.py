"""Discord over real HTTP: the simulated one, behaving and misbehaving."""

import asyncio
import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.demo.discord import Application, Fault, Limit, SimulatedDiscord, serve
from broker.upstream.base import BoundedTransport
from broker.upstream.discord import Discord, DiscordSettings
from tests.core.helpers import Hands
from tests.pace import Spent
from tests.upstream.portal import EMAIL, REDIRECT, SECRET, VERIFIER, Portal, unused

TOKEN, ME = "/oauth2/token", "/users/@me"


@pytest.fixture
async def transport():
    bounded = BoundedTransport()
    yield bounded
    await bounded.shut()


@pytest.fixture
async def portal(transport):
    state = SimulatedDiscord()
    state.add_application(Application("1", SECRET, (REDIRECT,)))
    async with serve(state) as origin:
        yield Portal(state, origin, transport)


async def test_the_authorization_url():
    """Client, scopes, state and an S256 challenge; Discord's own prompt."""
    upstream = Discord(DiscordSettings("1", SECRET, REDIRECT), unused(), Hands())
    url = await upstream.authorization_url(
        state="abc", verifier=VERIFIER, prompt="consent", login_hint="ada", needs=EMAIL
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    assert url.startswith("https://discord.com/oauth2/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": ["1"],
        "response_type": ["code"],
        "redirect_uri": [REDIRECT],
        "scope": ["identify email"],
        "state": ["abc"],
        "prompt": ["consent"],
        "code_challenge": [challenge.rstrip(b"=").decode()],
        "code_challenge_method": ["S256"],
    }


async def test_a_person_signs_in(portal):
    """Code and verifier become a profile, keyed on the snowflake."""
    profile = await portal.profile()
    assert (profile.upstream, profile.subject) == ("discord", "175928847299117063")
    assert (profile.display_name, profile.email) == ("Ada Lindqvist", "ada@example.com")
    assert profile.email_verified is True
    assert profile.picture.endswith(".png")


@pytest.mark.parametrize(("person", "email"), [("chiyo", "chiyo@example.com"), ("dmitri7", None)])
async def test_unverified_and_absent_emails(portal, person, email):
    """Neither is ever taken for verified."""
    profile = await portal.profile(person)
    assert (profile.email, profile.email_verified) == (email, False)


async def test_many_at_once_do_not_mix(portal):
    """The shared pool holds nobody's token."""
    people = ["ada.lindqvist", "ben_okafor", "chiyo", "dmitri7"] * 5
    profiles = await asyncio.gather(*(portal.profile(person) for person in people))
    assert [profile.username for profile in profiles] == people


async def test_a_code_twice_and_a_wrong_verifier_are_rejected(portal):
    """Discord enforces both; we say no more than that it did."""
    code = await portal.code()
    with pytest.raises(UpstreamRejected):
        await portal.upstream.fetch(code=code, verifier=VERIFIER[::-1])
    fresh = await portal.code()
    await portal.upstream.fetch(code=fresh, verifier=VERIFIER)
    with pytest.raises(UpstreamRejected) as caught:
        await portal.upstream.fetch(code=fresh, verifier=VERIFIER)
    assert fresh not in f"{caught.value}{caught.value.private}"


@pytest.mark.parametrize("code", ["", "x" * 4000, "a\nb", "é", "a\x00"])
async def test_malformed_codes_never_leave_the_house(portal, code):
    """A callback's garbage costs Discord nothing."""
    with pytest.raises(UpstreamRejected):
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert portal.state.calls[TOKEN] == 0


async def test_a_wrong_client_secret_names_the_setting_to_the_operator_alone(portal):
    """The person reads nothing of it, the log does, and neither reads the secret."""
    wrong = Discord(
        DiscordSettings("1", "wrong-secret", REDIRECT, api_url=portal.settings.api_url),
        portal.wire,
        portal.clock,
    )
    with pytest.raises(UpstreamRejected) as caught:
        await wrong.fetch(code=await portal.code(), verifier=VERIFIER)
    assert "BROKER_DISCORD_CLIENT_ID" in caught.value.private
    assert "BROKER" not in caught.value.public
    assert "wrong-secret" not in f"{caught.value}{caught.value.private}"


@pytest.mark.parametrize("route", [TOKEN, ME])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=500),
        Fault("status", status=503),
        Fault("html", status=200),
        Fault("html", status=502),
        Fault("drop"),
        Fault("lost_answer"),
        Fault("truncated"),
        Fault("not_json"),
        Fault("huge", size=4 * 1024 * 1024),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_no_sound_answer_is_unavailable(portal, route, fault):
    """Trouble on Discord's side is told as such, asked once, and ends with it."""
    code = await portal.code()
    portal.state.faults.set(route, fault)
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert portal.state.calls[route] == 1
    portal.state.faults.clear()
    assert (await portal.profile()).username == "ada.lindqvist"


async def test_a_slow_discord_is_unavailable_in_time(portal, transport):
    """The time limit is for both calls together."""
    fast = Portal(portal.state, portal.settings.cdn_url, transport, timeout=0.5)
    code = await portal.code()
    for route in (TOKEN, ME):
        portal.state.faults.set(route, Fault("delay", seconds=0.35))
    async with Spent() as spent:
        with pytest.raises(UpstreamUnavailable):
            await fast.upstream.fetch(code=code, verifier=VERIFIER)
    assert spent.seconds < 1.0


async def test_who_leaves_in_the_middle_holds_nobody_up(portal):
    """Browsers go away while Discord is slow; their connections serve others."""
    narrow = BoundedTransport(connections=1)
    few = Portal(portal.state, portal.origin, narrow)
    portal.state.faults.set(TOKEN, Fault("delay", seconds=1.0))
    leaving = [asyncio.create_task(few.profile()) for _ in range(3)]
    await asyncio.sleep(0.3)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    portal.state.faults.clear()
    assert (await few.profile()).username == "ada.lindqvist"
    assert not narrow.slots.locked()
    await narrow.shut()


async def test_nobody_there_is_unavailable(portal, transport):
    """A refused connection is trouble on Discord's side too."""
    away = Portal(portal.state, "http://127.0.0.1:9", transport)
    with pytest.raises(UpstreamUnavailable):
        await away.upstream.fetch(code="abc", verifier=VERIFIER)


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        (ME, Fault("status", status=401)),
        (ME, Fault("status", status=403)),
        (ME, Fault("bot")),
        (ME, Fault("missing", fields=("id",))),
        (ME, Fault("missing", fields=("username",))),
        (ME, Fault("replaced", fields=("id",))),
        (TOKEN, Fault("missing", fields=("access_token",))),
        (TOKEN, Fault("replaced", fields=("access_token",))),
        (TOKEN, Fault("missing", fields=("token_type",))),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else f"{value.kind}{value.status}{value.fields}"
    ),
)
async def test_refusals_and_nonsense_are_rejected(portal, route, fault):
    """Half an answer makes no account."""
    code = await portal.code()
    portal.state.faults.set(route, fault)
    with pytest.raises(UpstreamRejected):
        await portal.upstream.fetch(code=code, verifier=VERIFIER)


@pytest.mark.parametrize("fields", [("expires_in",), ("refresh_token", "scope")])
async def test_what_is_not_needed_may_be_missing(portal, fields):
    """Only the access token is used."""
    code = await portal.code()
    portal.state.faults.set(TOKEN, Fault("missing", fields=fields))
    await portal.upstream.fetch(code=code, verifier=VERIFIER)


async def test_told_to_wait_means_silence(portal):
    """After a 429 nothing is sent until the time is over; the person is told how long."""
    code = await portal.code()
    portal.ticking.stop()
    portal.state.faults.set(TOKEN, Fault("rate_limited", times=1, seconds=6.5, scope="global"))
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert caught.value.retry_after == 7
    portal.clock.at += 5
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert caught.value.retry_after == 2
    assert portal.state.calls[TOKEN] == 1
    portal.clock.at += 3
    await portal.upstream.fetch(code=code, verifier=VERIFIER)


async def test_cloudflares_page_means_silence_too(portal):
    """HTML with 429 has no word on how long: five seconds."""
    code = await portal.code()
    portal.ticking.stop()
    portal.state.faults.set(TOKEN, Fault("html", status=429, times=1))
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert caught.value.retry_after == 5
    asked = portal.state.calls.copy()
    with pytest.raises(UpstreamUnavailable):
        await portal.upstream.owner("whoever")
    assert portal.state.calls == asked


async def test_one_persons_limit_does_not_silence_the_others(portal):
    """Scope ``user`` is about one token."""
    code = await portal.code()
    portal.ticking.stop()
    portal.state.faults.set(ME, Fault("rate_limited", times=1, seconds=60, scope="user"))
    with pytest.raises(UpstreamUnavailable) as caught:
        await portal.upstream.fetch(code=code, verifier=VERIFIER)
    assert caught.value.retry_after == 60
    await portal.profile("ben_okafor")


async def test_the_simulators_own_limits_are_understood(transport):
    """Not only injected faults: real counters answer 429 as well."""
    state = SimulatedDiscord(everything=Limit(0, 30.0))
    state.add_application(Application("1", SECRET, (REDIRECT,)))
    async with serve(state) as origin:
        portal = Portal(state, origin, transport)
        with pytest.raises(UpstreamUnavailable) as caught:
            await portal.profile("ben_okafor")
    assert 1 <= caught.value.retry_after <= 31
