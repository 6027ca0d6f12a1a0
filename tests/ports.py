"""Ports for servers of the tests that nobody else gets.

A port that the kernel picks for "any" may be given to the next connection of anybody before the
server of the test listens on it. These lie below those ports, and each test process has a range of
its own.
"""

import os
import socket
from itertools import count
from typing import Final

LOWEST: Final = 12_000
EACH: Final = 2_000  # ports of a test process
PROCESSES: Final = 10  # the last ends where Linux' own choices begin, at 32768

_turns = count(os.getpid() * 37 % EACH)  # two runs side by side begin at different places


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on, and no other test gets."""
    return free_ports(1)


def free_ports(number: int) -> int:
    """Return the first of so many ports in a row that nobody listens on.

    Raises:
        RuntimeError: there are none.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = LOWEST + worker % PROCESSES * EACH
    for _ in range(EACH):
        turn = [next(_turns) % EACH for _ in range(number)]
        if turn[-1] - turn[0] == number - 1 and all(_free(start + at) for at in turn):
            return start + turn[0]
    raise RuntimeError(f"no {number} free ports in a row")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
