"""Keys that come and go while somebody looks on."""

from dataclasses import dataclass, field

from broker.doctor import watching as looking_on
from broker.doctor.model import Silence, Trouble
from tests.core.helpers import Hands
from tests.doctor.recorded import JWKS, NOW, answer, body, kid


def watching(*numbers):
    return looking_on.Watch(frozenset(kid(one) for one in numbers), 600, NOW)


def see(seen, *numbers, after=0.0):
    return seen.see(answer(body(*numbers)), NOW + after)


def test_nothing_changed():
    """Nothing is told."""
    assert see(watching(1, 2), 2, 1) == ()


def test_a_key_that_appears_tells_by_when_it_is_known():
    """A verifier that cached the moment before waits one max-age."""
    (found,) = see(watching(1, 2), 1, 2, 3, after=10)
    assert found.verdict == "pass"
    assert kid(3)[:12] in found.seen
    assert "08:10:10Z" in found.seen


def test_the_longest_lifetime_seen_counts():
    """A copy that was made while it was longer lives as long."""
    seen = watching(1)
    longer = answer(body(1), headers={"cache-control": "public, max-age=900"})
    assert seen.see(longer, NOW) == ()
    assert see(seen, 1, after=5) == ()
    assert "08:15:10Z" in see(seen, 1, 2, after=10)[0].seen


def test_a_key_that_leaves_tells_how_long_it_is_trusted():
    """As long as a copy of it may live."""
    (found,) = see(watching(1, 2), 2, after=10)
    assert found.verdict == "pass"
    assert "08:10:10Z" in found.seen


def test_a_key_that_was_there_too_shortly():
    """No cache could count on it."""
    seen = watching(1, 2)
    see(seen, 1, 2, 3, after=10)
    (found,) = see(seen, 1, 2, after=60)
    assert found.verdict == "warn"
    assert "50 s only" in found.seen
    other = watching(1, 2)
    see(other, 1, 2, 3, after=10)
    assert see(other, 1, 2, after=700)[0].verdict == "pass"


def test_a_key_that_comes_back():
    """Processes differ."""
    seen = watching(1, 2)
    see(seen, 1, after=10)
    (found,) = see(seen, 1, 2, after=20)
    assert found.verdict == "warn"
    assert "back after 10 s" in found.seen


def test_every_key_replaced_at_once_is_wrong():
    """Whoever cached knows none of them."""
    found = see(watching(1, 2), 3, 4, after=10)
    assert [one.verdict for one in found].count("fail") == 1


def test_silence_is_told_once():
    """Until it answers again."""
    seen = watching(1)
    away = Silence(JWKS, Trouble.REFUSED, "connection refused")
    assert [[one.verdict for one in seen.see(away, NOW)] for _ in range(3)] == [["warn"], [], []]
    assert see(seen, 1) == ()
    assert len(seen.see(answer(status=503), NOW)) == 1


@dataclass
class Script:
    """A fetcher that answers by the hour of its clock."""

    clock: Hands
    asked: list[float] = field(default_factory=list)

    async def ask(self, url):
        assert url == JWKS
        self.asked.append(self.clock.at - NOW)
        return answer(body(1, 2) if self.clock.at < NOW + 25 else body(1, 2, 3))


async def test_the_watch_ends_in_time_and_reports_at_once():
    """Each look at most ten seconds after the one before."""
    clock = Hands(NOW)
    script, told = Script(clock), []

    async def sleep(seconds):
        clock.at += seconds

    found = await looking_on.watch(answer(), script, clock, 45, told.append, sleep=sleep)
    assert script.asked == [10, 20, 30, 40, 45]
    assert list(found) == told
    assert "1 change of the keys" in found[-1].seen
    assert "5 looks in 45 s" in found[-1].seen
    assert found[-1].verdict == "pass"
