"""Waiting for what comes soon, and looking where requests cannot."""

import base64
import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from tests.pace import Machine
from tests.running import RunningBroker


def eventually(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return what ``holds`` says as soon as it is true.

    What the machine took meanwhile does not count: whoever is waited for has not had it either.
    """
    began = time.monotonic()
    if found := holds():
        return found
    with Machine() as machine:
        while not (found := holds()):
            took = time.monotonic() - began - machine.late
            assert took < seconds, f"still not so after {seconds} s"
            time.sleep(0.05)
    return found


def in_audit_log(broker: RunningBroker, kind: str) -> int:
    """How many events of that kind the audit log holds."""
    with sqlite3.connect(broker.data_dir / "broker.db", timeout=5) as database:
        found: int = database.execute(
            "SELECT count(*) FROM audit_event WHERE kind = ?", (kind,)
        ).fetchone()[0]
    database.close()
    return found


def kid_of(token: str) -> str:
    """Which key signed a token."""
    head = token.split(".", maxsplit=1)[0]
    found: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found
