"""What is done to the broker and to what it stands on, one thing at a time, drawn from a seed."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from random import Random

from redis.exceptions import RedisError

from tests.faults.elsewhere import Wire
from tests.faults.redis_groups import Cluster
from tests.faults.redis_groups import Server as Node
from tests.faults.waiting import eventually
from tests.postgresql import Cluster as PostgreSQL
from tests.running import CommandFailed
from tests.soak.crowd import Crowd
from tests.soak.history import Outcome, Record, What
from tests.soak.processes import Fault, Processes
from tests.soak.proxy import Proxy
from tests.soak.server import Server

LAG = 1.0  # seconds before a fail-over whose writes a replica may not have had
MEND = 60.0  # seconds in which a cluster is whole again
LEAVER = "chiyo"  # whom the operator signs out


@dataclass
class Stage:
    """All that can be hurt."""

    broker: Server
    redis: Cluster
    sql: PostgreSQL
    sql_wire: Wire
    proxy: Proxy
    crowd: Crowd
    random: Random
    signed_out: list[tuple[set[str], float, float]] = field(default_factory=list)

    def faults(self) -> dict[str, Fault]:
        """Each fault by its name."""
        return self.processes.faults() | {
            "kill a primary": self.kill_primary,
            "hang a Redis node": self.hang_node,
            "cut Redis' connections": self.cut_redis,
            "fill Redis": self.fill_redis,
            "stop PostgreSQL": self.stop_sql,
            "cut PostgreSQL's connections": self.cut_sql,
            "cut clients": self.cut_clients,
            "delay answers": self.delay,
            "truncate answers": self.truncate,
            "rotate keys": self.rotate,
            "revoke the key": self.revoke_key,
            "sign an account out": self.sign_out,
        }

    @property
    def processes(self) -> Processes:
        """Those of the broker."""
        return Processes(self.broker, self.crowd.history, self.random)

    def some(self, least: float, most: float) -> float:
        return self.random.uniform(least, most)

    async def kill_primary(self) -> None:
        victim = self.random.choice(await asyncio.to_thread(self.redis.primaries))
        began = time.time() - LAG
        victim.kill()
        await asyncio.sleep(self.some(1, 4))
        await asyncio.to_thread(victim.start)
        await self._whole(began)

    async def hang_node(self) -> None:
        victim = self.random.choice(self.redis.servers)
        began = time.time() - LAG
        victim.hang()
        try:
            await asyncio.sleep(self.some(0.3, 4))
        finally:
            victim.go_on()
        await self._whole(began)

    async def _whole(self, began: float) -> None:
        await asyncio.to_thread(eventually, self.redis.whole, MEND)
        self._note(What.FAIL_OVER, began)

    async def cut_redis(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            await self._each("CLIENT", "KILL", "TYPE", "normal")
            await asyncio.sleep(self.some(0.05, 0.5))

    async def fill_redis(self) -> None:
        await self._each("CONFIG", "SET", "maxmemory", "1")
        try:
            await asyncio.sleep(self.some(0.5, 2))
        finally:
            await self._each("CONFIG", "SET", "maxmemory", "0")

    async def _each(self, *words: str) -> None:
        def say(one: Node) -> None:
            with contextlib.suppress(RedisError):
                one.say(*words)

        for one in self.redis.servers:
            await asyncio.to_thread(say, one)

    async def stop_sql(self) -> None:
        await asyncio.to_thread(self.sql.stop)
        await asyncio.sleep(self.some(0.5, 3))
        await asyncio.to_thread(self.sql.start)

    async def cut_sql(self) -> None:
        self.sql_wire.cut()
        await asyncio.sleep(self.some(0, 2))
        self.sql_wire.mend()

    async def cut_clients(self) -> None:
        for _ in range(self.random.randint(1, 10)):
            self.proxy.cut()
            await asyncio.sleep(self.some(0.01, 0.3))

    async def delay(self) -> None:
        self.proxy.delay = self.some(0.1, 1)
        await asyncio.sleep(self.some(1, 3))
        self.proxy.delay = 0.0

    async def truncate(self) -> None:
        self.proxy.truncate = self.random.randint(0, 400)
        await asyncio.sleep(self.some(0.3, 1.5))
        self.proxy.truncate = None

    async def rotate(self) -> None:
        await self._cli("keys", "rotate")

    async def revoke_key(self) -> None:
        kids = [one.kid for one in self.crowd.history.records[-200:] if one.what is What.REFRESH]
        kid = next((kid for kid in reversed(kids) if kid), "")
        began = time.time()
        if kid and await self._cli("keys", "revoke", kid, "--reason", "soak", "--yes"):
            self._note(What.KEY_REVOKED, began, kid)

    async def sign_out(self) -> None:
        known, began = set(self.crowd.lines[LEAVER]), time.time()
        done = await self._cli("accounts", "sign-out", LEAVER)
        ended = time.time()
        outcome = Outcome.OK if done else Outcome.UNKNOWN
        for line in known:
            self.crowd.history.add(Record(What.SIGN_OUT, outcome, began, ended, line))
        self.signed_out.append((known, began, ended))

    def settle(self) -> None:
        """Write down who was signing in during a sign-out, which may have ended them or not."""
        history = self.crowd.history
        born = [one for one in history.records if one.what is What.BORN]
        for known, began, ended in self.signed_out:
            for one in born:
                ours = one.line in self.crowd.lines[LEAVER]
                if ours and one.line not in known and one.began <= ended:
                    record = Record(What.SIGN_OUT, Outcome.UNKNOWN, began, ended, one.line)
                    history.add(record)

    async def _cli(self, *words: str) -> bool:
        try:
            await asyncio.to_thread(self.broker.cli, *words)
        except CommandFailed:
            return False
        return True

    def _note(self, what: What, began: float, kid: str = "") -> None:
        self.crowd.history.add(Record(what, Outcome.OK, began, time.time(), kid=kid))
