"""Upstream tokens that have run out: renewed once, kept before they are used, never lost twice."""

import asyncio

import pytest

from broker.core import renewal
from broker.core.errors import AuthorizationLost, StoreUnavailable, UpstreamUnavailable
from broker.core.federation import KeptAuthorization
from broker.core.renewal import Renewal
from tests.core.communities import ACCOUNT, LOST, NEEDS, WEEK, Place, authorization
from tests.pace import until


@pytest.fixture
def place() -> Place:
    return Place()


def renewing(place: Place) -> Renewal:
    return Renewal(place.safe, place.clock)


async def test_a_good_one_is_used_as_it_is(place: Place) -> None:
    """Up to a moment before its end."""
    place.later(WEEK - 31)
    assert (await renewing(place).current(place.far, ACCOUNT)).version == 1
    place.later(1)
    assert (await renewing(place).current(place.far, ACCOUNT)).version == 2
    assert place.far.renewed == ["refresh-1"]


async def test_one_that_never_runs_out(place: Place) -> None:
    """An upstream that does not say when."""
    place.safe.kept = KeptAuthorization(authorization(expires_at=None), 1)
    place.later(10 * WEEK)
    assert (await renewing(place).current(place.far, ACCOUNT)).version == 1


async def test_the_new_one_is_kept_before_it_is_used(place: Place) -> None:
    """A crash in between costs nothing but a sign-in: the old one is never spent twice."""
    place.later(WEEK)

    def crash() -> None:
        assert place.far.renewed == ["refresh-1"]
        raise StoreUnavailable

    place.safe.before_keep = crash
    with pytest.raises(StoreUnavailable):
        await renewing(place).current(place.far, ACCOUNT)
    assert place.far.asked == []
    place.safe.before_keep = lambda: None
    place.safe.leased = None
    place.far.fails["refresh-1"] = LOST
    with pytest.raises(AuthorizationLost):
        await renewing(place).current(place.far, ACCOUNT)
    await place.safe.keep("", "", authorization(9), now=place.clock.now())


async def test_many_at_once_renew_once(place: Place) -> None:
    """In one process and in several: the others wait for the new one."""
    place.later(WEEK)
    place.far.pause = 0.05
    processes = [renewing(place) for _ in range(3)]
    found = await asyncio.gather(*(processes[n % 3].current(place.far, ACCOUNT) for n in range(9)))
    assert place.far.renewed == ["refresh-1"]
    assert {kept.authorization.access_token for kept in found} == {"access-2"}


async def test_another_process_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease is respected; whoever waits is told that it cannot be had now."""
    monkeypatch.setattr(renewal, "PAUSE", 0.001)
    place.later(WEEK)
    place.safe.leased = 1
    with pytest.raises(UpstreamUnavailable):
        await renewing(place).current(place.far, ACCOUNT)
    assert place.far.renewed == []


async def test_another_process_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for it learns that the person has to sign in again."""
    monkeypatch.setattr(renewal, "PAUSE", 0.01)
    place.later(WEEK)
    place.safe.leased = 1
    waiting = asyncio.create_task(renewing(place).current(place.far, ACCOUNT))
    await asyncio.sleep(0.02)
    await place.safe.lose("", "", version=1, now=place.clock.now())
    with pytest.raises(AuthorizationLost):
        await waiting


async def test_refused(place: Place) -> None:
    """It is marked, so that nobody tries it again; so is one that cannot be renewed at all."""
    place.later(WEEK)
    place.far.fails["refresh-1"] = LOST
    for _ in range(2):
        with pytest.raises(AuthorizationLost):
            await renewing(place).current(place.far, ACCOUNT)
    assert place.far.renewed == ["refresh-1"]
    place.safe.kept = KeptAuthorization(authorization(2, refresh_token=None), 5)
    with pytest.raises(AuthorizationLost):
        await renewing(place).current(place.far, ACCOUNT)
    assert place.safe.kept.lost


async def test_no_answer(place: Place) -> None:
    """It may be spent, or not: nothing is marked, and the lease keeps others from trying now."""
    place.later(WEEK)
    place.far.fails["refresh-1"] = UpstreamUnavailable()
    with pytest.raises(UpstreamUnavailable):
        await renewing(place).current(place.far, ACCOUNT)
    assert place.safe.kept is not None
    assert not place.safe.kept.lost
    assert place.safe.leased == 1


async def test_who_goes_away_does_not_lose_it(place: Place) -> None:
    """A client that hangs up while its person's tokens are renewed: the new ones are kept."""
    place.later(WEEK)
    place.far.pause = 0.05
    task = asyncio.create_task(place.know(needs=NEEDS))
    await until(lambda: place.far.renewed)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = place.safe
    await until(lambda: kept.kept and kept.kept.authorization.access_token == "access-2")


async def test_a_sign_in_meanwhile(place: Place) -> None:
    """What the person has just granted stays, and is what is used."""
    place.later(WEEK)
    fresh = authorization(50, expires_at=place.clock.now() + WEEK)
    place.far.pause = 0.02
    task = asyncio.create_task(renewing(place).current(place.far, ACCOUNT))
    await asyncio.sleep(0.01)
    await place.safe.keep("", "", fresh, now=place.clock.now())
    assert (await task).authorization == fresh
