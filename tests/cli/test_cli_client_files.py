"""``broker clients export``, ``import`` and ``registration-token``."""

import json
from dataclasses import fields

import pytest

from broker.core import registration
from broker.core.client import Client
from broker.core.clients import digest

URI = "https://app.example.org/cb"
PUBLIC = {"client_id": "spa", "redirect_uris": [URI], "token_endpoint_auth_method": "none"}
SECRET = {"client_id": "app", "client_name": "App", "redirect_uris": [URI]}


def write(path, *entries):
    """Put entries into a file and return its name."""
    file = path / "clients.json"
    file.write_text(json.dumps(list(entries)))
    return file


def exported(cli, *words):
    return json.loads(cli("clients", "export", *words).stdout)


def test_what_is_exported_is_imported_unchanged(cli, tmp_path):
    """The round trip of a file: nothing to do, whatever the client is set to."""
    cli(
        "clients", "add", "App", "--client-id", "app", "--redirect-uri", URI, "--first-party",
        "--no-pkce", "--no-id-token-at-refresh", "--access-token-lifetime", "10m",
        "--audience", "https://api.example.org", "--resource", "https://api.example.org/v1",
    )  # fmt: skip
    cli("clients", "add", "Spa", "--client-id", "spa", "--public", "--redirect-uri", URI)
    for digests in ((), ("--digests",)):
        entries = exported(cli, "--all", *digests)
        assert [one["client_id"] for one in entries] == ["app", "spa"]
        answer = cli.json("clients", "import", write(tmp_path, *entries))
        assert (answer["new"], answer["changed"]) == ([], [])
        assert answer["unchanged"] == ["app", "spa"]
        cli("clients", "import", write(tmp_path, *entries))


