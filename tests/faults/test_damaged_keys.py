"""A damaged key: the broker does not start, or is not ready, says why, and makes no new one."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.faults.people import SECRET
from tests.faults.test_embedded_processes import NOBODY, REFUSED, command
from tests.faults.waiting import eventually
from tests.running import RunningBroker

DAMAGE = {
    "truncated": ("UPDATE signing_key SET sealed = substr(sealed, 1, 20)", "cut short"),
    "altered": (
        "UPDATE signing_key SET sealed = "
        "CAST(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) AS BLOB)",
        "altered",
    ),
    "of another key": (
        "UPDATE signing_key SET sealed = (SELECT max(sealed) FROM signing_key)",
        "altered",
    ),
    "gone": ("UPDATE signing_key SET sealed = NULL", "missing"),
    "public half": ("UPDATE signing_key SET public_jwk = '{}'", "public half"),
}


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker that has run before and made its keys."""
    broker = RunningBroker(tmp_path, {"BROKER_SECRETS": SECRET})
    with broker:
        pass
    broker.discord_origin = NOBODY
    yield broker
    broker.stop()


def change(broker: RunningBroker, statement: str) -> None:
    with closing(sqlite3.connect(broker.data_dir / "broker.db", timeout=10)) as base, base:
        base.execute(statement)


def stored(broker: RunningBroker) -> list[tuple[str, bytes | None]]:
    with closing(sqlite3.connect(broker.data_dir / "broker.db", timeout=10)) as base:
        return base.execute("SELECT kid, sealed FROM signing_key ORDER BY kid").fetchall()


@pytest.mark.parametrize("how", ["truncated", "altered", "of another key"])
def test_serve_refuses_a_damaged_key(stopped: RunningBroker, how: str) -> None:
    """It names the key and what is wrong with it, and leaves every record as it is."""
    statement, reason = DAMAGE[how]
    change(stopped, statement)
    before = stored(stopped)
    refused = command(stopped, "serve")
    assert refused.returncode == REFUSED, refused
    assert reason in refused.stderr
    assert any(kid in refused.stderr for kid, _ in before)
    assert "Traceback" not in refused.stderr
    assert stored(stopped) == before


def test_serve_refuses_a_foreign_seal(stopped: RunningBroker) -> None:
    """Keys sealed with a secret that is not configured: no new key in their place."""
    before = stored(stopped)
    stopped._extra |= {"BROKER_SECRETS": SECRET[::-1]}
    refused = command(stopped, "serve")
    assert refused.returncode == REFUSED, refused
    assert "BROKER_SECRETS" in refused.stderr
    assert "not configured" in refused.stderr
    assert stored(stopped) == before


@pytest.mark.parametrize("how", list(DAMAGE))
def test_a_running_broker_is_not_ready_and_heals(tmp_path: Path, how: str) -> None:
    """Not ready, with the reason; the JWKS goes on; nothing is made; mended, it is ready again."""
    statement, reason = DAMAGE[how]
    with RunningBroker(tmp_path, {"BROKER_SECRETS": SECRET}) as broker:
        jwks = httpx2.get(f"{broker.issuer}/.well-known/jwks.json").content
        with closing(sqlite3.connect(broker.data_dir / "broker.db", timeout=10)) as base:
            whole = base.execute("SELECT kid, sealed, public_jwk FROM signing_key").fetchall()
        change(broker, statement)
        eventually(lambda: _fault(broker))
        assert reason in _fault(broker)
        assert httpx2.get(f"{broker.issuer}/.well-known/jwks.json").content == jwks
        assert [kid for kid, _ in stored(broker)] == sorted(kid for kid, *_ in whole)
        with closing(sqlite3.connect(broker.data_dir / "broker.db", timeout=10)) as base, base:
            base.executemany(
                "UPDATE signing_key SET sealed = ?2, public_jwk = ?3 WHERE kid = ?1", whole
            )
        eventually(lambda: not _fault(broker))


def _fault(broker: RunningBroker) -> str:
    """Return what ``/readyz`` says against the keys; empty where it is ready."""
    answer = httpx2.get(f"{broker.issuer}/readyz")
    return "" if answer.status_code == 200 else json.dumps(answer.json())
