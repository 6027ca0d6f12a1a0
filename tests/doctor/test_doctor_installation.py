"""``broker doctor`` on installations that are sound, half begun, or wrong."""

import json
import os
import shutil
from pathlib import Path

import pytest

from broker.cli.app import app
from broker.demo.run import DISCORD_CLIENT_SECRET
from tests.cli.conftest import Cli, cli
from tests.faults.conftest import database, elsewhere, prepared
from tests.faults.elsewhere import Redis
from tests.running import CommandFailed, RunningBroker

__all__ = ["cli", "database", "elsewhere"]


def by_name(document: dict) -> dict[str, dict]:
    """Each finding by section and name."""
    return {f"{one['section']}: {one['name']}": one for one in document["checks"]}


def findings(broker: RunningBroker, *words: str, code: int = 0) -> dict[str, dict]:
    """What the doctor says about a broker that runs."""
    try:
        found = broker.cli("doctor", *words)
    except CommandFailed as error:
        assert error.status == code, str(error)
        return by_name(json.loads(str(error).partition("\n")[2]))
    assert code == 0
    return by_name(found)


@pytest.fixture(scope="module")
def broker(tmp_path_factory, database):
    """One that runs, embedded."""
    with prepared(tmp_path_factory.mktemp("doctor"), database) as found:
        yield found


def test_a_running_one_is_well(broker: RunningBroker) -> None:
    """Every part is looked at, the front door included; only its being local is risky."""
    found = findings(broker)
    assert {name for name, one in found.items() if one["verdict"] == "fail"} == set()
    assert found["Settings: issuer"]["verdict"] == "warn"
    assert found["Redis: persistence"]["verdict"] == "pass"
    assert found["SQL: schema"]["verdict"] == "pass"
    assert found["Keys: keys"]["verdict"] == "pass"
    assert found["Discord: application"]["verdict"] == "pass"
    assert "/login/discord/callback" in found["Discord: callback"]["seen"]
    assert any(name.startswith("Discovery: ") for name in found)


def test_warnings_count_where_they_are_to(broker: RunningBroker) -> None:
    """--strict ends with 1 where something is risky."""
    with pytest.raises(CommandFailed) as caught:
        broker.cli("doctor", "--strict", "--no-outside")
    assert caught.value.status == 1


def test_a_wrong_secret_is_told(broker: RunningBroker) -> None:
    """Discord is asked; the secret itself is nowhere in what is said."""
    wrong = "w" * len(DISCORD_CLIENT_SECRET)
    broker._extra["BROKER_DISCORD_CLIENT_SECRET"] = wrong
    try:
        with pytest.raises(CommandFailed) as caught:
            broker.cli("doctor", "--no-outside")
    finally:
        del broker._extra["BROKER_DISCORD_CLIENT_SECRET"]
    assert "does not know this client id with this secret" in str(caught.value)
    assert wrong not in str(caught.value)


def test_other_places_to_sign_in(broker: RunningBroker) -> None:
    """A provider's document is read and judged; what is wrong with it is said, with its cure."""
    away = {"name": "away", "kind": "oidc", "title": "Away", "issuer": "http://127.0.0.1:1"}
    ours = {"name": "ours", "kind": "oidc", "title": "Ours", "issuer": broker.issuer}
    slash = {"name": "slash", "kind": "oidc", "title": "Slash", "issuer": f"{broker.issuer}/"}
    github = {"name": "github", "kind": "github", "title": "GitHub"}
    known = {"client_id": "us", "client_secret": "told-to-nobody"}
    given = [one | known for one in (away, ours, slash, github)]
    broker._extra["BROKER_UPSTREAMS"] = json.dumps(given)
    try:
        found = findings(broker, "--no-outside", code=1)
    finally:
        del broker._extra["BROKER_UPSTREAMS"]
    told = {name: found[f"Other upstreams: {name}"] for name in ("away", "ours", "slash", "github")}
    verdicts = {name: one["verdict"] for name, one in told.items()}
    assert verdicts == {"away": "fail", "ours": "pass", "slash": "fail", "github": "pass"}
    assert "RS256" in told["ours"]["seen"]
    assert "/login/github/callback" in told["github"]["seen"]
    assert "to the character" in told["slash"]["seen"]
    assert "told-to-nobody" not in str(found)


