"""The judge: it clears every history of a sound broker, and finds each breach that is planted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.history import History, Outcome, Record, What
from tests.soak.judge import LINGER, SLACK, judge

GRACE, BOUND = 10.0, 2.0
LINE, KID = "ada", "key-1"
QUICK = settings(max_examples=40, deadline=None)


@dataclass
class Sound:
    """A broker that keeps its word, and its one client, who presents the newest token."""

    now: float = 1000.0
    current: int = 1
    newest: int = 1
    spent: dict[int, float] = field(default_factory=dict)
    dead: bool = False
    records: list[Record] = field(default_factory=list)

    def say(self, what: What, outcome: Outcome, **more: Any) -> None:
        """Something was done; it took a while."""
        record = Record(what, outcome, self.now, self.now + 0.1, LINE, kid=KID, **more)
        self.records.append(record)
        self.now += 0.11

    def refresh(self, presented: int, *, arrives: bool = True, answered: bool = True) -> None:
        """Present a generation."""
        outcome, got = Outcome.UNKNOWN, None
        if arrives:
            outcome = self._step(presented)
        if not arrives or not answered:
            outcome = Outcome.UNKNOWN
        if outcome is Outcome.OK:
            got = self.newest = self.current
        self.say(What.REFRESH, outcome, given=presented, got=got)

    def _step(self, presented: int) -> Outcome:
        late = self.now - self.spent.get(presented, self.now) > GRACE
        if self.dead or (presented < self.current and late):
            self.dead = True
            return Outcome.REFUSED
        if presented == self.current:
            self.spent[presented] = self.now
            self.current += 1
        return Outcome.OK


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("refresh", "lost", "unheard", "replay", "revoke", "revoke unheard")),
        st.floats(0, 15),
    ),
    max_size=20,
)


def sound(steps: list[tuple[str, float]]) -> Sound:
    """What a client of a sound broker saw."""
    broker = Sound()
    broker.say(What.BORN, Outcome.OK, got=1)
    for step, pause in steps:
        broker.now += pause
        if step.startswith("revoke"):
            broker.say(What.REVOKE, Outcome.OK if step == "revoke" else Outcome.UNKNOWN)
            broker.dead |= step == "revoke"
        elif step == "replay":
            broker.refresh(max(1, broker.newest - 2))
        else:
            broker.refresh(broker.newest, arrives=step != "lost", answered=step == "refresh")
    return broker


def history(records: list[Record]) -> History:
    return History(GRACE, BOUND, list(records))


def unnoticed(began: float, ended: float) -> Record:
    return Record(What.UNNOTICED, Outcome.OK, began, ended, said="a reload")


@QUICK
@given(STEPS)
def test_a_sound_broker_is_cleared(steps: list[tuple[str, float]]) -> None:
    """Lost answers, thieves and revocations at any moment: no breach, and nothing lost."""
    verdict = judge(history(sound(steps).records))
    assert (verdict.breaches, verdict.lost) == ([], [])


def _again(broker: Sound) -> list[Record]:
    """A spent token works after the grace time."""
    broker.now += GRACE + 2 * SLACK
    broker.say(What.REFRESH, Outcome.OK, given=1, got=broker.current + 1)
    return broker.records


def _forgotten(broker: Sound) -> list[Record]:
    """The newest token is refused, and nobody ended it."""
    broker.say(What.REFRESH, Outcome.REFUSED, given=broker.newest)
    return broker.records


def _after_revocation(broker: Sound) -> list[Record]:
    """A grant refreshes after a 200 of /revoke."""
    broker.say(What.REVOKE, Outcome.OK)
    broker.refresh(broker.newest)
    return broker.records


def _after_sign_out(broker: Sound) -> list[Record]:
    """An access token works at userinfo after a sign-out everywhere."""
    broker.say(What.SIGN_OUT, Outcome.OK)
    broker.say(What.USERINFO, Outcome.OK)
    return broker.records


def _risen(broker: Sound) -> list[Record]:
    """What was refused works again."""
    broker.now += GRACE + 2 * SLACK
    broker.say(What.REFRESH, Outcome.REFUSED, given=1)
    broker.refresh(broker.newest)
    return broker.records


def _backwards(broker: Sound) -> list[Record]:
    """The answer is no newer than what was presented."""
    broker.say(What.REFRESH, Outcome.OK, given=broker.newest, got=broker.newest)
    return broker.records


def _unknown_kid(broker: Sound) -> list[Record]:
    """A verifier meets a key it cannot know."""
    broker.say(What.VERIFY, Outcome.REFUSED)
    return broker.records


def test_a_key_that_was_revoked_may_be_unknown() -> None:
    """One process lists it no more, and another has signed with it within the bound."""
    broker = Sound()
    broker.say(What.KEY_REVOKED, Outcome.OK)
    broker.say(What.VERIFY, Outcome.REFUSED)
    assert judge(history(broker.records)).breaches == []


def _revoked_key(broker: Sound) -> list[Record]:
    """A revoked key signs after its bound."""
    broker.say(What.KEY_REVOKED, Outcome.OK)
    broker.now += BOUND + 2 * SLACK
    broker.refresh(broker.newest)
    return [
        replace(one, line="" if one.what is What.KEY_REVOKED else LINE) for one in broker.records
    ]


def _wrong(broker: Sound) -> list[Record]:
    """An error that no client may get."""
    broker.say(What.REFRESH, Outcome.WRONG, given=broker.newest)
    return broker.records


def _adopted(broker: Sound) -> list[Record]:
    """Redis had lost a write, and nothing had failed over."""
    broker.say(What.ADOPTED, Outcome.OK, given=broker.newest)
    return broker.records


def _unanswered(broker: Sound) -> list[Record]:
    """A request is cut while there was only a reload."""
    began = broker.now
    broker.refresh(broker.newest, answered=False)
    return [*broker.records, unnoticed(began, broker.now)]


def _unmended(broker: Sound) -> list[Record]:
    """A worker that was killed has no successor."""
    return [*broker.records, Record(What.MENDED, Outcome.WRONG, broker.now, broker.now + 30)]


PLANTED = (
    _again, _forgotten, _after_revocation, _after_sign_out, _risen, _backwards, _unknown_kid,
    _revoked_key, _wrong, _adopted, _unanswered, _unmended,
)  # fmt: skip
SERVED = st.lists(
    st.tuples(st.sampled_from(("refresh", "lost")), st.floats(0, 15)), min_size=1, max_size=12
)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_what_is_planted_is_found(plant: Callable[[Sound], list[Record]]) -> None:
    """Each breach of an invariant is found, whatever went before it."""

    @QUICK
    @given(SERVED)
    def found(steps: list[tuple[str, float]]) -> None:
        broker = sound([*steps, ("refresh", LINGER), ("refresh", 0.2)])
        assert judge(history(plant(broker))).breaches

    found()


@pytest.mark.parametrize("what", [What.BORN, What.REFRESH, What.USERINFO, What.REVOKE, What.JWKS])
def test_a_reload_answers_whatever_is_asked(what: What) -> None:
    """No kind of request may go without an answer meanwhile."""
    cut = Record(what, Outcome.UNKNOWN, 1001.0, 1002.0)
    assert judge(history([unnoticed(1000.0, 1003.0), cut])).breaches


@pytest.mark.parametrize(("began", "ended"), [(1001.5, 1003.0), (1000.0, 1001.5)])
def test_what_a_reload_is_not_blamed_for(began: float, ended: float) -> None:
    """What something else may have cut: a request that was begun before, or went on after it."""
    broker = sound([])
    broker.records.append(Record(What.REFRESH, Outcome.UNKNOWN, 1001.0, 1002.0, LINE, given=1))
    assert judge(history([*broker.records, unnoticed(began, ended)])).breaches == []


@pytest.mark.parametrize("plant", [_again, _adopted], ids=["again", "adopted"])
def test_what_a_fail_over_lost_is_accounted_for(plant: Callable[[Sound], list[Record]]) -> None:
    """A lost write is put down to the fail-over it fell into, and to no other."""
    records = plant(sound([("refresh", 1.0), ("refresh", 1.0)]))
    written = max(one.ended for one in records[:-1])
    over = Record(What.FAIL_OVER, Outcome.OK, records[1].began, written + 1)
    verdict = judge(history([*records, over]))
    assert (len(verdict.lost), verdict.breaches) == (1, [])
    after = replace(over, began=written + 0.2, ended=written + 5)
    assert judge(history([*records, after])).breaches
    before = replace(over, began=900.0, ended=901.0)
    assert judge(history([*records, before])).breaches


def test_a_fail_over_excuses_no_ending() -> None:
    """What was acknowledged as ended had reached a replica: a fail-over is no excuse."""
    records = _after_revocation(sound([("refresh", 1.0)]))
    over = Record(What.FAIL_OVER, Outcome.OK, 900.0, records[-1].ended + 1)
    assert judge(history([*records, over])).breaches


def test_a_grant_that_a_fail_over_lost_is_accounted_for() -> None:
    """A grant made in the moment of a fail-over may be gone; one made long before may not."""
    records = _forgotten(sound([]))
    over = Record(What.FAIL_OVER, Outcome.OK, records[0].began, records[-1].ended)
    verdict = judge(history([*records, over]))
    assert (len(verdict.lost), verdict.breaches) == (1, [])
    assert judge(history([*records, replace(over, began=records[1].began)])).breaches


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Nothing is lost on the way through the file."""
    kept = history(sound([("refresh", 1.0), ("revoke", 2.0), ("replay", 3.0)]).records)
    kept.write(tmp_path / "history")
    assert History.read(tmp_path / "history") == kept
