"""The budget of calls to upstreams, for all processes together."""

from broker.core.budget import (
    BEFORE_ALL,
    GATES,
    OURS,
    Allowance,
    Call,
    Declined,
    Go,
    Heard,
    Reach,
    Why,
)
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

GATE = {reach: str(number) for number, reach in enumerate(Reach, 1)}


class RedisBudget:
    """``broker.core.budget.Budget`` in Redis; an upstream has one slot.

    Other than the port says, it fails where Redis does.

    Args:
        steps: runs the scripts.
        names: names the keys.
        allowance: how many refusals are too many.
    """

    def __init__(self, steps: Steps, names: Names, allowance: Allowance | None = None) -> None:
        self._steps = steps
        self._names = names
        self._allowance = allowance or Allowance()
        self._ask, self._heard = script("upstream_ask"), script("upstream_heard")

    async def may_send(
        self, call: Call, *, patience: float, waited: Go = BEFORE_ALL
    ) -> Go | Declined:
        """Return when a call may be sent.

        Raises:
            StoreUnavailable: Redis did not answer in time.
        """
        verdict, seconds, gates, window = await self._steps.run(
            self._ask,
            (self._names.upstream(call.upstream),),
            call.route,
            call.holder,
            str(call.weight),
            f"{patience:.4f}",
            str(min(waited.passed, GATES)),
            str(waited.window),
            str(self._allowance.of(call.urgency)),
        )
        if verdict == "go":
            return Go(float(seconds), int(gates), int(window))
        return Declined(Why(verdict), float(seconds))

    async def heard(self, call: Call, heard: Heard) -> None:
        """Take in what came of a call that was sent.

        Raises:
            StoreUnavailable: Redis did not answer in time; it may have been taken in.
        """
        await self._steps.run(
            self._heard,
            (self._names.upstream(call.upstream),),
            call.route,
            call.holder,
            _word(heard.answered),
            heard.bucket or "",
            str(heard.limit),
            str(heard.left),
            f"{heard.reset:.4f}",
            f"{heard.wait:.4f}",
            GATE[heard.reach],
            _word(heard.guessed),
            _word(heard.limited),
            _word(heard.refusal),
            _word(heard.dead and call.holder != OURS),
        )


def _word(yes: bool) -> str:
    return "1" if yes else "0"
