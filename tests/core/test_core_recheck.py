"""What is known of communities is read again when it is too old: once, calmly, never lost."""

import asyncio

import pytest

from broker.core.community import recheck
from broker.core.community.needs import Needs
from broker.core.community.recheck import Outcome
from broker.core.errors import AuthorizationLost, StoreUnavailable, UpstreamUnavailable
from tests.core.communities import ACCOUNT, HALL, LOST, NEEDS, YARD, Place, authorization
from tests.pace import stood, until

DOWN = UpstreamUnavailable(retry_after=20)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_fresh_facts_are_not_read_again(place: Place) -> None:
    """Upstream is asked once, then not before what it said is too old."""
    await place.know()
    place.later(599)
    await place.know()
    assert len(place.far.asked) == 1
    place.later(2)
    await place.know()
    assert len(place.far.asked) == 2
    assert place.outcomes == [Outcome.READ, Outcome.READ]
    assert len(place.memory.kept) == 2
    assert place.memory.kept[-1] == place.memory.facts_now.community


async def test_only_what_is_too_old_is_read(place: Place) -> None:
    """Another client's needs overlap: what is fresh for the one is fresh for the other."""
    await place.know()
    place.later(300)
    both = Needs(standings=(HALL, YARD))
    await place.know(needs=both)
    assert place.far.asked[-1] == ("access-1", Needs(standings=(YARD,)))


async def test_a_step_that_knows_nothing_of_what_was_read(place: Place) -> None:
    """A store that loses what it is given lets nobody in, and has upstream asked no further."""

    async def take(_: float) -> None:
        return None

    with pytest.raises(UpstreamUnavailable):
        await place.recheck.fresh(ACCOUNT, NEEDS, take)
    assert place.outcomes == [Outcome.UNAVAILABLE]
    assert len(place.far.asked) == 1


async def test_many_at_once_in_several_processes(place: Place) -> None:
    """One call upstream; all go on with what it said."""
    place.far.pause = 0.1
    processes = [place.recheck, place.process(), place.process()]
    found = await asyncio.gather(*(place.know(processes[n % 3]) for n in range(12)))
    assert len(place.far.asked) == 1
    assert all(HALL in community.standings for community in found)


async def test_who_goes_away_does_not_take_the_answer_along(place: Place) -> None:
    """A client that hangs up while it is read: it is read all the same, for whoever comes next."""
    place.far.pause = 0.1
    task = asyncio.create_task(place.know())
    await until(lambda: place.far.asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await place.know()
    assert len(place.far.asked) == 1


async def test_upstream_does_not_answer(place: Place) -> None:
    """What was last known counts for a day; upstream is not asked again before it may be."""
    await place.know()
    place.far.fails["access-1"] = DOWN
    place.later(601)
    for _ in range(3):
        assert HALL in (await place.know()).standings
    assert len(place.far.asked) == 2
    place.later(21)
    await place.know()
    assert len(place.far.asked) == 3
    assert place.outcomes == [Outcome.READ] + [Outcome.LAST_KNOWN] * 4
    place.later(86400)
    with pytest.raises(UpstreamUnavailable):
        await place.know()
    assert place.outcomes[-1] is Outcome.UNAVAILABLE
    del place.far.fails["access-1"]
    place.later(61)
    await place.know()
    assert place.outcomes[-1] is Outcome.READ


async def test_upstream_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request waits for a moment only; what arrives later is there for the next."""
    await place.know()
    monkeypatch.setattr(recheck, "PATIENCE", 0.05)
    monkeypatch.setattr(recheck, "ENDING", 0.0)
    place.far.pause = 0.15
    place.later(601)
    before = place.clock.now() - 601
    assert (await place.know()).standings[HALL].read_at == before
    assert place.outcomes[-1] is Outcome.LAST_KNOWN
    async with asyncio.timeout(10):
        while (await place.know()).standings[HALL].read_at != place.clock.now():
            await asyncio.sleep(0.01)
    assert len(place.far.asked) == 2


async def test_who_waited_while_the_process_stood_still_has_what_was_read(place: Place) -> None:
    """Their patience was over before the process went on; the reading was not given up either."""
    await place.know()
    place.later(601)
    place.far.pause = 0.1
    task = asyncio.create_task(place.know())
    await until(lambda: len(place.far.asked) == 2)
    stood(60.0)
    place.far.pause = 0.0
    assert (await task).standings[HALL].read_at == place.clock.now()
    assert place.outcomes == [Outcome.READ] * 2


async def test_who_reads_as_long_as_it_is_waited_for_hears_why_it_was_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading knows when upstream may be asked again; whoever comes next hears the same."""
    monkeypatch.setattr(recheck, "PATIENCE", 0.1)
    place.far.pause = 0.1
    place.far.fails["access-1"] = UpstreamUnavailable()
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable) as caught:
            await place.know()
        assert caught.value.retry_after == recheck.LEAST_REST
    assert len(place.far.asked) == 1


async def test_the_authorization_is_lost(place: Place) -> None:
    """The person has to sign in again; until then upstream is not asked, afterwards all is well."""
    await place.know()
    place.far.fails["access-1"] = LOST
    place.later(601)
    for _ in range(3):
        with pytest.raises(AuthorizationLost):
            await place.know()
    assert len(place.far.asked) == 2
    assert place.outcomes[1:] == [Outcome.LOST] * 3
    await place.safe.keep("", "", authorization(7), now=place.clock.now())
    await place.know()
    assert place.far.asked[-1] == ("access-7", NEEDS)


async def test_renewed_by_another_meanwhile(place: Place) -> None:
    """An access token that another process has replaced is no reason to lose the person's."""
    place.far.fails["access-1"] = LOST
    first = await place.safe.get("", "")
    assert first is not None

    async def outdated(*_: str) -> object:
        await place.safe.keep("", "", authorization(2), now=place.clock.now())
        place.safe.get = type(place.safe).get.__get__(place.safe)  # type: ignore[method-assign]
        return first

    place.safe.get = outdated  # type: ignore[method-assign, assignment]
    await place.know()
    assert [token for token, _ in place.far.asked] == ["access-1", "access-2"]
    assert place.safe.kept is not None
    assert not place.safe.kept.lost


async def test_too_few_scopes(place: Place) -> None:
    """What was granted for other needs does not reach: the person is asked, upstream is not."""
    with pytest.raises(AuthorizationLost):
        await place.know(needs=Needs(listing=True))
    assert place.far.asked == []
    assert place.safe.kept is not None
    assert not place.safe.kept.lost


async def test_somebody_without_an_identity_there(place: Place) -> None:
    """Nobody's member of anything, without a call; and so it is where there is no upstream."""
    place.memory.facts_now = type(place.memory.facts_now)(1, "sub", identities={"github": "1"})
    community = await place.know(needs=Needs((HALL,), listing=True))
    assert not community.standings[HALL].member
    assert community.listed is not None
    assert place.far.asked == []
    other = Place()
    community = await other.know(other.process(upstream=False))
    assert not community.standings[HALL].member


async def test_sql_does_not_take_it(place: Place) -> None:
    """It is in Redis, where steps look; nobody waits for SQL."""
    place.memory.fails = StoreUnavailable()
    await place.know()
    assert place.outcomes == [Outcome.READ]


async def test_sql_is_away(place: Place) -> None:
    """Then nobody can be asked about, and what was last known counts."""
    await place.know()
    place.later(601)

    async def away(*_: str) -> None:
        raise StoreUnavailable(private="SQL")

    place.safe.get = away  # type: ignore[method-assign, assignment]
    await place.know()
    assert place.outcomes[-1] is Outcome.LAST_KNOWN
