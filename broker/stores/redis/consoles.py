"""Sessions of the operator console, beside their accounts' other keys."""

import json
from dataclasses import asdict

from broker.core.console import ConsoleSession
from broker.stores.passing import known
from broker.stores.redis.codec import compact
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps


class RedisConsoles:
    """``broker.core.console.ConsoleSessions`` in Redis: a string each; one command a step.

    Args:
        steps: runs the commands.
        names: names the keys.
    """

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._names = names

    async def open(self, session: ConsoleSession, *, kept: int) -> None:
        """Write the session, for so many seconds at the most."""
        key = self._console(session.account_id, session.console_id)
        await self._steps.command("SET", key, compact(asdict(session)), "EX", kept)

    async def look(self, account_id: str, console_id: str) -> ConsoleSession | None:
        """Return the session, or None."""
        text = await self._steps.command("GET", self._console(account_id, console_id))
        return None if text is None else known(ConsoleSession, json.loads(text))

    async def seen(self, session: ConsoleSession) -> bool:
        """Write the session back unless it has ended meanwhile; False where it has."""
        key = self._console(session.account_id, session.console_id)
        done = await self._steps.command("SET", key, compact(asdict(session)), "XX", "KEEPTTL")
        return done is not None

    async def end(self, account_id: str, console_id: str) -> None:
        """End the session; idempotent."""
        await self._steps.command("DEL", self._console(account_id, console_id))

    async def challenge(self, account_id: str, sid: str, challenge: bytes, *, kept: int) -> None:
        """Keep what a passkey is to sign next in this browser's session."""
        await self._steps.command("SET", self._asked(account_id, sid), challenge.hex(), "EX", kept)

    async def take_challenge(self, account_id: str, sid: str) -> bytes | None:
        """Return it to the one caller that takes it, or None."""
        text = await self._steps.command("GETDEL", self._asked(account_id, sid))
        return None if text is None else bytes.fromhex(text)

    def _console(self, account_id: str, console_id: str) -> str:
        return f"{self._names.account(account_id)}console:{console_id}"

    def _asked(self, account_id: str, sid: str) -> str:
        return f"{self._names.account(account_id)}challenge:{sid}"
