"""What every upstream promises, whatever it speaks: over real HTTP, on good days and bad ones."""

import asyncio
import base64
import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.core.community.needs import Needs
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.upstream.gates import PROBES
from tests.pace import Spent, stood, until
from tests.upstream.far import FARS, STATE, VERIFIER, callback
from tests.upstream.strange import TROUBLE

BOTH = pytest.mark.parametrize("place", ["token", "profile"])


@pytest.fixture(params=FARS)
def kind(request):
    return request.param


@pytest.fixture
async def far(kind, transport):
    async with FARS[kind](transport) as found:
        yield found


async def test_the_way_there(far):
    """Our client, our callback, the state, and a PKCE challenge of the S256 kind, always."""
    asked = parse_qs(urlsplit(await far.url()).query)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    assert asked["response_type"] == ["code"]
    assert asked["state"] == [STATE]
    assert asked["redirect_uri"] == [callback(far.upstream.name)]
    assert asked["code_challenge"] == [challenge.rstrip(b"=").decode()]
    assert asked["code_challenge_method"] == ["S256"]
    assert VERIFIER not in await far.url()


async def test_no_more_is_asked_for_than_is_needed(far):
    """The e-mail address is a scope of its own, and what lacks it is told."""
    least = parse_qs(urlsplit(await far.url(needs=Needs())).query).get("scope", [""])[0].split()
    more = parse_qs(urlsplit(await far.url()).query)["scope"][0].split()
    assert len(more) == len(least) + 1
    assert set(least) < set(more)
    assert far.upstream.lacks(least, Needs(email=True))
    assert not far.upstream.lacks(least, Needs())
    assert not far.upstream.lacks(more, Needs(email=True))


async def test_a_person_signs_in(far):
    """Code and verifier become a profile under the upstream's name, address and all."""
    profile = (await far.fetch()).profile
    assert profile.upstream == far.upstream.name
    assert profile.subject.isascii()
    assert profile.display_name == "Ada Lindqvist"
    assert (profile.email, profile.email_verified) == ("ada@example.com", True)
    assert profile.email_read
    again = (await far.fetch()).profile
    assert again.subject == profile.subject


async def test_without_the_need_there_is_no_address(far):
    """What was not asked for is not taken, even where it would be told."""
    profile = (await far.fetch(Needs())).profile
    assert (profile.email, profile.email_verified) == (None, False)


async def test_a_code_twice_and_a_wrong_verifier_are_rejected(far):
    """And nothing of the code shows."""
    with pytest.raises(UpstreamRejected):
        await far.upstream.fetch(code=await far.code(), verifier=VERIFIER[::-1])
    code = await far.code()
    await far.upstream.fetch(code=code, verifier=VERIFIER)
    with pytest.raises(UpstreamRejected) as caught:
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    assert code not in f"{caught.value}{caught.value.private}"


@pytest.mark.parametrize("code", ["", "x" * 5000, "a\nb", "é", "a\x00"])
async def test_malformed_codes_never_leave_the_house(far, code):
    """A callback's garbage costs the upstream nothing."""
    with pytest.raises(UpstreamRejected):
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    assert far.calls("token") == 0


@BOTH
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_no_sound_answer_is_unavailable(far, place, trouble):
    """Trouble on its side is told as such, asked once, and ends with it; we are led nowhere."""
    code = await far.code()
    far.fault(place, trouble)
    with pytest.raises(UpstreamUnavailable) as caught:
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    assert far.calls(place) == 1
    assert far.secret not in f"{caught.value}{caught.value.private}"
    far.fault(place, None)
    assert (await far.fetch()).profile.display_name == "Ada Lindqvist"


@BOTH
async def test_a_refusal_is_a_refusal(far, place):
    """403 is no trouble that passes."""
    code = await far.code()
    far.fault(place, "status 403")
    with pytest.raises(UpstreamRejected):
        await far.upstream.fetch(code=code, verifier=VERIFIER)


@BOTH
async def test_told_to_wait_means_silence(far, place):
    """The person is told how long; nothing more is sent until then."""
    code = await far.code()
    far.ticking.stop()
    far.fault(place, "limit 30")
    with pytest.raises(UpstreamUnavailable) as caught:
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    assert caught.value.retry_after == 30


async def test_the_silence_is_kept(far):
    """A limit of the token endpoint silences everybody until it is over."""
    code = await far.code()
    far.ticking.stop()
    far.fault("token", "limit 30")
    with pytest.raises(UpstreamUnavailable):
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    asked = far.calls("token")
    far.clock.at += 10
    with pytest.raises(UpstreamUnavailable) as caught:
        await far.upstream.fetch(code=code, verifier=VERIFIER)
    assert (caught.value.retry_after, far.calls("token")) == (20, asked)
    far.fault("token", None)
    far.clock.at += 21
    far.ticking.go_on()
    await far.fetch()


async def test_a_slow_one_is_unavailable_in_time(kind, transport):
    """The time limit is for all calls of a sign-in together."""
    async with FARS[kind](transport, timeout=0.5) as far:
        code = await far.code()
        far.fault("token", "slow 6")
        began = time.monotonic()
        with pytest.raises(UpstreamUnavailable):
            await far.upstream.fetch(code=code, verifier=VERIFIER)
        assert time.monotonic() - began < 3


async def test_what_arrived_while_the_process_stood_still_is_taken(far):
    """Its time was over long ago; no call is said to be unanswered, nor the person sent away."""
    for place in ("token", "profile"):
        code, before = await far.code(), far.calls(place)
        far.fault(place, "slow 0.2")
        task = asyncio.create_task(far.upstream.fetch(code=code, verifier=VERIFIER))
        while far.calls(place) == before:
            await asyncio.sleep(0.005)
        stood(60.0)
        assert (await task).profile.display_name == "Ada Lindqvist"
        far.fault(place, None)


async def test_calls_that_nobody_waits_for_any_more_hold_nobody_back(kind, transport):
    """More of them than are let through until one is answered; the upstream is well again."""
    async with FARS[kind](transport) as far:
        codes = [await far.code() for _ in range(PROBES + 1)]
        far.fault("token", "slow 1")
        tasks = [
            asyncio.create_task(far.upstream.fetch(code=code, verifier=VERIFIER))
            for code in codes[:PROBES]
        ]
        await until(lambda: far.calls("token") == PROBES)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        far.fault("token", None)
        async with Spent() as spent:
            await far.upstream.fetch(code=codes[-1], verifier=VERIFIER)
        assert spent.seconds < 2


async def test_many_at_once_do_not_mix(far):
    """The shared pool holds nobody's token."""
    found = await asyncio.gather(*(far.fetch() for _ in range(20)))
    assert len({one.profile.subject for one in found}) == 1
