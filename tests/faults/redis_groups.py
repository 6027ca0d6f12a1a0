"""Redis servers that are one store together: a cluster of six, a group under Sentinels."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from tests.outer import find, need
from tests.ports import free_port
from tests.stores.redis_servers import ask, wait_for

NODE_TIMEOUT: Final = 1000  # milliseconds after which a node counts as gone
DOWN_AFTER: Final = 500  # milliseconds, for Sentinels
PATIENT: Final = 20_000  # milliseconds, for both: no node of a busy machine is given up
KEPT: Final = (
    "--appendonly", "yes", "--appendfsync", "always", "--save", "",
    "--repl-diskless-sync-delay", "0",
)  # fmt: skip


class Server:
    """One Redis process that can be killed and started again with its data.

    Args:
        folder: its data.
        options: of its command line.
        sentinel: whether it is a Sentinel.
    """

    def __init__(self, folder: Path, *options: str, sentinel: bool = False) -> None:
        self.port = free_port()
        self.folder = folder
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    def start(self) -> None:
        """Start it and wait for its first answer."""
        binary = need("redis-server", "redis_server")
        words: list[Any] = [binary]
        if self._sentinel:
            (self.folder / "sentinel.conf").touch()
            words += [self.folder / "sentinel.conf", "--sentinel"]
        words += ["--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, *self._options]
        self._process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
        wait_for(lambda: (ask(self.port, "PING") or "").startswith(("+PONG", "-NOAUTH")))

    def say(self, *words: str) -> Any:
        """Run a command."""
        with Redis(port=self.port, decode_responses=True) as redis:
            return redis.execute_command(*words)

    def kill(self) -> None:
        """Kill it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Keep its sockets and answer nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


class Cluster:
    """Three primaries with a replica each, on the loopback address.

    Args:
        folder: where their data are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = [self._node(number) for number in range(6)]

    def _node(self, number: int) -> Server:
        return Server(
            self._folder / f"node{number}",
            "--cluster-enabled", "yes", "--cluster-port", str(free_port()),
            "--cluster-node-timeout", str(NODE_TIMEOUT),
            "--cluster-replica-validity-factor", "0", *KEPT,
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The address for the broker; two nodes are named, it finds the others."""
        named = ",".join(f"127.0.0.1:{one.port}" for one in self.servers[:2])
        return f"redis+cluster://{named}"

    def start(self) -> None:
        """Start them, make them one."""
        for one in self.servers:
            one.start()
        nodes = [f"127.0.0.1:{one.port}" for one in self.servers]
        _manage("create", *nodes, "--cluster-replicas", "1", "--cluster-yes")
        wait_for(self.whole, 30)

    def give_up_after(self, milliseconds: int = NODE_TIMEOUT) -> None:
        """Have a node count as gone that has said nothing for so long."""
        for one in self.servers:
            if one._process:
                one.say("CONFIG", "SET", "cluster-node-timeout", str(milliseconds))

    def join(self) -> Server:
        """Start one more node, which serves nothing yet."""
        joined, first = self._node(len(self.servers)), self.servers[0]
        joined.start()
        self.servers.append(joined)
        _manage("add-node", f"127.0.0.1:{joined.port}", f"127.0.0.1:{first.port}")
        wait_for(lambda: "cluster_state:ok" in str(joined.say("CLUSTER", "INFO")), 30)
        wait_for(lambda: all("cluster_known_nodes:7" in str(one.say("CLUSTER", "INFO"))
                             for one in self.servers), 30)  # fmt: skip
        return joined

    def spread(self) -> None:
        """Give every primary as many slots, those too that serve nothing."""
        first = f"127.0.0.1:{self.servers[0].port}"
        _manage("rebalance", first, "--cluster-use-empty-masters")

    def whole(self) -> bool:
        """Whether all is well: three primaries, and three replicas that have what these have."""
        try:
            alive = [one for one in self.servers if one._process]
            agreed = all("cluster_state:ok" in str(one.say("CLUSTER", "INFO")) for one in alive)
            linked = all(_follows(one) for one in alive)
            return agreed and linked and len(alive) == 6 and len(self.primaries()) == 3
        except RedisError:
            return False

    def primaries(self) -> list[Server]:
        """Those that serve slots now."""
        return [one for one in self.servers if one._process and _slots(one)]

    def owner(self, account_id: str, prefix: str = "tb") -> Server:
        """The primary that has an account's slot."""
        slot = self.slot(account_id, prefix)
        return next(one for one in self.primaries() if any(slot in part for part in _slots(one)))

    def slot(self, account_id: str, prefix: str = "tb") -> int:
        """The slot of all that an account has."""
        key = f"{prefix}:{{{account_id}}}:facts"
        return int(self.primaries()[0].say("CLUSTER", "KEYSLOT", key))

    def stop(self) -> None:
        """Kill them all."""
        for one in self.servers:
            one.kill()


