"""What a demonstration is started with."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest

from broker.app.clock import SystemClock, SystemEntropy
from broker.app.settings import Settings
from broker.app.stores import open_stores
from broker.cli import serve_commands
from broker.demo import launch
from broker.demo.launch import obstacle, register_sample, run_check, settings_for
from broker.demo.run import HOST, DemoPorts
from broker.demo.serving import listen, listen_as_localhost
from broker.stores.sql import schema
from tests.cli.conftest import cli
from tests.ports import free_ports

__all__ = ["cli"]


def some_ports() -> DemoPorts:
    """Three that nobody listens on."""
    return DemoPorts.from_base(free_ports(3))


@pytest.mark.parametrize(("log", "level"), [(False, "warning"), (True, "info")])
def test_settings_are_its_own(tmp_path, monkeypatch, log: bool, level: str):
    """Promise: a real broker's are put out of sight; apps may register; the log is as asked for."""
    monkeypatch.setenv("BROKER_DATABASE_URL", "postgresql://db/real")
    with settings_for(some_ports(), tmp_path / "demo", log=log) as settings:
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
    """Promise: which it is, and whose, before anything is started; ::1 alone counts as well."""
    port = free_ports(3)
    taken = listen_as_localhost(port)
    while taken:
        found = obstacle(port)
        taken.pop(0).close()
        assert found is not None
        assert found.startswith(f"port {port}: Address already in use, by process {os.getpid()} (")
    assert obstacle(port) is None


@pytest.mark.parametrize("lost", [2, 3])
def test_a_check_takes_other_ports_where_one_was_lost(monkeypatch, lost: int):
    """Promise: whoever connects meanwhile may be given one of them; in the end that is told."""
    begun: list[DemoPorts] = []

    @asynccontextmanager
    async def everything(ports: DemoPorts, _settings: Settings) -> AsyncIterator[None]:
        begun.append(ports)
        with socket.create_server((HOST, 0)) as server, socket.socket() as stranger:
            if len(begun) <= lost:
                stranger.bind((HOST, ports.sample))
                stranger.connect(server.getsockname())
            listen(port=ports.sample).close()
            yield

    async def check(*_: object, **__: object) -> bool:
        return True

    monkeypatch.setattr(launch, "everything", everything)
    monkeypatch.setattr(launch, "check", check)
    with pytest.raises(OSError, match="in use") if lost == 3 else nullcontext():
        assert run_check(None, print)
    assert len(set(begun)) == 3


def test_commands_operate_it_by_its_settings(tmp_path, cli):
    """Promise: what is shown to copy works, edits too; its directory alone is refused, with why."""
    ports, folder = some_ports(), tmp_path / "demo"
    with settings_for(ports, folder):
        pass
    register(ports, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKER_DATA_DIR", str(folder))
        refused = cli("clients", "list", code=4).stderr
    assert f"in its place set BROKER_SETTINGS={folder}/settings.toml" in refused
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKER_SETTINGS", str(folder / "settings.toml"))
        edited = cli.json("clients", "edit", "sample-app", "--name", "My game", "--first-party")
        assert edited["name"] == "My game"
        assert edited["client_uri"] == ports.sample_origin
        # It goes on so when it is begun again, and on other ports.
        register(ports, folder)
        elsewhere = DemoPorts.from_base(ports.sample)
        register(elsewhere, folder)
        known = cli.json("clients", "show", "sample-app")
    assert (known["name"], known["first_party"]) == ("My game", True)
    assert known["redirect_uris"] == [f"{elsewhere.sample_origin}/callback"]


def register(ports: DemoPorts, folder: Path) -> None:
    """Register the sample app as a demonstration on these ports does."""

    async def work() -> None:
        with settings_for(ports, folder) as settings:
            opened = open_stores(settings, SystemClock(), SystemEntropy(), "unix:///nowhere")
            async with opened as stores:
                await schema.upgrade(stores.sql.engine)
                await register_sample(stores.sql, ports)

    asyncio.run(work())
