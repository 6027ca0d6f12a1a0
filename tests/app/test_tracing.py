"""Traces are an extra: asked for without it they are refused, and off they cost nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from broker.app import checks
from broker.app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_traces_without_their_library_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, with what to install."""
    checks.check(Settings(traces="on"))
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    checks.check(Settings())
    with pytest.raises(checks.Refused) as refused:
        checks.check(Settings(traces="on"))
    assert "BROKER_TRACES" in str(refused.value)
    assert "token-broker[otel]" in str(refused.value)


def test_without_traces_nothing_of_them_is_loaded() -> None:
    """Off costs nothing. The Redis client by itself loads what there is of metrics' library."""
    code = (
        "import sys, broker.app.server, broker.app.asgi, broker.app.compose, broker.cli;"
        "found = ('broker.app.tracing', 'opentelemetry.sdk.trace', 'opentelemetry.exporter');"
        "sys.exit(any(name.startswith(found) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
