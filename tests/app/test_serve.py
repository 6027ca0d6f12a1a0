"""``broker serve`` as a process: starting, stopping, falling and getting up."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from broker.app import listening
from broker.app.loading import load
from broker.app.occupants import occupant
from broker.app.problems import Refused
from broker.stores.embedded import find_binary
from tests.app.served import Served
from tests.ports import free_port

PUBLIC = ("--public", "--redirect-uri", "https://app.example.org/cb")


@pytest.fixture
def served(tmp_path):
    """A broker that is not started yet, on a data directory of its own."""
    broker = Served(tmp_path / "data")
    yield broker
    broker.close()


def test_it_starts_says_where_and_stops_in_order(served):
    """Nothing but Discord's credentials; SIGTERM is exit code 0, and nothing stays behind."""
    served.start()
    assert served.get("/readyz")[0] == 200
    assert len(served.get("/.well-known/jwks.json")[1]["keys"]) == 2
    kids = served.kids()
    code, out, err = served.stop()
    assert (code, err) == (0, "")
    assert f"listens on http://127.0.0.1:{served.port}" in out
    assert not [kid for kid in kids if Path(f"/proc/{kid}").exists()]


def test_a_second_server_on_the_data_directory_is_refused(served, tmp_path):
    """Two owners of one Redis would lose data."""
    served.start()
    other = Served(tmp_path / "data")
    answer = other.run("serve")
    assert answer.returncode == 4
    assert f"in use by process {served.process.pid}" in answer.stderr
    assert served.get("/readyz")[0] == 200


def test_kill_9_loses_nothing(served):
    """Keys and clients are there after a restart, and the embedded Redis is one again."""
    served.start()
    added = served.run("clients", "add", "App", "--client-id", "app", *PUBLIC)
    assert added.returncode == 0, added.stderr
    before = served.get("/.well-known/jwks.json")[1]
    served.stop(signal.SIGKILL)
    served.start()
    assert served.get("/readyz")[0] == 200
    assert served.get("/.well-known/jwks.json")[1] == before
    assert served.run("clients", "show", "app").returncode == 0


def test_killing_redis_means_503_then_recovery_without_a_restart(served):
    """The JWKS is served all the while."""
    served.start()
    (redis,) = served.kids()
    os.kill(redis, signal.SIGSTOP)
    status, body = served.get("/readyz")
    assert status == 503
    assert body["checks"][0]["name"] == "redis"
    assert served.get("/.well-known/jwks.json")[0] == 200
    os.kill(redis, signal.SIGKILL)
    served.until("/readyz", 200)


def test_a_rotation_by_command_is_followed_without_a_restart(served):
    """Another process changes the keys; the server publishes the new successor within seconds."""
    served.start()
    before = {key["kid"] for key in served.get("/.well-known/jwks.json")[1]["keys"]}
    assert served.run("keys", "rotate", "--now").returncode == 0
    end = time.monotonic() + 20
    while {key["kid"] for key in served.get("/.well-known/jwks.json")[1]["keys"]} == before:
        assert time.monotonic() < end
        time.sleep(0.2)
    after = {key["kid"] for key in served.get("/.well-known/jwks.json")[1]["keys"]}
    assert before < after


def test_a_socket_that_is_handed_over_outlives_a_restart(served):
    """As systemd hands it: whoever connects between two servers waits for the second."""
    with socket.create_server(("127.0.0.1", served.port)) as held:
        served.start(handed=held)
        assert served.stop()[0] == 0
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as waiting:
            waiting.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            served.start(handed=held)
            assert waiting.recv(12) == b"HTTP/1.1 200"
        said = served.stop()[1]
    assert f"listens on http://127.0.0.1:{served.port} " in said


def test_a_file_that_was_not_handed_over_is_named(monkeypatch):
    """Not a traceback."""
    monkeypatch.setattr(listening, "FIRST", 4000)
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    with pytest.raises(Refused, match="LISTEN_FDS: file 4000 is no TCP socket"):
        listening._handed()


