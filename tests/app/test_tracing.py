"""Traces are an extra: asked for without it they are refused, and off they cost nothing."""

import pytest

from broker.app import checks
from broker.app.settings import Settings


def test_traces_without_their_library_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, with what to install."""
    checks.check(Settings(traces="on"))
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    checks.check(Settings())
    with pytest.raises(checks.Refused) as refused:
        checks.check(Settings(traces="on"))
    assert "BROKER_TRACES" in str(refused.value)
    assert "token-broker[otel]" in str(refused.value)
