"""A clean environment for every test of settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """No BROKER_ variable of the machine, and an empty directory to run in."""
    for name in [n for n in os.environ if n.startswith("BROKER_") and "TEST" not in n]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
