"""What a demonstration is started with."""

import os
import socket
import sys

import pytest

from broker.cli import serve_commands
from broker.demo.launch import free_ports, obstacle, settings_for


@pytest.mark.parametrize(("log", "level"), [(False, "warning"), (True, "info")])
def test_settings_are_its_own(tmp_path, monkeypatch, log: bool, level: str):
    """Promise: a real broker's are put out of sight; apps may register; the log is as asked for."""
    monkeypatch.setenv("BROKER_DATABASE_URL", "postgresql://db/real")
    with settings_for(free_ports(), tmp_path / "demo", log=log) as settings:
        assert not settings.database_url
        assert settings.loopback
        assert settings.registration == "open"
        assert settings.log_level == level
    assert os.environ["BROKER_DATABASE_URL"] == "postgresql://db/real"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (".venv/bin/broker", ".venv/bin/broker"),
        ("my env/bin/broker", "'my env/bin/broker'"),
        ("/opt/broker/__main__.py", "broker"),
    ],
)
def test_the_command_is_shown_as_it_was_typed(tmp_path, monkeypatch, typed: str, shown: str):
    """Promise: what is there to copy runs in the directory in which the demonstration was begun."""
    for name in (".venv/bin/broker", "my env/bin/broker"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [typed, "demo"])
    assert serve_commands._as_typed() == shown
    monkeypatch.setenv("PATH", str((tmp_path / typed).parent))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / typed), "demo"])
    assert serve_commands._as_typed() == "broker"


def test_a_taken_port_is_told_at_once():
    """Promise: which it is, and whose, before anything is started."""
    port = free_ports().broker
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        found = obstacle(port)
    assert found is not None
    assert found.startswith(f"port {port}: Address already in use, by process {os.getpid()} (")
