"""The queue of clients that are to be told of a session's end.

A session ends in its account's slot, and the queue is in one of its own, so no single step writes
both. An ending announces itself in the queue first, then writes notices in the very step that ends
things; whoever looks at the queue comes back until it is sure that nothing more will be written.
Any process may look, and may be killed at any time: accounts and notices are taken on a lease.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from broker.core.backchannel import Notice
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

FIRST_LOOK: Final = 0.2  # seconds between announcing an ending and the first look
ANNOUNCED: Final = 60.0  # seconds for which an announced ending may still be about to write
LEASE: Final = 15.0  # seconds in which a taker has to finish


@dataclass(frozen=True, slots=True)
class Claim:
    """An account to look at; ``intent`` says when an ending last announced itself."""

    account_id: str
    intent: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Notices that were due, and seconds until the next is; None when none is left at all."""

    notices: tuple[Notice, ...]
    wait: float | None


class RedisNotices:
    """Notices in Redis; every method raises ``StoreUnavailable`` when it does not answer.

    Args:
        steps: runs the scripts.
        names: names the keys.
        lease: seconds after which what was taken and not finished is offered again.
    """

    def __init__(self, steps: Steps, names: Names, *, lease: float = LEASE) -> None:
        self._steps = steps
        self._names = names
        self._lease = _milliseconds(lease)
        self._wake = script("notices_wake")
        self._claim = script("notices_claim")
        self._settle = script("notices_settle")
        self._take = script("notices_take")
        self._again = script("notice_again")

    @asynccontextmanager
    async def ending(self, account_id: str) -> AsyncIterator[None]:
        """Announce that a session of the account is about to end, in the block.

        A process that was held up in between announces it again: nobody may wait for it any more.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._announce(account_id)
        yield
        if clock() - began > ANNOUNCED / 2:
            await self._announce(account_id)

    async def claim(self, limit: int) -> tuple[Claim, ...]:
        """Take up to ``limit`` accounts that are to be looked at, the longest waiting first."""
        answer = await self._steps.run(self._claim, self._names.notices(), str(limit), self._lease)
        return tuple(Claim(*pair) for pair in zip(answer[::2], answer[1::2], strict=True))

    async def take(self, account_id: str, limit: int) -> Taken:
        """Take up to ``limit`` of the account's notices that are due."""
        now, wait, *rest = await self._steps.run(
            self._take, (self._key(account_id),), str(limit), self._lease
        )
        pairs = zip(rest[::2], rest[1::2], strict=True)
        found = tuple(_notice(account_id, field, value, float(now)) for field, value in pairs)
        return Taken(found, float(wait) / 1000 if wait else None)

    async def done(self, notice: Notice) -> None:
        """Forget a notice: its client was told, or is given up; idempotent."""
        await self._steps.command("HDEL", self._key(notice.account_id), _field(notice))

    async def again(self, notice: Notice, wait: float, *, tried: bool = True) -> None:
        """Have a notice tried again after so many seconds.

        Args:
            notice: as it was taken; one that another has taken since is left alone.
            wait: seconds.
            tried: whether this time counts as a try.
        """
        key = (self._key(notice.account_id),)
        delay = _milliseconds(wait)
        words = (_field(notice), notice.mark, delay, "1" if tried else "0")
        await self._steps.run(self._again, key, *words)
        await self._steps.run(self._wake, self._names.notices(), notice.account_id, delay, "0")

    async def settle(self, claim: Claim, wait: float | None) -> None:
        """Say after how many seconds the account is to be looked at again; None: it has nothing.

        An ending that is announced, and may not have written yet, brings the look forward.
        """
        delay = "" if wait is None else _milliseconds(wait)
        words = (claim.account_id, claim.intent, delay, _milliseconds(ANNOUNCED))
        await self._steps.run(self._settle, self._names.notices(), *words)

    async def _announce(self, account_id: str) -> None:
        keys = self._names.notices()
        await self._steps.end(self._wake, keys, account_id, _milliseconds(FIRST_LOOK), "1")

    def _key(self, account_id: str) -> str:
        return self._names.account(account_id) + "notices"


def _field(notice: Notice) -> str:
    return f"{notice.sid}:{notice.client_id}"


def _notice(account_id: str, field: str, value: str, now: float) -> Notice:
    sid, _, client_id = field.partition(":")
    made, tries, _, sub = value.split("|", 3)
    age = max(now - float(made), 0.0) / 1000
    return Notice(account_id, sid, client_id, sub, int(tries), age, value)


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
