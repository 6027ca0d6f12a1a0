"""Several processes: what an operator changes is so in every one of them, within seconds."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.faults.conftest import prepared
from tests.faults.people import CALLBACK, Load, Person, lines
from tests.faults.waiting import eventually, kid_of
from tests.running import RunningBroker

WORKERS = 2
SECONDS = 8.0  # in which every process has followed
JWKS = "/.well-known/jwks.json"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[RunningBroker]:
    """A broker of several processes."""
    folder = tmp_path_factory.mktemp("workers")
    with prepared(folder, database, workers=str(WORKERS), refresh_grace="120") as found:
        eventually(lambda: len(broker_pids(found)) == WORKERS, 30)
        yield found


def broker_pids(broker: RunningBroker) -> set[int]:
    return {process.pid for process in broker.workers()}


def one_for_each(broker: RunningBroker) -> dict[int, Person]:
    """Somebody for each process, on a kept connection that this process accepted."""
    found: dict[int, Person] = {}
    for process in broker.workers():
        others = [other for other in broker.workers() if other != process]
        for other in others:
            other.send_signal(signal.SIGSTOP)
        try:
            person = Person(broker.issuer)
            _owner(person, process)
            found[process.pid] = person
        finally:
            for other in others:
                other.send_signal(signal.SIGCONT)
    return found


def _owner(person: Person, process: psutil.Process) -> None:
    """Check that it was this process that answered."""
    answer = person.http.get("/livez")
    _, port = answer.extensions["network_stream"].get_extra_info("client_addr")[:2]
    ours = [c for c in process.net_connections("tcp") if c.raddr and c.raddr.port == port]
    assert ours, "another process took the connection"


async def test_connections_are_shared_evenly(broker: RunningBroker) -> None:
    """Of those opened at once, as a proxy opens its pool, each process has its part."""
    shares: list[int] = []
    for _ in range(3):  # a process that gets no processor for long has less, and rightly
        async with AsyncExitStack() as stack:
            for opened in await asyncio.gather(*(visit(broker) for _ in range(64))):
                stack.callback(opened.close)
            shares = [connections(process, broker) for process in broker.workers()]
        mean = sum(shares) / WORKERS
        if all(0.8 * mean <= share <= 1.2 * mean for share in shares):
            break
        await asyncio.sleep(1)
    else:
        pytest.fail(f"not shared evenly: {shares}")
    assert sum(shares) >= 64


async def test_nobody_waits_for_a_process_that_hangs(broker: RunningBroker) -> None:
    """The others take its part, whoever has connected already."""
    hanging, *_ = broker.workers()
    hanging.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(6):
            for opened in await asyncio.gather(*(visit(broker) for _ in range(64))):
                opened.close()
    finally:
        hanging.send_signal(signal.SIGCONT)


async def visit(broker: RunningBroker) -> asyncio.StreamWriter:
    """Open a connection and ask over it once; returns what keeps it open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    return writer


def connections(process: psutil.Process, broker: RunningBroker) -> int:
    """How many connections of the broker's clients a process has."""
    held = process.net_connections("tcp")
    return sum(one.laddr.port == broker.port and bool(one.raddr) for one in held)


def in_all(people: dict[int, Person], holds: Callable[[Person], bool]) -> None:
    """Wait until something holds in every process."""
    for person in people.values():
        eventually(lambda person=person: holds(person), SECONDS)


def accepts(person: Person, client_id: str) -> bool:
    answer = person.authorize(client_id)
    assert answer.status_code in {303, 400}
    return answer.status_code == 303


def test_clients_are_followed(broker: RunningBroker) -> None:
    """A client added, then switched off, by command is so in every process."""
    people = one_for_each(broker)
    assert not any(accepts(person, "notes") for person in people.values())
    broker.cli("clients", "add", "Notes", "--client-id", "notes", "--redirect-uri", CALLBACK)
    in_all(people, lambda person: accepts(person, "notes"))
    broker.cli("clients", "edit", "notes", "--disable")
    in_all(people, lambda person: not accepts(person, "notes"))


def test_keys_are_followed(broker: RunningBroker) -> None:
    """A change-over and a revocation by command are so in every process."""
    people = one_for_each(broker)
    token = next(iter(people.values())).tokens()["refresh_token"]

    def signs(person: Person) -> str:
        return kid_of(person.refresh(token).json()["access_token"])

    def published(person: Person) -> set[str]:
        return {key["kid"] for key in person.http.get(JWKS).json()["keys"]}

    before = {signs(person) for person in people.values()}
    assert len(before) == 1
    rotated = broker.cli("keys", "rotate", "--now")
    assert rotated["signing"] not in before
    in_all(people, lambda person: signs(person) == rotated["signing"])
    assert all(before < published(person) for person in people.values())
    broker.cli("keys", "revoke", *before, "--yes")
    in_all(people, lambda person: not before & published(person))
    assert {signs(person) for person in people.values()} == {rotated["signing"]}


async def test_a_worker_is_killed_under_load(broker: RunningBroker) -> None:
    """Another takes its place; no client loses its token."""
    held = await asyncio.to_thread(lines, Person(broker.issuer), 4)
    before = broker_pids(broker)
    async with Load(broker.issuer, held) as load:
        await load.reaches(2)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        await asyncio.to_thread(
            eventually,
            lambda: len(broker_pids(broker)) == WORKERS and victim not in broker_pids(broker),
            30,
        )
        await load.reaches(2)
    load.check()
    allowed = {"200", "ReadError", "RemoteProtocolError", "ConnectError", "WriteError"}
    assert all(set(line.seen) <= allowed for line in held), [line.seen for line in held]
    assert httpx2.get(f"{broker.issuer}/readyz", trust_env=False, verify=False).status_code == 200
