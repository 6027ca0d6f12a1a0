"""Judges a history against the invariants. It knows nothing of the broker but their words.

A rule speaks only where the clients' own clocks prove its breach: a request that began after the
answer to another had come was served after it. Where an answer was lost, either may be true.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.soak.history import History, Outcome, Record, What

SLACK = 0.5  # seconds: rounding, and clocks of one machine read at two places
LINGER = 5.0  # seconds for which a request that was given up may still be under way
REQUESTS = {What.BORN, What.REFRESH, What.USERINFO, What.REVOKE, What.JWKS}


@dataclass(slots=True)
class Verdict:
    """What the judge found.

    Attributes:
        breaches: of the invariants, in words that name the grant.
        lost: acknowledged writes that a fail-over lost, each of them accounted for by one.
        late: honest clients whose answer was lost, and who came again after the grace time.
    """

    breaches: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


def judge(history: History) -> Verdict:
    """Judge a history."""
    verdict = Verdict()
    lines = defaultdict(list)
    for record in history.records:
        lines[record.line].append(record)
        if record.outcome is Outcome.WRONG:
            verdict.breaches.append(f"{record.what}, wrong: {record.said}")
    fail_overs = [one for one in lines.pop("", []) if one.what is What.FAIL_OVER]
    verdict.breaches += [*_unknown_keys(history), *_revoked_keys(history), *_noticed(history)]
    for name, records in lines.items():
        line = _Line(name, records, history.grace, fail_overs)
        for rule in (line.twice, line.backwards, line.after_its_end, line.signed_out, line.adopted):
            rule(verdict)
    return verdict


def _unknown_keys(history: History) -> Iterator[str]:
    """A key is unknown to no verifier, but for one whose revocation has begun.

    A process may still sign with that for a moment, when the JWKS that another serves has lost it.
    """
    revoked = {one.kid: one.began for one in history.records if one.what is What.KEY_REVOKED}
    for one in history.records:
        refused = one.what is What.VERIFY and one.outcome is Outcome.REFUSED
        if refused and one.ended < revoked.get(one.kid, float("inf")):
            yield f"unknown kid {one.kid} at a verifier"


def _revoked_keys(history: History) -> Iterator[str]:
    revoked = {
        one.kid: one.ended
        for one in history.records
        if one.what is What.KEY_REVOKED and one.outcome is Outcome.OK
    }
    for one in history.records:
        if one.what not in {What.BORN, What.REFRESH} or one.kid not in revoked:
            continue
        if one.began > revoked[one.kid] + history.bound + SLACK:
            yield f"{one.line}: revoked key {one.kid} signed after its bound"


def _noticed(history: History) -> Iterator[str]:
    """Every request is answered that begins and ends while nothing was done but what none notices.

    An answer that asks to come again (503) is none here.
    """
    for span in history.records:
        if span.what is not What.UNNOTICED:
            continue
        for one in history.records:
            within = span.began <= one.began and one.ended <= span.ended
            if within and one.what in REQUESTS and one.outcome is Outcome.UNKNOWN:
                yield f"{one.what} was not answered, there was only {span.said}: {one.said}"


class _Line:
    """One grant's records."""

    def __init__(
        self, name: str, records: list[Record], grace: float, fail_overs: list[Record]
    ) -> None:
        self.name = name
        self.grace = grace
        self.fail_overs = fail_overs
        self.records = sorted(records, key=lambda one: one.began)
        self.refreshes = [one for one in self.records if one.what is What.REFRESH]
        self.good = [one for one in self.refreshes if one.outcome is Outcome.OK]
        self.refused = [one for one in self.refreshes if one.outcome is Outcome.REFUSED]

    def twice(self, verdict: Verdict) -> None:
        """A generation that was surely spent works no more after the grace time."""
        for one in self.good:
            spent = self._spent(one)
            if spent is None or one.began <= spent.ended + self.grace + SLACK:
                continue
            words = f"{self.name}: generation {one.given} worked again"
            self._blame(verdict, words, spent.ended, one.began)

    def _spent(self, again: Record) -> Record | None:
        """The first answer that proves that what was presented again had been spent."""
        given = _number(again.given)
        proofs = [one for one in self.good if one is not again and _number(one.got) > given]
        return min(proofs, key=lambda one: one.ended, default=None)

    def backwards(self, verdict: Verdict) -> None:
        """What is answered is newer than what was presented."""
        for one in self.good:
            if _number(one.got) <= _number(one.given):
                verdict.breaches.append(f"{self.name}: {one.given} became {one.got}")

    def after_its_end(self, verdict: Verdict) -> None:
        """Nothing works after an acknowledged ending, nor after its end was seen."""
        told = [one for one in self.records if one.what in {What.REVOKE, What.SIGN_OUT}]
        ends = [one.ended for one in told if one.outcome is Outcome.OK]
        uses = [*self.good, *(one for one in self.records if one.what is What.USERINFO)]
        uses = [one for one in uses if one.outcome is Outcome.OK]
        if ends and any(one.began > min(ends) for one in uses):
            verdict.breaches.append(f"{self.name}: worked after its acknowledged end")
        if self.refused:
            seen = min(one.ended for one in self.refused)
            for one in uses:
                if one.began > seen:
                    words = f"{self.name}: worked after it was refused"
                    self._blame(verdict, words, seen, one.began)
                    return

    def signed_out(self, verdict: Verdict) -> None:
        """Whoever presents the newest token, or a spent one within the grace time, is served."""
        if not self.refused:
            return
        first = min(self.refused, key=lambda one: one.ended)
        ends = (one for one in self.records if one.what in {What.REVOKE, What.SIGN_OUT})
        if any(one.began < first.ended for one in ends):
            return
        before = [one for one in self._unsettled(first) if self._reuse(one, first.ended)]
        if before:
            if not any(one.given == first.given for one in self.good):
                verdict.late.append(f"{self.name}: generation {first.given}")
            return
        born = [one.ended for one in self.records if one.what is What.BORN]
        words = f"{self.name}: generation {first.given} was refused"
        self._blame(verdict, words, max(born, default=0.0), first.ended)

    def _unsettled(self, first: Record) -> Iterator[Record]:
        """The requests that may have ended the grant: what worked since proves the others idle."""
        served = max((one.began for one in self.good if one.began < first.began), default=0.0)
        for one in self.refreshes:
            lost = one.outcome is Outcome.UNKNOWN and one.ended + LINGER > served
            if one is first or (lost and one.began < first.ended):
                yield one

    def _reuse(self, one: Record, until: float) -> bool:
        """Whether what was presented may have been spent longer ago than the grace time."""
        latest = min(one.ended, until) - self.grace + SLACK
        given = _number(one.given)
        return any(
            other is not one and other.began < latest and _number(other.given) >= given
            for other in self.refreshes
            if other.outcome is not Outcome.REFUSED
        )

    def adopted(self, verdict: Verdict) -> None:
        """Redis knows every acknowledged generation, but those that a fail-over lost."""
        for one in self.records:
            if one.what is What.ADOPTED:
                answers = [each for each in self.good if each.ended <= one.ended]
                newest = max((each.ended for each in answers), default=0.0)
                words = f"{self.name}: an acknowledged generation was adopted"
                self._blame(verdict, words, newest, one.ended)

    def _blame(self, verdict: Verdict, words: str, written: float, missed: float) -> None:
        """Put it down to the fail-over in which the write was acknowledged, or to the broker."""
        for one in self.fail_overs:
            if one.began <= written <= one.ended and missed >= one.began:
                verdict.lost.append(words)
                return
        verdict.breaches.append(words)


def _number(generation: int | None) -> int:
    return -1 if generation is None else generation
