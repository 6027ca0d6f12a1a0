"""The schema of another release: behind this one, ahead of it, ahead and out of reach."""

import asyncio
import sqlite3

import pytest

from broker.stores.sql import engine, schema

BEFORE, HEAD = schema._revisions()[-2:]


@pytest.fixture
def address(cli, tmp_path, monkeypatch):
    """A configured database, made by the release before."""
    found = f"sqlite+aiosqlite:///{tmp_path / 'configured.db'}"
    monkeypatch.setenv("BROKER_DATABASE_URL", found)
    asyncio.run(schema.upgrade(engine.create(found), BEFORE))
    return found


@pytest.fixture
def at(cli, address):
    """A function that has it be at a later revision, and allow the oldest code."""
    cli("db", "upgrade")

    def move(revision, oldest="0001"):
        with sqlite3.connect(address.partition("///")[2]) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            connection.execute("UPDATE schema_compatibility SET oldest = ?", (oldest,))
        connection.close()

    return move


def checked(cli, code=0):
    """What the doctor says of the schema."""
    told = cli.json("doctor", "--no-outside", code=code)["checks"]
    return next(one for one in told if (one["section"], one["name"]) == ("SQL", "schema"))


def test_behind(cli, address):
    """Commands refuse and name the one that helps; so does the doctor; and it does help."""
    refused = cli("clients", "list", code=4)
    assert f"The database is {BEFORE}, this broker wants {HEAD}" in refused.stderr
    assert "run `broker db upgrade`" in refused.stderr
    found = checked(cli, code=1)
    assert (found["verdict"], found["cure"]) == ("fail", "broker db upgrade")
    cli("db", "upgrade")
    assert cli.json("clients", "list") == []


def test_ahead_as_in_a_rolling_upgrade(cli, at):
    """Everything goes on, with a warning; an upgrade by the older program changes nothing."""
    at("9999")
    assert cli.json("clients", "list") == []
    found = checked(cli, code=1)
    assert found["verdict"] == "warn"
    assert "made by a newer version, and usable" in found["seen"]
    told = cli.json("db", "upgrade")
    assert (told["current"], told["newer"], told["usable"]) == ("9999", True, True)
    assert cli.json("db", "status") == told


def test_ahead_and_out_of_reach(cli, at):
    """Where the newer schema excludes this program, it says so, and what to install."""
    at("9999", oldest="9998")
    refused = cli("clients", "list", code=4)
    assert "install the newer broker" in refused.stderr
    found = checked(cli, code=1)
    assert (found["verdict"], found["cure"]) == ("fail", "install that version here too")
    for command in ("upgrade", "status"):
        assert cli.json("db", command, code=4)["usable"] is False
