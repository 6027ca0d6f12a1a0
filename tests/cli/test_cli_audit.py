"""``broker audit``, and that every command which changes anything is in the log it reads."""

import csv
import io
import json

import pytest
import typer

from broker.app import audit_export
from broker.app.clock import SystemClock
from broker.cli.app import app
from broker.core.model import AuditEvent
from broker.core.moments import stamp
from keys.files import private_pem
from keys.making import make
from tests.cli.test_cli_account_import import dumped, people  # noqa: F401 - fixtures
from tests.cli.test_cli_operations import audited, sign_in, within

DAY = 86400.0
NOW = 1_790_000_000.0
URI = "https://app.example/cb"

CHANGES = {
    "keys rotate": "keys.rotate",
    "keys revoke": "keys.revoke",
    "keys prune": "keys.prune",
    "keys import": "keys.import",
    "keys export": "keys.export-private",
    "clients add": "client.added",
    "clients edit": "client.edited",
    "clients rotate-secret": "client.edited",
    "clients remove": "client.removed",
    "clients import": "client.added",
    "clients registration-token": "registration_token.made",
    "apis add": "api.added",
    "apis edit": "api.edited",
    "apis remove": "api.removed",
    "guilds add": "guild.added",
    "guilds edit": "guild.edited",
    "guilds remove": "guild.removed",
    "accounts disable": "account.disabled",
    "accounts enable": "account.enabled",
    "accounts sign-out": "account.signed_out",
    "accounts import": "account.imported",
    "accounts withdraw": "consent.withdrawn",
    "accounts delete": "account.leaving",
    "accounts keep": "account.kept",
    "accounts grant-operator": "operator.granted",
    "accounts revoke-operator": "operator.revoked",
    "audit prune": "audit.pruned",
    "secrets rewrap": "secrets.rewrap",
}
"""What each command that changes anything writes."""

READS = {
    "config", "keys list", "keys show", "keys plan", "clients list", "clients show",
    "clients export", "apis list", "apis show", "guilds list", "guilds show", "policy show",
    "policy check", "accounts bans", "accounts list", "accounts show", "accounts operators",
    "audit export", "audit list", "db status", "secrets retire", "doctor", "doctor keys",
    "doctor discord-provider",
}  # fmt: skip
ELSEWHERE = {"init", "serve", "demo", "db upgrade"}  # a file, a server, the tables themselves


def leaves(command, path=()):
    """Yield the words of each command that does something by itself."""
    inner = getattr(command, "commands", {})
    if path and (not inner or getattr(command, "invoke_without_command", False)):
        yield " ".join(path)
    for name, one in inner.items():
        yield from leaves(one, (*path, name))


def test_every_command_is_known():
    """A new one says here whether it changes anything, and is tried below if so."""
    assert {*leaves(typer.main.get_command(app))} == {*CHANGES} | READS | ELSEWHERE


OLD, NEW = "613425648685547541", "613425648685547542"
WALK = (
    ("keys rotate",),
    ("keys import", "key.pem"),
    ("clients add", "Old", "--client-id", "old", "--redirect-uri", URI, "--confidential"),
    ("clients edit", "old", "--name", "Older"),
    ("clients rotate-secret", "old"),
    ("clients import", "clients.json"),
    ("clients registration-token",),
    ("clients remove", "two", "--yes"),
    ("apis add", "https://old.example"),
    ("apis edit", "https://old.example", "--name", "Older"),
    ("apis remove", "https://old.example", "--yes"),
    ("guilds add", OLD, "--name", "Old"),
    ("guilds edit", OLD, "--name", "Older"),
    ("guilds remove", OLD, "--yes"),
    ("accounts import", "people.json"),
    ("accounts disable", "nelly"),
    ("accounts enable", "nelly"),
    ("accounts sign-out", "nelly"),
    ("accounts withdraw", "nelly", "--client", "old"),
    ("accounts grant-operator", "nelly"),
    ("accounts revoke-operator", "nelly"),
    ("accounts delete", "nelly", "--yes"),
    ("accounts keep", "nelly"),
    ("audit prune", "--older-than", "1d"),
)
"""What changes something, in an order in which it does."""

IN_TEST_CLI_KEYS = {"keys revoke", "keys prune", "keys export"}
IN_TEST_CLI_OPERATIONS = {"secrets rewrap"}


