"""Bodies that never end and connections that say nothing: others are not disturbed."""

import socket
import time
from contextlib import ExitStack

from tests.faults.people import Person
from tests.pace import Machine
from tests.running import RunningBroker

BODY_SECONDS = 10.0  # in which a body has to arrive
MANY = 40
HEAD = (
    b"POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


def opened(stack: ExitStack, broker: RunningBroker, words: bytes) -> socket.socket:
    line = stack.enter_context(socket.create_connection(("127.0.0.1", broker.port), timeout=15))
    line.sendall(words)
    return line


def status(line: socket.socket) -> int:
    """The status that is answered; 0 where the connection was closed without a word."""
    found = line.recv(65536)
    return int(found.split(b" ")[1]) if found else 0


def test_endless_bodies(broker: RunningBroker) -> None:
    """Slow bodies end with 408, endless ones with 413; meanwhile others are served as ever."""
    person = Person(broker.issuer)
    token = person.tokens()["refresh_token"]
    with ExitStack() as stack:
        began = time.monotonic()
        slow = [
            opened(stack, broker, HEAD + b"Content-Length: 1000\r\n\r\ngrant_") for _ in range(MANY)
        ]
        silent = [opened(stack, broker, b"") for _ in range(MANY)]
        endless = opened(stack, broker, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
        endless.sendall(chunk * 17)
        assert status(endless) == 413
        for _ in range(12):
            with Machine() as machine:
                answer = person.refresh(token)
            assert answer.status_code == 200
            assert answer.elapsed.total_seconds() < 1.0 + machine.late
            token = answer.json()["refresh_token"]
        for line in slow:
            line.sendall(b"x")  # a byte now and then is no reason to wait longer
        assert {status(line) for line in slow} == {408}
        assert BODY_SECONDS - 1 < time.monotonic() - began < BODY_SECONDS + 5
        assert person.http.get("/readyz").status_code == 200
        assert len(silent) == MANY
