"""Commands run in this process, on a data directory of the test's own."""

import json
import logging
import os

import pytest
import structlog
from typer.testing import CliRunner

from broker.cli.app import app


class Cli:
    """Runs commands and keeps their answers."""

    def __init__(self):
        self.runner = CliRunner()

    def __call__(self, *words, code=0):
        """Run a command; return its answer after a look at the exit code."""
        answer = self.runner.invoke(app, [str(word) for word in words])
        assert answer.exit_code == code, (answer.output, answer.exception)
        assert "Traceback" not in answer.output
        return answer

    def json(self, *words, code=0):
        """Run a command with --json; return what it says."""
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture
def cli(monkeypatch, tmp_path):
    """A command line without any setting, in an empty directory."""
    for name in [n for n in os.environ if n.startswith("BROKER_") and "TEST" not in n]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Cli()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