def test_it_serves_without_standard_files(tmp_path):
    """As some start what runs in the background: no socket takes the numbers of those files."""
    served = Served(tmp_path / "data", workers=2)
    try:
        served.start(launcher=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
        assert served.stop()[0] == 0
    finally:
        served.close()


def lives(pid):
    """Whether a process runs; one that nobody has asked how it ended does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_it_serves_where_nothing_can_be_written(served):
    """Standard output and error on a full disk, or to a reader that is gone: requests go on."""
    served.environment["BROKER_LOG_LEVEL"] = "info"
    served.start(launcher=("sh", "-c", 'exec "$0" "$@" >/dev/full 2>&1'))
    for _ in range(3):
        assert served.get("/readyz")[0] == 200
    assert served.stop()[0] == 0


def test_a_refusal_that_nobody_reads_has_its_exit_code(tmp_path):
    """Whoever started it looks at that."""
    served = Served(tmp_path, discord_client_id="")
    served.launch(launcher=("sh", "-c", 'exec "$0" "$@" 2>/dev/full'))
    assert served.process.wait(60) == 4


@pytest.mark.slow
def test_workers_end_with_their_server(tmp_path):
    """A killed server leaves no worker behind that would hold the port."""
    served = Served(tmp_path / "data", workers=2)
    try:
        served.start()
        kids = served.kids()
        assert len(kids) >= 3
        served.stop(signal.SIGKILL)
        end = time.monotonic() + 20
        while served.get("/livez")[0] or any(map(lives, kids)):
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        served.close()


def test_without_an_application_at_discord_it_refuses(tmp_path):
    """The settings are named, and the way out."""
    answer = Served(tmp_path, discord_client_id="", discord_client_secret="").run("serve")
    assert answer.returncode == 4
    assert "BROKER_DISCORD_CLIENT_ID" in answer.stderr
    assert "BROKER_DISCORD_CLIENT_SECRET" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_demonstrations_data_is_refused(served, tmp_path):
    """Its accounts were made by anybody who liked."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "DEMO").touch()
    answer = served.run("serve")
    assert answer.returncode == 4
    assert "demonstration" in answer.stderr


def test_a_newer_schema_is_served_with_a_warning(served, tmp_path):
    """As an old process in a rolling upgrade that is restarted once more."""
    assert served.run("db", "upgrade").returncode == 0
    with sqlite3.connect(tmp_path / "data" / "broker.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    served.start()
    assert served.get("/readyz")[0] == 200
    _, _, err = served.stop()
    assert "the database (9999) is newer than this broker" in err


@pytest.mark.parametrize("workers", [1, 2])
def test_an_older_schema_is_a_refusal(tmp_path, workers):
    """A configured database is changed by command alone; the command is named."""
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    answer = Served(tmp_path, database_url=own, workers=workers).run("serve")
    assert answer.returncode == 4
    assert "BROKER_DATABASE_URL" in answer.stderr
    assert "run `broker db upgrade`" in answer.stderr
    assert "BROKER_WORKERS" not in answer.stderr


def test_a_taken_port_is_named(served):
    """Not a traceback: the setting, and who has the port."""
    served.start()
    answer = served.run("serve")
    assert answer.returncode == 4
    assert f"BROKER_PORT: cannot listen on 127.0.0.1 port {served.port}" in answer.stderr
    assert f"Address already in use, by process {served.process.pid} (" in answer.stderr


def test_whoever_listens_second_is_refused(monkeypatch):
    """Two that start at one instant can both bind a port; then it is who listens first."""
    monkeypatch.setenv("BROKER_PORT", str(free_port()))
    settings = load()
    with listening.listening(settings) as first, listening.listening(settings) as second:
        second.open()
        taken = f"port {settings.port}: Address already in use, by process {os.getpid()} "
        with pytest.raises(Refused, match=f"BROKER_PORT: cannot listen on .* {taken}"):
            first.open()


def test_of_a_port_of_nobody_nobody_is_told():
    """A port that was taken a moment ago may be free by now."""
    assert occupant(free_port()) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_whoever_listens_has_the_port(host):
    """By IPv6 as by IPv4; not whoever is connected over one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    name = Path("/proc/self/comm").read_text().strip()
    with (
        socket.create_server((host, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        assert occupant(server.getsockname()[1]) == f"process {os.getpid()} ({name})"
        assert occupant(client.getsockname()[1]) is None


def test_keys_sealed_with_another_secret_are_a_refusal(tmp_path):
    """Never a silent new key."""
    secret = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQ"
    first = Served(tmp_path, secrets=secret)
    first.start()
    first.stop()
    answer = Served(tmp_path, secrets=secret[::-1]).run("serve")
    assert answer.returncode == 4
    assert "BROKER_SECRETS: signing key" in answer.stderr


def test_an_evicting_redis_is_refused(tmp_path):
    """It would drop sessions and the marks of disabled accounts."""
    folder = tmp_path / "r"
    folder.mkdir()
    sock = folder / "s"
    words = ("--port", "0", "--unixsocket", sock, "--save", "", "--dir", folder)
    limits = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    redis = subprocess.Popen([find_binary(), *words, *limits], stdout=subprocess.DEVNULL)
    try:
        while not sock.exists():
            time.sleep(0.02)
        answer = Served(tmp_path / "data", redis_url=f"unix://{sock}").run("serve")
    finally:
        redis.terminate()
        redis.wait()
    assert answer.returncode == 4
    assert "BROKER_REDIS_URL" in answer.stderr
    assert "noeviction" in answer.stderr
