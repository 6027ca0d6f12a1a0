"""Turns at reading somebody's communities anew."""

from broker.core.community.turns import Turn
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script


class RedisTurns:
    """``broker.core.community.turns.Turns`` in Redis.

    Args:
        steps: runs the scripts.
        names: names the keys.
    """

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._names = names
        self._take = script("turn_take")
        self._back = script("turn_back")

    async def take(self, account_id: str, holder: str, *, now: float, seconds: float) -> Turn:
        """Take the turn for so many seconds, unless it is another's or nobody's for now."""
        arguments = (holder, codec.at(now), codec.at(seconds))
        base = self._names.account(account_id)
        answer = await self._steps.run(self._take, (base + "turn", base + "facts"), *arguments)
        whose, ends_at = answer[:2]
        known = codec.all_facts(answer[2]) if whose == "mine" and answer[2] else None
        return Turn(whose == "mine", whose == "rest", float(ends_at), known)

    async def give_back(
        self, account_id: str, holder: str, *, now: float, rest: float = 0.0
    ) -> None:
        """End a turn; nothing happens if it ended by itself and is another's by now."""
        arguments = (holder, codec.at(now), codec.at(rest))
        await self._steps.run(self._back, (self._names.account(account_id) + "turn",), *arguments)
