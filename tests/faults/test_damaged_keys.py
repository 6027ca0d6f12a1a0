"""A damaged key: the broker does not start, or is not ready, says why, and makes no new one."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2

from tests.faults.people import SECRET
from tests.faults.test_embedded_processes import NOBODY, REFUSED, command
from tests.faults.waiting import eventually
from tests.running import RunningBroker

CUT = "UPDATE signing_key SET sealed = substr(sealed, 1, 20)"
ALTER = """
    UPDATE signing_key
    SET sealed = CAST(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) AS BLOB)
"""
SWAP = "UPDATE signing_key SET sealed = (SELECT max(sealed) FROM signing_key)"
SEALED = {
    "truncated": (CUT, "cut short"),
    "altered": (ALTER, "altered"),
    "foreign": (SWAP, "altered"),
}
DAMAGE = SEALED | {
    "gone": ("UPDATE signing_key SET sealed = NULL", "missing"),
    "public half": ("UPDATE signing_key SET public_jwk = '{}'", "public half"),
}


class Table:
    """The table of signing keys of a broker on SQLite."""

    def __init__(self, broker: RunningBroker) -> None:
        self._path = broker.data_dir / "broker.db"

    def rows(self) -> list[tuple[str, bytes | None, str]]:
        with closing(sqlite3.connect(self._path, timeout=10)) as base:
            return base.execute(
                "SELECT kid, sealed, public_jwk FROM signing_key ORDER BY kid"
            ).fetchall()

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self._path, timeout=10)) as base, base:
            base.execute(statement)

    def mend(self, rows: list[tuple[str, bytes | None, str]]) -> None:
        with closing(sqlite3.connect(self._path, timeout=10)) as base, base:
            base.executemany(
                "UPDATE signing_key SET sealed = ?2, public_jwk = ?3 WHERE kid = ?1", rows
            )


def test_serve_refuses_a_damaged_key(tmp_path: Path) -> None:
    """It names the key and what is wrong with it, and leaves every record as it is."""
    broker = RunningBroker(tmp_path, {"BROKER_SECRETS": SECRET})
    with broker:
        pass
    broker.discord_origin = NOBODY
    table = Table(broker)
    whole = table.rows()
    for statement, reason in SEALED.values():
        table.change(statement)
        damaged = table.rows()
        refused = _refused(broker)
        assert reason in refused
        assert any(kid in refused for kid, *_ in whole)
        assert table.rows() == damaged
        table.mend(whole)
    broker._extra |= {"BROKER_SECRETS": SECRET[::-1]}
    assert "BROKER_SECRETS" in _refused(broker)
    assert "not configured" in _refused(broker)
    assert table.rows() == whole


def _refused(broker: RunningBroker) -> str:
    refused = command(broker, "serve")
    assert refused.returncode == REFUSED, refused
    assert "Traceback" not in refused.stderr
    return refused.stderr


def test_a_running_broker_is_not_ready_and_heals(tmp_path: Path) -> None:
    """Not ready, with the reason; the JWKS goes on; nothing is made; mended, it is ready again."""
    with RunningBroker(tmp_path, {"BROKER_SECRETS": SECRET}) as broker:
        table = Table(broker)
        whole = table.rows()
        jwks = httpx2.get(f"{broker.issuer}/.well-known/jwks.json").content
        for statement, reason in DAMAGE.values():
            table.change(statement)
            eventually(lambda: _fault(broker))
            assert reason in _fault(broker)
            assert httpx2.get(f"{broker.issuer}/.well-known/jwks.json").content == jwks
            assert [kid for kid, *_ in table.rows()] == [kid for kid, *_ in whole]
            table.mend(whole)
            eventually(lambda: not _fault(broker))


def _fault(broker: RunningBroker) -> str:
    """Return what ``/readyz`` says against the keys; empty where it is ready."""
    answer = httpx2.get(f"{broker.issuer}/readyz")
    return "" if answer.status_code == 200 else json.dumps(answer.json())
