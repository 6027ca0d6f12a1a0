"""The machine: its cores, the speed of one of them, the programs the benchmark needs."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.stores.embedded import find_binary
from broker.stores.embedded.process import say
from tests.ports import free_port

NEEDED: Final = {"wrk": "wrk", "openssl": "openssl", "taskset": "util-linux"}
LINE: Final = re.compile(r"^rsa\s+2048 bits\s+(.*)$", re.MULTILINE)


class Unfit(Exception):
    """The benchmark cannot run here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what; the same one where the machine has only one.

    Attributes:
        load: of the load generator and of Redis.
        worker: of what is measured.
    """

    load: int
    worker: int

    @property
    def alone(self) -> bool:
        """Whether the worker has a core of its own."""
        return self.load != self.worker


def cores() -> Cores:
    """Choose two cores of those we may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1] if len(usable) > 1 else usable[0])


def pinned(*cores: int) -> tuple[str, ...]:
    """Return the words before a command that keep it on one core, or on these."""
    return ("taskset", "-c", ",".join(map(str, cores)))


def check_programs() -> None:
    """Look for the programs that are needed.

    Raises:
        Unfit: one is missing; the text names the Debian package.
    """
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        raise Unfit(f"the benchmark needs the Debian package {', '.join(missing)}: apt-get install")


def rsa_signatures(core: int) -> float:
    """Return how many RSA-2048 signatures one core makes in a second, by ``openssl speed``.

    Raises:
        Unfit: openssl does not say.
    """
    said = subprocess.run(
        [*pinned(core), "openssl", "speed", "-seconds", "1", "rsa2048"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = LINE.search(said)
    rates = [word for word in found[1].split() if not word.endswith("s")] if found else []
    if not rates:
        raise Unfit(f"openssl speed does not tell its figures: {said[-200:]!r}")
    return float(rates[0])


@contextmanager
def redis_server(folder: Path, core: int) -> Iterator[str]:
    """Run a Redis server as production has one, on one core; yield its address."""
    folder.mkdir()
    port, sock = free_port(), folder / "redis.sock"
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "unixsocket": str(sock),
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "logfile": "redis.log",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with subprocess.Popen([*pinned(core), str(find_binary()), *words]) as process:
        try:
            while say(sock, "PING") != "+PONG":
                if process.poll() is not None:
                    raise Unfit("redis-server ended at its start")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