def test_secrets_are_exported_only_on_demand(cli):
    """And then as digests."""
    secret = cli.json("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    (plain,), (whole,) = exported(cli, "app"), exported(cli, "app", "--digests")
    assert "digest" not in str(plain)
    assert whole["client_secret_digests"][0]["sha256"] == digest(secret["client_secret"])
    assert secret["client_secret"] not in str(whole)


def test_a_client_moves_to_another_broker_with_its_secret(cli, tmp_path, monkeypatch):
    """With its digest it is the same client there, member for member."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI, "--first-party")
    entries = exported(cli, "--all", "--digests")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("BROKER_DATA_DIR", str(tmp_path / "elsewhere" / "data"))
    answer = cli.json("clients", "import", write(tmp_path, *entries))
    assert (answer["new"], answer["secrets"]) == (["app"], {})
    assert exported(cli, "--all", "--digests") == entries


def test_new_clients_get_secrets_once(cli, tmp_path):
    """One that authenticates by a secret and brings no digest gets a new one."""
    answer = cli("clients", "import", write(tmp_path, SECRET, PUBLIC))
    assert "2 new, 0 changed, 0 unchanged" in answer.stdout
    (made,) = [line.split()[1] for line in answer.stdout.splitlines()
               if line.startswith("app") and "client_name" not in line]  # fmt: skip
    assert len(made) == 43
    (app, spa) = exported(cli, "--all", "--digests")
    assert app["client_secret_digests"][0]["sha256"] == digest(made)
    assert app["grant_types"] == ["authorization_code"]
    assert spa["origins"] == ["https://app.example.org"]
    assert spa["client_name"] == "app.example.org"


def test_a_client_that_exists_is_changed_on_demand_alone(cli, tmp_path):
    """Without --update nothing; with it everything, secrets aside."""
    first = cli.json("clients", "import", write(tmp_path, SECRET))["secrets"]["app"]
    changed = SECRET | {"client_name": "New", "contacts": ["ada@example.org"]}
    refused = cli("clients", "import", write(tmp_path, changed), code=4)
    assert "entry 1 (app): exists and differs; --update would change it" in refused.stderr
    dry = cli("clients", "import", write(tmp_path, changed), "--update", "--dry-run")
    assert "client_name" in dry.stdout
    assert "0 new, 1 changed, 0 unchanged" in dry.stdout
    assert exported(cli, "app")[0]["client_name"] == "App"
    done = cli.json("clients", "import", write(tmp_path, changed), "--update")
    assert done["differences"] == {
        "app": {"client_name": ["App", "New"], "contacts": [None, ["ada@example.org"]]}
    }
    (whole,) = exported(cli, "app", "--digests")
    assert (whole["client_name"], whole["contacts"]) == ("New", ["ada@example.org"])
    assert whole["client_secret_digests"][0]["sha256"] == digest(first)


def test_a_dry_run_changes_nothing(cli, tmp_path):
    """It shows no secret either: none was made."""
    answer = cli.json("clients", "import", write(tmp_path, SECRET, PUBLIC), "--dry-run")
    assert (answer["new"], answer["secrets"], answer["dry_run"]) == (["app", "spa"], {}, True)
    assert cli.json("clients", "list") == []


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"client_id": "bad", "redirect_uris": ["http://evil.example"]}, "(bad): redirect_uris: "),
        ({"client_id": "bad", "redirect_uris": "x"}, "(bad): redirect_uris: "),
        ({"client_id": "bad", "redirect_uris": [URI], "scope": "openid root"}, "(bad): scope: "),
        (PUBLIC | {"require_pkce": False}, "(spa): require_pkce: "),
        ({"redirect_uris": [URI]}, "entry 2: client_id: is missing"),
        ({"client_id": 5, "redirect_uris": [URI]}, "entry 2: client_id: "),
        ({"client_id": "a b", "redirect_uris": [URI]}, "(a b): client_id: "),
        (SECRET, "(app): client_id: entry 1 has it too"),
        (PUBLIC | {"client_secret": "x"}, "(spa): client_secret: is not taken in"),
        ("app", "entry 2: is no JSON object"),
        ({"client_id": "x", "redirect_uris": [URI], "client_secret_digests": ["x"]}, "digest"),
    ],
)
def test_one_bad_entry_stops_all(cli, tmp_path, entry, word):
    """All or nothing; the entry and the member are named, and all bad ones at once."""
    answer = cli("clients", "import", write(tmp_path, SECRET, entry, {"client_id": "z"}), code=4)
    assert word in answer.stderr
    assert "entry 3 (z): redirect_uris: at least one is needed" in answer.stderr
    assert cli.json("clients", "list") == []


def test_a_removed_client_does_not_come_back(cli, tmp_path):
    """Its identifier is never given again, by a file neither."""
    cli("clients", "import", write(tmp_path, SECRET))
    cli("clients", "remove", "app", "--yes")
    answer = cli("clients", "import", write(tmp_path, SECRET), "--update", code=4)
    assert "never given again" in answer.stderr


@pytest.mark.parametrize("text", ["", "{", "5", '"x"', "\xff", "[" * 10_000])
def test_what_is_no_file_of_clients(cli, tmp_path, text):
    """One line, exit code 4."""
    file = tmp_path / "clients.json"
    file.write_bytes(text.encode("latin-1"))
    assert "file" in cli("clients", "import", file, code=4).stderr


def test_a_single_client_needs_no_array(cli, tmp_path):
    """As a registration endpoint would take it."""
    file = tmp_path / "one.json"
    file.write_text(json.dumps(PUBLIC))
    assert cli.json("clients", "import", file)["new"] == ["spa"]
    cli("clients", "import", tmp_path / "none.json", code=2)


def test_an_export_names_clients_or_all(cli):
    """Neither nothing nor both; an unknown one is exit code 3."""
    cli("clients", "export", code=2)
    cli("clients", "export", "app", "--all", code=2)
    assert "no client app" in cli("clients", "export", "app", code=3).stderr
    assert exported(cli, "--all") == []


def test_an_algorithm_that_does_not_sign_yet_is_refused(cli, tmp_path):
    """As it is by the other commands."""
    entry = SECRET | {"id_token_signed_response_alg": "ES256"}
    answer = cli("clients", "import", write(tmp_path, entry), code=4)
    assert "entry 1 (app): id_token_signed_response_alg: " in answer.stderr


def test_a_registration_token(cli):
    """Shown once, with its end; the setting it needs is named where it is not set."""
    answer = cli("clients", "registration-token", "--expires", "1h", "--uses", "3")
    assert "BROKER_REGISTRATION is off" in answer.stderr
    made = cli.json("clients", "registration-token")
    assert len(made["initial_access_token"]) == 82
    assert made["uses"] is None
    assert made["registration_endpoint"].endswith("/register")
    again = cli.json("clients", "registration-token")
    assert again["initial_access_token"] != made["initial_access_token"]
    cli("clients", "registration-token", "--expires", "soon", code=2)
    cli("clients", "registration-token", "--expires", "10s", code=2)
    cli("clients", "registration-token", "--uses", "-1", code=2)
    cli("clients", "registration-token", "--revoke", "x", code=3)
    revoked = cli("clients", "registration-token", "--revoke", made["initial_access_token"])
    assert "Revoked" in revoked.stdout


def test_members_without_a_standard_name_are_called_like_the_fields():
    """So that one who reads one of the two knows the other."""
    own = {member.name for member in registration.MEMBERS if member.name == member.field}
    assert {"first_party", "require_pkce", "audience", "resources", "origins", "exchange"} <= own
    assert {member.field for member in registration.MEMBERS} == {one.name for one in fields(Client)}


def test_a_client_may_have_the_scopes_of_registered_apis(cli, tmp_path):
    """Of no others: what is nobody's is a slip of the pen."""
    entry = SECRET | {"scope": "openid orders.read"}
    refused = cli("clients", "import", write(tmp_path, entry), code=4)
    assert "entry 1 (app): scope: orders.read is neither" in refused.stderr
    cli("apis", "add", "https://api.example.org", "--name", "Orders", "--scope", "orders.read")
    assert cli.json("clients", "import", write(tmp_path, entry))["new"] == ["app"]