def test_clients_that_the_settings_have_overtaken(broker: RunningBroker, tmp_path: Path) -> None:
    """A policy for everybody that came later asks too much together with a client's own."""
    five = [{"id": str(number)} for number in range(1, 6)]
    own, everybodys = tmp_path / "own.json", tmp_path / "all.json"
    own.write_text(json.dumps({"guilds": five}))
    everybodys.write_text(json.dumps({"guilds": [{"id": "6"}]}))
    made = broker.cli(
        "clients", "add", "Five", "--redirect-uri", "https://five.example/cb", "--policy", str(own)
    )
    assert findings(broker, "--no-outside")["Clients: registrations"]["verdict"] == "pass"
    broker._extra["BROKER_POLICY"] = str(everybodys)
    try:
        told = findings(broker, "--no-outside")[f"Clients: {made['client_id']}"]
    finally:
        del broker._extra["BROKER_POLICY"]
    assert told["verdict"] == "warn"
    assert "6 guilds would have to be looked at" in told["seen"]


def test_what_is_away_hides_nothing_else(broker: RunningBroker, tmp_path: Path) -> None:
    """Redis and PostgreSQL out of reach, Discord well: each is said for itself."""
    more = {
        "BROKER_REDIS_URL": "redis://127.0.0.1:1/0",
        "BROKER_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/z",
    }
    broker._extra |= more
    try:
        found = findings(broker, "--no-outside", code=1)
    finally:
        for name in more:
            del broker._extra[name]
    assert found["Redis: Redis"]["verdict"] == "fail"
    assert found["SQL: SQL"]["verdict"] == "fail"
    assert found["Discord: application"]["verdict"] == "pass"


@pytest.mark.redis_server
def test_a_redis_that_loses_or_evicts(broker: RunningBroker, elsewhere: Redis) -> None:
    """No appendonly is risky, a policy that evicts is wrong, each with its cure."""
    elsewhere.say("CONFIG", "SET", "appendonly", "no")
    broker._extra["BROKER_REDIS_URL"] = elsewhere.url
    try:
        found = findings(broker, "--no-outside")
        assert found["Redis: persistence"]["verdict"] == "warn"
        assert "appendonly yes" in found["Redis: persistence"]["cure"]
        elsewhere.say("CONFIG", "SET", "maxmemory", "100mb")
        elsewhere.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        found = findings(broker, "--no-outside", code=1)
        assert "noeviction" in found["Redis: Redis"]["seen"]
    finally:
        del broker._extra["BROKER_REDIS_URL"]


def test_before_the_first_start_nothing_is_begun(cli: Cli, tmp_path: Path) -> None:
    """What is missing is named with its cure; no directory, database or secret is made."""
    answer = cli("doctor", "--no-outside", code=1)
    assert "BROKER_DISCORD_CLIENT_ID" in answer.output
    assert "→ set BROKER_DISCORD_CLIENT_ID" in answer.output
    assert "the first start makes what is needed" in answer.output
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".broker").mkdir(mode=0o700)  # as systemd or a volume makes it
    answer = cli("doctor", "--no-outside", code=1)
    assert "is empty yet" in answer.output
    assert list((tmp_path / ".broker").iterdir()) == []


def test_a_database_without_a_schema(cli: Cli, tmp_path: Path) -> None:
    """The next start brings it up to date: that is said, and nothing is asked of its tables."""
    (tmp_path / ".broker").mkdir(mode=0o700)
    (tmp_path / ".broker" / "broker.db").touch(mode=0o600)
    answer = cli("doctor", "--no-outside", code=1)
    assert "brought up to date at the next start" in answer.output


def test_an_issuer_that_cannot_be(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is wrong, and nothing beside that calls it right."""
    monkeypatch.setenv("BROKER_ISSUER", "http://login.example.org")
    answer = cli("doctor", "--no-outside", code=1)
    assert "✗ issuer" in answer.output
    assert "✓ issuer" not in answer.output


def test_a_mistyped_setting_and_an_open_secret(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Path
) -> None:
    """A variable that sets nothing is risky, a secret that others can read is wrong."""
    monkeypatch.setenv("BROKER_ISUER", "https://id.example.org")
    (tmp_path / ".broker").mkdir(mode=0o700)
    shutil.copy(database, tmp_path / ".broker" / "broker.db")
    secret = tmp_path / ".broker" / "secret"
    secret.write_text("s3cr3t-for-nobody-but-this-very-test-0123456789")
    os.chmod(secret, 0o644)
    answer = cli.runner.invoke(app, ["doctor", "--no-outside", "--json"])
    found = by_name(json.loads(answer.stdout))
    assert found["Settings: unknown setting"]["seen"] == "BROKER_ISUER sets nothing"
    assert found["Settings: secrets"]["verdict"] == "fail"
    assert answer.exit_code == 1
