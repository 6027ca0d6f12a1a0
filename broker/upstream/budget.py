"""The budget as one process keeps it by itself: for a broker without Redis, and while it is away.

``broker.stores.redis.budget`` gives turns to all processes; one suite of tests holds both to the
same rules.
"""

from typing import Final

from broker.core.budget import (
    BEFORE_ALL,
    GATES,
    OURS,
    WINDOW,
    Allowance,
    Call,
    Declined,
    Go,
    Heard,
    Reach,
    Why,
)
from broker.core.ports import Clock
from broker.upstream.gates import POLL, Gate

MINUTE: Final = 60
MANY: Final = 10_000  # gates; then those that hold nobody back any more are forgotten
IDLE: Final = 60.0  # seconds


class ProcessBudget:
    """``broker.core.budget.Budget`` in memory.

    Args:
        clock: time.
        allowance: how many refusals are too many.
    """

    def __init__(self, clock: Clock, allowance: Allowance | None = None) -> None:
        self._clock = clock
        self._allowance = allowance or Allowance()
        self._gates: dict[tuple[str, ...], Gate] = {}
        self._buckets: dict[tuple[str, str], str] = {}
        self._refusals: dict[str, dict[int, int]] = {}
        self._dead: dict[tuple[str, str], float] = {}

    async def may_send(
        self, call: Call, *, patience: float, waited: Go = BEFORE_ALL
    ) -> Go | Declined:
        """Return when a call may be sent."""
        now = self._clock.now()
        declined = self._declined(call, now)
        if declined is not None:
            return declined
        gates = self._passes(call, now)
        if waited.passed == 0 and gates[0].holds_back:
            return Go(POLL, 0) if patience >= POLL else Declined(Why.QUEUE, POLL)
        before: list[tuple[Gate, int]] = []
        for index, gate in enumerate(gates):
            held = None
            if index < waited.passed:
                held = gate.holds(now, waited.window if index == waited.passed - 1 else 0)
            before.append((gate, gate.taken))
            weight = call.weight if index == GATES - 1 else 1
            at, window = gate.take(now, patience, weight) if held is None else (held, waited.window)
            if at - now > patience:
                for each, taken in before:
                    each.taken = taken
                return Declined(Why.QUEUE, at - now)
            if at > now:
                return Go(at - now, index + 1, window)
        for gate in gates:
            gate.count(now)
        gates[0].probes += not gates[0].known
        return Go(0.0, GATES)

    async def heard(self, call: Call, heard: Heard) -> None:
        """Take in what came of a call that was sent."""
        now = self._clock.now()
        if heard.bucket is not None:
            self._name(call, heard.bucket)
        gates = self._passes(call, now)
        bucket = gates[0]
        bucket.known, bucket.probes = bucket.known or heard.answered, max(bucket.probes - 1, 0)
        bucket.told(now, heard.limit, heard.left, heard.reset)
        if heard.wait > 0:
            reached = gates[list(Reach).index(heard.reach)]
            reached.stop(now, heard.wait, guessed=heard.guessed, limited=heard.limited)
        elif heard.answered:
            for gate in gates:
                gate.strikes = 0
        if heard.refusal:
            counts = self._refusals.setdefault(call.upstream, {})
            minute = int(now // MINUTE)
            counts[minute] = counts.get(minute, 0) + 1
        if heard.dead and call.holder != OURS:
            self._dead[call.upstream, call.holder] = now + WINDOW

    def _declined(self, call: Call, now: float) -> Declined | None:
        if self._dead.get((call.upstream, call.holder), 0.0) > now:
            return Declined(Why.DEAD, 0.0)
        counts = self._refusals.get(call.upstream, {})
        first = int((now - WINDOW) // MINUTE)
        for minute in [minute for minute in counts if minute <= first]:
            del counts[minute]
        if sum(counts.values()) < self._allowance.of(call.urgency):
            return None
        return Declined(Why.REFUSALS, (min(counts) + 1) * MINUTE + WINDOW - now)

    def _passes(self, call: Call, now: float) -> tuple[Gate, Gate, Gate]:
        """Return the gates of a call, in the order of `Reach`."""
        bucket = self._buckets.get((call.upstream, call.route), call.route)
        names = (
            (call.upstream, "bucket", call.holder, bucket),
            (call.upstream, "route", call.route),
            (call.upstream, "all"),
        )
        if len(self._gates) > MANY:
            self._forget(now)
        found = tuple(self._gates.setdefault(name, Gate()) for name in names)
        for gate in found:
            gate.roll(now)
        return found[0], found[1], found[2]

    def _name(self, call: Call, bucket: str) -> None:
        """Learn which bucket the calls on a route are counted in."""
        before = self._buckets.get((call.upstream, call.route), call.route)
        if before != bucket:
            self._buckets[call.upstream, call.route] = bucket
            self._gates.pop((call.upstream, "bucket", call.holder, before), None)

    def _forget(self, now: float) -> None:
        """Forget gates that hold nobody back, and tokens that may be tried again."""
        self._gates = {
            name: gate
            for name, gate in self._gates.items()
            if max(gate.ends, gate.until, gate.seen + IDLE) > now
        }
        self._dead = {name: until for name, until in self._dead.items() if until > now}