def _manage(*words: str) -> None:
    """Manage a cluster as operators do."""
    client = find("redis-cli") or shutil.which("redis-cli")
    subprocess.run([str(client), "--cluster", *words], check=True, stdout=subprocess.DEVNULL)


def _follows(one: Server) -> bool:
    """Whether a node is a primary, or a replica in step with its own."""
    told = one.say("INFO", "replication")
    return told["role"] == "master" or told["master_link_status"] == "up"


def _slots(one: Server) -> list[range]:
    """The slots that a node says it serves itself."""
    for line in str(one.say("CLUSTER", "NODES")).splitlines():
        words = line.split()
        if "myself" in words[2] and "master" in words[2]:
            parts = [word.partition("-") for word in words[8:] if not word.startswith("[")]
            return [range(int(a), int(b or a) + 1) for a, _, b in parts]
    return []


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A running cluster."""
    folder.mkdir(exist_ok=True)
    found = Cluster(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()


class Sentinels:
    """A primary, two replicas, and three Sentinels that watch them, with patience at first.

    Args:
        folder: where their data are.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = [Server(folder / f"redis{number}", *KEPT) for number in range(3)]
        self.watchers = [Server(folder / f"sentinel{n}", sentinel=True) for n in range(3)]

    @property
    def url(self) -> str:
        """The address for the broker."""
        named = ",".join(f"127.0.0.1:{one.port}" for one in self.watchers)
        return f"redis+sentinel://{named}/tokens"

    def start(self) -> None:
        """Start them; the first is the primary."""
        for one in self.servers:
            one.start()
        for one in self.servers[1:]:
            one.say("REPLICAOF", "127.0.0.1", str(self.servers[0].port))
        for one in self.watchers:
            one.start()
            one.say("SENTINEL", "MONITOR", "tokens", "127.0.0.1", str(self.servers[0].port), "2")
            one.say("SENTINEL", "SET", "tokens", "failover-timeout", "3000")
        self.give_up_after(PATIENT)
        wait_for(self._agreed, 30)

    def give_up_after(self, milliseconds: int = DOWN_AFTER) -> None:
        """Have a server count as gone that has said nothing for so long."""
        for one in self.watchers:
            one.say("SENTINEL", "SET", "tokens", "down-after-milliseconds", str(milliseconds))

    def primary(self) -> Server:
        """The one that Sentinels name."""
        named = self.watchers[0].say("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "tokens")
        return next(one for one in self.servers if one.port == int(named[1]))

    def _agreed(self) -> bool:
        told = [one.say("SENTINEL", "MASTER", "tokens") for one in self.watchers]
        return all(
            int(one["num-slaves"]) == 2 and int(one["num-other-sentinels"]) == 2 for one in told
        ) and all(self.servers[n].say("INFO", "replication")["master_link_status"] == "up"
                  for n in (1, 2))  # fmt: skip

    def stop(self) -> None:
        """Kill them all."""
        for one in (*self.watchers, *self.servers):
            one.kill()


@contextmanager
def sentinels(folder: Path) -> Iterator[Sentinels]:
    """A running group."""
    folder.mkdir(exist_ok=True)
    found = Sentinels(folder)
    try:
        found.start()
        yield found
    finally:
        found.stop()