def test_what_changes_anything_is_in_the_log(cli, people, tmp_path):  # noqa: F811 - the fixture
    """By the kind that stands here."""
    elsewhere = IN_TEST_CLI_KEYS | IN_TEST_CLI_OPERATIONS
    assert {words[0] for words in WALK} == CHANGES.keys() - elsewhere
    account = sign_in()
    within(lambda stores: stores.sql.accounts.consent(account, "old", ("openid",), now=NOW))
    (tmp_path / "key.pem").write_bytes(private_pem(make("RS256").private))
    two = {"client_id": "two", "client_name": "Two", "redirect_uris": [URI]}
    (tmp_path / "clients.json").write_text(json.dumps([two]))
    for name, *more in WALK:
        before = audited()
        cli(*name.split(), *more)
        assert audited().count(CHANGES[name]) > before.count(CHANGES[name]), name


# --- export and prune


@pytest.fixture
def events(cli):
    """Five events, a day apart, the last of them just now."""
    now = SystemClock().now()

    async def fill(stores):
        for number in range(5):
            detail = {"n": number, "text": "=1+1, é"}
            event = AuditEvent(
                f"test.{number}", now - (4 - number) * DAY, "operator", "a", "b", detail
            )
            await stores.sql.audit.record(event)

    within(fill)
    return now


def test_list_is_for_people(cli):
    """Newest first, people and apps by their names; the gone are found by their identifiers."""
    account = sign_in()
    cli("clients", "add", "Lantern", "--client-id", "lantern", "--redirect-uri", URI)
    cli("accounts", "withdraw", "nelly", "--client", "lantern")
    cli("accounts", "disable", "nelly", "--reason", "spam")
    told = cli("audit", "list", "--account", "nelly").stdout
    assert "account.disabled" in told
    assert "spam" in told
    assert "Nelly" in told
    shown = json.loads(cli("audit", "list", "--account", account, "--json", "--limit", "2").stdout)
    assert shown[0]["kind"] == "account.disabled"
    assert len(shown) == 2
    assert all(one["account_id"] == account for one in shown)
    assert "Lantern" in cli("audit", "list", "--client", "lantern", "--kind", "client.").stdout
    assert "Nothing such" in cli("audit", "list", "--account", "ab" * 16).stdout
    cli("audit", "list", "--account", "nobody", code=3)


def exported(cli, *words):
    return [json.loads(line) for line in cli("audit", "export", *words).stdout.splitlines()]


def test_an_export_has_everything_oldest_first(cli, events):
    """A JSON object a line, with all that is known of each."""
    found = exported(cli)
    assert [one["kind"] for one in found] == [f"test.{number}" for number in range(5)]
    assert found[0].keys() == {*audit_export.COLUMNS}
    assert found[4]["at"] == stamp(events)
    assert (found[0]["detail"]["text"], found[0]["client_id"]) == ("=1+1, é", "b")


def test_an_export_is_narrowed(cli, events):
    """By time in each way of writing one, by kind, account and app."""
    assert [one["kind"] for one in exported(cli, "--since", "36h")] == ["test.3", "test.4"]
    moment = stamp(events - 1.5 * DAY)
    assert len(exported(cli, "--since", moment)) == 2
    assert len(exported(cli, "--until", moment)) == 3
    assert len(exported(cli, "--since", stamp(events - 10 * DAY)[:10])) == 5
    assert len(exported(cli, "--kind", "test.")) == 5
    assert len(exported(cli, "--kind", "test.2")) == 1
    assert exported(cli, "--account", "nobody") == exported(cli, "--client", "none") == []
    assert "--since" in cli("audit", "export", "--since", "yesterday", code=2).stderr
    assert "jsonl or csv" in cli("audit", "export", "--format", "xml", code=2).stderr


def test_a_sheet_holds_the_same(cli, events):
    """With a head; details are JSON, and no cell is a formula."""
    head, *rows = csv.reader(io.StringIO(cli("audit", "export", "--format", "csv").stdout))
    assert tuple(head) == audit_export.COLUMNS
    lines = exported(cli)
    assert [json.loads(row[-1]) for row in rows] == [one["detail"] for one in lines]
    assert [row[2] for row in rows] == [one["kind"] for one in lines]


def test_an_export_is_never_whole_in_memory(cli, events):
    """However long the log is, a batch of it is."""

    async def read(stores):
        return [entry.event.kind async for entry in stores.sql.audit.each(batch=2)]

    assert within(read) == [f"test.{number}" for number in range(5)]


def test_what_is_old_is_forgotten_and_that_is_remembered(cli, events):
    """A day at the least, so that a slip does not take what somebody has just done."""
    assert cli.json("audit", "prune", "--older-than", "60h") == {"removed": 2}
    kinds = [one["kind"] for one in exported(cli)]
    assert kinds == ["test.2", "test.3", "test.4", "audit.pruned"]
    assert exported(cli)[-1]["detail"]["removed"] == 2
    assert cli.json("audit", "prune", "--older-than", "60h") == {"removed": 0}
    assert len(exported(cli)) == 4
    for wrong in ("1h", "0", "soon"):
        cli("audit", "prune", "--older-than", wrong, code=2)
