"""What an unforeseen failure leaves in the log."""

import logging

import pytest
import structlog

from broker.app import logs
from broker.app.settings import Settings
from broker.stores.sql import engine


def fail(secret: str) -> None:
    raise RuntimeError(f"failed with {len(secret)} characters")


@pytest.mark.parametrize("form", ["console", "json"])
async def test_no_value_of_a_variable(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A trace tells where it failed, never what variables held: they hold secrets and tokens."""
    before, root = structlog.get_config(), logging.getLogger().handlers
    animal = "horse"
    try:
        logs.configure(Settings(log_format=form))
        try:
            fail(f"correct-{animal}")
        except RuntimeError as error:
            structlog.get_logger("review").error("failed", exc_info=error)
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers = root
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "correct-horse" not in said


@pytest.mark.parametrize("address", ["sqlite:///some.db", "postgresql://u@127.0.0.1/d"])
async def test_no_parameter_of_a_statement(address: str) -> None:
    """An error of SQL names the statement, never its parameters: they are people's profiles."""
    for make in (engine.create, engine.create_patient):
        made = make(address)
        assert made.sync_engine.hide_parameters
        await made.dispose()
