"""One embedded Redis on one data directory, whoever is killed, started twice or at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from broker.stores.embedded.locks import Lock
from tests.faults.conftest import Make, prepared
from tests.faults.people import Person
from tests.faults.waiting import eventually
from tests.running import RunningBroker

REFUSED = 4  # the exit code
NOBODY = "http://127.0.0.1:9"  # a Discord that nobody asks anything


def servers_on(directory: Path) -> set[int]:
    """The Redis servers that use a data directory, told by their own view of it.

    One that is being ended has let go of its files already: it counts while it has any open.
    """
    found = set()
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] in {"redis-server", "valkey-server"}:
                files = {Path(one.path) for one in process.open_files()}
                if any(directory in path.parents for path in files):
                    found.add(process.pid)
        except psutil.Error:
            continue
    return found


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended; one that nobody has asked how counts as well."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def watched(directory: Path) -> Iterator[list[set[int]]]:
    """Look again and again which servers use a directory; yields what was seen."""
    seen: list[set[int]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.append(servers_on(directory))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def command(broker: RunningBroker, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the broker to its end."""
    return subprocess.run(
        [sys.executable, "-m", "broker", *words],
        cwd=broker.log.parent,
        env=broker.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_an_orphaned_redis_is_ended_before_another_begins(make: Make) -> None:
    """The broker is killed, its Redis hangs on: the next start has the data, and one server."""
    broker = make()
    token = Person(broker.issuer).tokens()["refresh_token"]
    orphan = psutil.Process(broker.redis_pid())
    with watched(broker.data_dir) as seen:
        orphan.send_signal(signal.SIGSTOP)
        broker.kill9()
        assert not gone(orphan)
        broker.restart()
    assert gone(orphan)
    assert all(len(servers) <= 1 for servers in seen), seen
    assert {orphan.pid} in seen
    assert {broker.redis_pid()} in seen
    assert Person(broker.issuer).refresh(token).status_code == 200


def test_a_second_server_on_a_directory_is_refused(broker: RunningBroker) -> None:
    """It says who has the directory and which setting to change; the first is not disturbed."""
    redis = broker.redis_pid()
    second = RunningBroker(broker.log.parent / "second", broker._extra)
    second.data_dir, second.discord_origin = broker.data_dir, NOBODY
    second.log.parent.mkdir()
    refused = command(second, "serve")
    assert refused.returncode == REFUSED, refused
    assert "BROKER_DATA_DIR" in refused.stderr
    assert f"is in use by process {broker.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr + refused.stdout
    assert servers_on(broker.data_dir) == {redis}
    assert Person(broker.issuer).http.get("/readyz").status_code == 200


def test_a_second_server_on_a_port_is_refused(broker: RunningBroker, tmp_path: Path) -> None:
    """It names the port's setting and begins nothing."""
    second = RunningBroker(tmp_path, broker._extra | {"BROKER_PORT": str(broker.port)})
    second.discord_origin = NOBODY
    refused = command(second, "serve")
    assert refused.returncode == REFUSED, refused
    assert "BROKER_PORT" in refused.stderr
    assert not (second.data_dir / "redis").exists()


def test_commands_use_the_server_that_runs(broker: RunningBroker) -> None:
    """Commands beside a running server speak with its Redis, and leave it running."""
    redis = broker.redis_pid()
    person = Person(broker.issuer)
    token = person.tokens()["refresh_token"]
    with watched(broker.data_dir) as seen:
        assert [one["client_id"] for one in broker.cli("clients", "list")] == ["front"]
        said = broker.cli("accounts", "sign-out", person.name)
    assert (said["effective"], said["grants_ended"]) == (True, 1)
    assert person.refresh(token).json()["error"] == "invalid_grant"
    assert all(servers == {redis} for servers in seen), seen
    assert broker.redis_pid() == redis


def test_commands_without_a_server_leave_nothing_running(tmp_path: Path, database: Path) -> None:
    """A command that needs Redis starts one for a moment; afterwards there is none."""
    broker = prepared(tmp_path, database)
    broker.discord_origin = NOBODY
    kids = [key["kid"] for key in json.loads(command(broker, "keys", "list", "--json").stdout)]
    assert not (broker.data_dir / "redis").exists(), "reading the keys needs no Redis"
    with watched(broker.data_dir) as seen:
        revoked = broker.cli("keys", "revoke", kids[1], "--yes")
    assert revoked["subject"] == kids[1]
    assert any(seen)
    assert not servers_on(broker.data_dir)
    assert not list((broker.data_dir / "redis").glob("*.sock"))


def test_two_that_start_at_once(tmp_path: Path, database: Path) -> None:
    """Exactly one of two servers gets the directory; the other ends with the reason."""
    first = prepared(tmp_path, database)
    second = RunningBroker(tmp_path / "second", first._extra)
    second.data_dir = first.data_dir
    first.discord_origin = second.discord_origin = NOBODY
    with watched(first.data_dir) as seen:
        for one in (first, second):
            one.launch()
        try:
            pair = [one._process for one in (first, second)]
            eventually(lambda: [p for p in pair if p and p.poll() is not None], 60)
            time.sleep(0.5)
            codes = [p.poll() for p in pair if p]
            assert sorted(codes, key=str) == [REFUSED, None], (first.tail(), second.tail())
            winner = first if codes[0] is None else second
            winner.wait_ready()
        finally:
            for one in (first, second):
                one.stop()
    assert all(len(servers) <= 1 for servers in seen), seen


def test_the_server_stops_with_everything_it_started(make: Make) -> None:
    """SIGTERM: exit code 0, no Redis and no socket left; SIGINT the same."""
    broker = make()
    for number in (signal.SIGTERM, signal.SIGINT):
        redis = psutil.Process(broker.redis_pid())
        assert broker._process is not None
        os.kill(broker.pid, number)
        assert broker._process.wait(30) == 0, broker.tail()
        assert gone(redis)
        assert not servers_on(broker.data_dir)
        assert not (broker.data_dir / "redis" / "redis.sock").exists()
        if number is signal.SIGTERM:
            broker.restart()


def test_a_note_is_never_seen_half_written(tmp_path: Path) -> None:
    """Whoever asks for the server finds its note whole, also while another is left."""
    writer, reader = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    notes = [{"pid": 1, "socket": "short"}, {"pid": 2, "socket": "long" * 30}]
    writer.write(notes[0])
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            for note in notes:
                writer.write(note)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = [reader.read() for _ in range(5000)]
    finally:
        over.set()
        thread.join()
        writer.close()
        reader.close()
    assert all(note in notes for note in found)
