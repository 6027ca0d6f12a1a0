"""Steps in a Redis whose clock a test turns: a machine that is busy moves it no further."""

from typing import Any, Final

from broker.stores.redis.connect import Client
from broker.stores.redis.scripts import MakeSteps, Script, Steps
from tests.core.helpers import Hands

CLOCK: Final = "redis.call('TIME')"
PATIENT: Final = 10.0  # seconds for a step; what is looked at here is not how soon it fails


def patient(client: Client, *, deadline: float, replicas: int) -> Steps:
    """Return steps with more time than those of a broker have."""
    return Steps(client, deadline=PATIENT, replicas=replicas)


def turned(hands: Hands) -> MakeSteps:
    """Return what makes steps that take these hands for the server's clock.

    Expiry is Redis' own: it goes by the time that passes, which is less.
    """

    def make(client: Client, *, deadline: float = PATIENT, replicas: int = 0) -> Steps:
        return _Turned(client, hands, replicas)

    return make


class _Turned(Steps):
    def __init__(self, client: Client, hands: Hands, replicas: int) -> None:
        super().__init__(client, deadline=PATIENT, replicas=replicas)
        self._hands = hands

    async def _run(self, step: Script, keys: Any, *args: str) -> Any:
        if CLOCK not in step.text:
            return await super()._run(step, keys, *args)
        microseconds = round(self._hands.now() * 1_000_000)
        told = f"{{'{microseconds // 1_000_000}', '{microseconds % 1_000_000}'}}"
        text = step.text.replace(CLOCK, told)
        return await self._execute("EVAL", text, len(keys), *keys, *args)
