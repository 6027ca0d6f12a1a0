"""The atomic steps: Lua files, read once, called by digest in one round trip."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from broker.core.deadlines import Deadline
from broker.core.errors import StoreUnavailable
from broker.stores.redis.connect import FAILURES, Client
from broker.stores.redis.lanes import Lanes, Pool
from broker.stores.redis.nodes import ClusterLanes
from broker.stores.redis.replicas import evaluate_and_wait

FOLDER: Final = Path(__file__).parent / "lua"
INCLUDE: Final = "--@include "


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua step with its shared parts put in; ``sha`` is what Redis knows it by."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """Return the step of ``lua/<name>.lua``.

    Each ``--@include part`` line is replaced by ``lua/shared/part.lua``.
    """
    lines: list[str] = []
    for line in (FOLDER / f"{name}.lua").read_text("utf-8").splitlines():
        if line.startswith(INCLUDE):
            part = FOLDER / "shared" / f"{line.removeprefix(INCLUDE).strip()}.lua"
            lines.append(part.read_text("utf-8"))
        else:
            lines.append(line)
    text = "\n".join(lines)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Steps:
    """Runs steps and commands within a deadline; every failure is a ``StoreUnavailable``.

    Args:
        client: made by ``connect``: it retries nothing, for steps are not idempotent.
        deadline: seconds in which everything has answered or failed.
        replicas: how many replicas must have an ending before it is acknowledged.
    """

    def __init__(self, client: Client, *, deadline: float = 1.5, replicas: int = 0) -> None:
        self._pool: Pool | None = None
        self._execute: Callable[..., Awaitable[Any]]
        if isinstance(client, Redis):
            self._pool = Pool(client.connection_pool)
            self._execute = Lanes(self._pool, deadline).execute
        else:
            self._execute = ClusterLanes(client, deadline).execute
        self._client = client
        self._deadline = deadline
        self._time = Deadline(deadline)
        self._replicas = replicas

    @property
    def kept(self) -> int:
        """How many connections the client takes for used that wait for the next step."""
        return 0 if self._pool is None else self._pool.kept

    @property
    def marks(self) -> str:
        """What a script that ends something is told: ``1`` when replicas are waited for."""
        return "1" if self._replicas else "0"

    async def run(self, step: Script, keys: Sequence[str], *args: str) -> Any:
        """Run a step in one round trip; in two when the server has forgotten its scripts.

        Raises:
            StoreUnavailable: Redis did not answer in time or failed.
        """
        try:
            return await self._time.within(self._run(step, keys, *args))
        except FAILURES as error:
            raise _unavailable(step.name, error) from error

    async def _run(self, step: Script, keys: Sequence[str], *args: str) -> Any:
        try:
            return await self._execute("EVALSHA", step.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._execute("EVAL", step.text, len(keys), *keys, *args)

    async def end(self, step: Script, keys: Sequence[str], *args: str) -> Any:
        """Run a step that ends something, and wait until enough replicas have it.

        Raises:
            StoreUnavailable: Redis failed, or too few replicas acknowledged in time; the ending
                may have happened, and may be repeated.
        """
        answer = await self.run(step, keys, *args)
        if self._replicas:
            have = await self._replicated(step, keys, *args)
            if have < self._replicas:
                detail = f"{step.name}: {have} of {self._replicas} replicas acknowledged"
                raise StoreUnavailable(private=detail)
        return answer

    async def command(self, *words: str | int) -> Any:
        """Run one command.

        Raises:
            StoreUnavailable: Redis did not answer in time or failed.
        """
        try:
            return await self._time.within(self._execute(*words))
        except FAILURES as error:
            raise _unavailable(str(words[0]), error) from error

    async def _replicated(self, step: Script, keys: Sequence[str], *args: str) -> int:
        try:
            waiting = evaluate_and_wait(
                self._client,
                (step.sha, keys, args),
                replicas=self._replicas,
                milliseconds=int(self._deadline * 800),
            )
            return await self._time.within(waiting)
        except FAILURES as error:
            raise _unavailable(step.name, error) from error


class MakeSteps(Protocol):
    """Makes ``Steps``, or more than those."""

    def __call__(self, client: Client, *, deadline: float, replicas: int) -> Steps:
        """Return what runs steps of the client."""
        ...


def _unavailable(what: str, error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(private=f"{what}: {(error.__cause__ or error)!r}")
