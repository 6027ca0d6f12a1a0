"""Signals to ``broker serve`` at moments that nobody waits for."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from broker.app import signals
from tests.app.served import Served

ENDS = 1 << (signal.SIGTERM - 1)  # as /proc/PID/status writes it
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n"
SLOW = b"POST /token HTTP/1.1\r\nHost: a\r\n" + FORM + b"Expect: 100-continue\r\n\r\n"


@pytest.fixture
def served(tmp_path):
    """A broker that is not started yet, on a data directory of its own."""
    broker = Served(tmp_path / "data")
    yield broker
    broker.close()


def heeds(served):
    """Whether it says itself what happens at SIGTERM."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16) & ENDS


def when(holds):
    """Wait until something holds."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def started_or_not(served, out):
    """Whether nothing was said but where it listens, if it has come to that by then."""
    said = f"Token Broker listens on http://127.0.0.1:{served.port} "
    return out == "" or (out.startswith(said) and out.count("\n") == 1)


def test_a_start_outlives_a_reload_and_is_ended_in_order(served):
    """A service manager may send either while the broker loads, or while migrations run."""
    served.launch()
    when(lambda: heeds(served))
    served.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert served.process.poll() is None
    code, out, err = served.stop()
    assert (code, err) == (0, "")
    assert started_or_not(served, out)


def test_the_second_ctrl_c_waits_for_nobody(served):
    """The first lets requests under way finish, which may take ten seconds."""
    served.start()
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(SLOW)
        assert slow.recv(12) == b"HTTP/1.1 100"  # it is under way
        since = time.monotonic()
        served.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert served.process.poll() is None
        assert served.stop(signal.SIGINT)[0] == 0
        assert time.monotonic() - since < 6


def test_ctrl_c_while_workers_start_writes_nothing(tmp_path):
    """A terminal sends it to all processes: the server alone heeds it, and ends the others."""
    served = Served(tmp_path / "data", workers=2)
    try:
        served.launch()
        when(lambda: len(served.kids()) >= 3)
        os.killpg(served.process.pid, signal.SIGINT)
        out, err = served.process.communicate(timeout=60)
        assert (served.process.returncode, err) == (0, "")
        assert started_or_not(served, out)
    finally:
        served.close()


def test_nohup_is_heeded(monkeypatch):
    """Who started the server that way wants it to outlive the terminal."""
    monkeypatch.setattr(signals, "terminal", lambda: True)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, too
    try:
        assert signals.ends_with_terminal()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert not signals.ends_with_terminal()
    finally:
        signal.signal(signal.SIGHUP, before)
