"""Keys, accounts, database, secrets and settings by command."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from broker.app.clock import SystemClock, SystemEntropy
from broker.app.loading import load
from broker.app.stores import open_stores
from broker.cli import confirming
from broker.cli.app import app as cli_app
from broker.core.federation import UpstreamAuthorization
from broker.core.model import Profile
from broker.demo.discord import Application, SimulatedDiscord, endpoints
from broker.demo.discord.app import serve_in_thread
from broker.stores.sql import schema

ONE = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQ"
TWO = ONE[::-1]


def within(work):
    """Run ``work(stores)`` on the data directory that the commands use."""

    async def run():
        async with open_stores(load(), SystemClock(), SystemEntropy(), "unix:///nowhere") as stores:
            await schema.upgrade(stores.sql.engine)
            return await work(stores)

    return asyncio.run(run())


def sign_in(subject="80351110224678912", username="nelly"):
    profile = Profile("discord", subject, username, username.title(), f"{username}@example.org")
    return within(lambda stores: stores.sql.accounts.sign_in(profile, now=1_700_000_000.0))[0]


def audited():
    return [entry.event.kind for entry in within(lambda stores: stores.sql.audit.page())]


def states(cli):
    return {one["kid"]: one["state"] for one in cli.json("keys", "list")}


def test_keys_rotate_at_once_and_revoke(cli):
    """Signing, next, retired, revoked: each step is listed, audited and repeatable."""
    assert cli.json("keys", "list") == []
    first = cli.json("keys", "rotate", "--now")
    assert states(cli)[first["subject"]] == "retired"
    revoked = cli.json("keys", "revoke", first["signing"], "--reason", "leaked")
    assert (revoked["changed"], revoked["subject"]) == (True, first["signing"])
    assert cli.json("keys", "revoke", first["signing"])["changed"] is False
    shown = cli.json("keys", "show", first["signing"][:8])
    assert (shown["state"], shown["revoked_reason"]) == ("revoked", "leaked")
    assert audited()[:2] == ["keys.revoke", "keys.rotate-now"]


def test_on_a_terminal_a_revocation_is_confirmed(cli, monkeypatch):
    """Said no to, nothing is revoked; without a terminal, as in a script, nothing is asked."""
    signing = cli.json("keys", "rotate", "--now")["signing"]
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(confirming, "sys", terminal)
    for typed, code, state in (("leaked\nn\n", 1, "signing"), ("leaked\ny\n", 0, "revoked")):
        answer = cli.runner.invoke(cli_app, ["keys", "revoke", signing], input=typed)
        assert (answer.exit_code, states(cli)[signing]) == (code, state), answer.output
        assert "Revoke it for good: are you sure?" in answer.output


DESTRUCTIVE = (
    ("accounts", "delete", "nelly"),
    ("accounts", "revoke-operator", "nelly"),
    ("audit", "prune", "--older-than", "1d"),
    ("clients", "remove", "app"),
    ("apis", "remove", "https://api.example"),
    ("guilds", "remove", "613425648685547541"),
)


@pytest.mark.parametrize("words", DESTRUCTIVE, ids=" ".join)
def test_what_cannot_be_undone_is_asked_for_alike(cli, monkeypatch, words):
    """On a terminal, on standard error; "no" is exit code 1, nothing is done; -y is not asked."""
    sign_in()
    before = len(audited())
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(confirming, "sys", terminal)
    answer = cli.runner.invoke(cli_app, list(words), input="n\n")
    assert answer.exit_code == 1
    assert "sure" not in answer.stdout
    assert ": are you sure? [y/N]" in answer.stderr
    assert len(audited()) == before
    assert "sure" not in cli.runner.invoke(cli_app, [*words, "-y"], input="n\n").output


def test_a_staged_rotation_tells_when(cli):
    """Asked again it changes nothing."""
    assert cli.json("keys", "rotate")["changed"] is True
    assert cli.json("keys", "rotate")["changed"] is False


def test_a_rotation_that_would_break_verifiers_is_refused(cli):
    """A cache cannot know the successor made a moment ago."""
    cli("keys", "rotate", "--now")
    signing = next(kid for kid, state in states(cli).items() if state == "signing")
    cli("keys", "revoke", signing)
    answer = cli("keys", "rotate", "--now", code=4)
    assert len(answer.stderr.splitlines()) == 1


def test_unknown_keys_are_exit_code_3(cli):
    """Show and revoke alike; private halves are shown by neither."""
    cli("keys", "show", "nothing", code=3)
    cli("keys", "revoke", "nothing", code=3)
    cli("keys", "rotate")
    assert "sealed" not in cli("keys", "list", "--json").stdout


def test_accounts_are_found_by_any_name(cli):
    """Identifier, snowflake, username, e-mail."""
    assert cli.json("accounts", "list") == []
    account_id = sign_in()
    for who in (account_id, "80351110224678912", "nelly", "NELLY@example.org"):
        assert cli.json("accounts", "show", who)["account_id"] == account_id
    assert account_id in cli("accounts", "list", "-q", "nel").stdout
    cli("accounts", "show", "somebody", code=3)


def test_disabling_is_effective_at_once_and_audited(cli):
    """SQL, then Redis right away: nothing is left for a server to carry."""
    account_id = sign_in()
    said = cli.json("accounts", "disable", "nelly", "--reason", "spam")
    assert said == {
        "account_id": account_id,
        "action": "disabled",
        "grants_ended": 0,
        "clients": [],
        "effective": True,
    }
    shown = cli.json("accounts", "show", "nelly")
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "spam")
    assert within(lambda stores: stores.sql.outbox.waiting()) == ()
    cli("accounts", "enable", "nelly")
    assert cli.json("accounts", "show", "nelly")["state"] == "active"
    assert cli.json("accounts", "sign-out", "nelly")["effective"] is True
    assert set(audited()) >= {"account.disabled", "account.enabled", "account.signed_out"}


def test_disabling_while_redis_is_away_is_kept_for_later(cli, monkeypatch):
    """The change is committed with its outbox row, and the operator is told."""
    sign_in()
    monkeypatch.setenv("BROKER_REDIS_URL", "unix:///nowhere")
    answer = cli("accounts", "disable", "nelly")
    assert "out of reach" in answer.stderr
    assert len(within(lambda stores: stores.sql.outbox.waiting())) == 1


def test_accounts_by_what_an_operator_looks_for(cli):
    """By names, ids, state, role and last sign-in; page by page; what is no moment is refused."""
    nelly = sign_in()
    sign_in("80351110224678913", "nelson")

    def found(*words):
        return [one["username"] for one in cli.json("accounts", "list", *words)]

    assert sorted(found()) == ["nelly", "nelson"]
    assert (
        found("-q", "NELLY") == found("-q", "80351110224678912") == found("-q", nelly) == ["nelly"]
    )
    cli("accounts", "disable", "nelson")
    cli("accounts", "delete", "nelly", "--yes")
    assert found("--state", "disabled") == ["nelson"]
    assert found("--state", "leaving") == ["nelly"]
    assert found("--state", "active") == found("--operators") == []
    cli("accounts", "list", "--state", "banned", code=2)
    assert found("--until", "2023-11-14") == found("--since", "7d") == []
    assert sorted(found("--since", "2023-11-14", "--until", "2023-11-15")) == ["nelly", "nelson"]
    assert "--since" in cli("accounts", "list", "--since", "soon", code=2).stderr
    assert "Nobody fits." in cli("accounts", "list", "--state", "active").stdout
    first = cli("accounts", "list", "--limit", "1").stdout
    after = first.partition("--after ")[2].split()[0]
    assert len(found("--limit", "1", "--after", after)) == 1


def test_withdrawing_deleting_and_keeping(cli):
    """Each at once, with its audit event; unknown apps and accounts that stay are refused."""
    sign_in()
    cli("accounts", "withdraw", "nelly", "--client", "nobody", code=3)
    client_id = cli.json("clients", "add", "App", "--public", "--redirect-uri", "https://a.example")
    app = client_id["client_id"]
    said = cli.json("accounts", "withdraw", "nelly", "--client", app)
    assert (said["action"], said["grants_ended"], said["effective"]) == ("withdrawn", 0, True)
    cli("accounts", "keep", "nelly", code=4)
    cli("accounts", "delete", "nelly", "--yes", "--grace", "-1", code=2)
    assert cli.json("accounts", "show", "nelly")["state"] == "active"
    assert cli.json("accounts", "delete", "nelly", "--yes")["action"] == "leaving"
    shown = cli.json("accounts", "show", "nelly")
    assert (shown["state"], shown["delete_at"][-1]) == ("leaving", "Z")
    assert shown["delete_by"] == "operator"
    assert "an operator" in cli("accounts", "show", "nelly").stdout
    assert cli.json("accounts", "keep", "nelly")["action"] == "kept"
    assert "is deleted" in cli("accounts", "delete", "nelly", "--yes", "--grace", "0").stdout
    cli("accounts", "show", "nelly", code=3)
    assert within(lambda stores: stores.sql.outbox.waiting()) == ()
    told = {"consent.withdrawn", "account.leaving", "account.kept", "account.deleted"}
    assert set(audited()) >= told


def test_what_discord_lets_us_do_is_given_back(cli, monkeypatch):
    """Revoked there as the account is deleted; with Discord away it is deleted all the same."""
    state, held = SimulatedDiscord(), UpstreamAuthorization("access-x", "refresh-x", ("identify",))
    application = Application("1" * 18, "secret", ())
    state.add_application(application)
    monkeypatch.setenv("BROKER_DISCORD_CLIENT_ID", application.client_id)
    monkeypatch.setenv("BROKER_DISCORD_CLIENT_SECRET", "secret")
    with serve_in_thread(state) as origin:
        monkeypatch.setenv("BROKER_DISCORD_API_URL", endpoints(origin)["api_base"])
        for _ in range(2):
            account_id = sign_in()
            within(
                lambda stores, whose=account_id: stores.sql.authorizations.keep(
                    whose, "discord", held, now=1_700_000_000.0
                )
            )
            said = cli("accounts", "delete", "nelly", "--yes", "--grace", "0").stdout
            assert "is deleted" in said
            assert state.calls["/oauth2/token/revoke"] == 1
            monkeypatch.setenv("BROKER_DISCORD_API_URL", "http://127.0.0.1:9/api")


def test_a_ban_outlives_the_account(cli):
    """It is said so when the account is deleted; listed; and lifted by the Discord id."""
    sign_in()
    assert "No ban" in cli("accounts", "bans").stdout
    cli("accounts", "disable", "nelly", "--reason", "spam")
    said = cli("accounts", "delete", "nelly", "--yes", "--grace", "0").stdout
    assert "The ban stays" in said
    (ban,) = cli.json("accounts", "bans")
    assert (ban["reason"], ban["identities"][0]["upstream"]) == ("spam", "discord")
    subject = ban["identities"][0]["subject"]
    assert all(word in cli("accounts", "bans").stdout for word in (subject, "spam"))
    assert cli.json("accounts", "enable", subject)["account_id"] == ban["account_id"]
    cli("accounts", "enable", subject, code=3)
    assert cli.json("accounts", "bans") == []
    assert "ban.lifted" in audited()


def test_an_ambiguous_name_is_not_guessed(cli):
    """Two people may share a username over time."""
    sign_in()
    sign_in("80351110224678913", "nelly")
    assert "several accounts" in cli("accounts", "disable", "nelly", code=2).stderr


def test_the_database_is_brought_up_to_date(cli):
    """Status says what is to be done, upgrade does it, and doing it again is harmless."""
    before = cli.json("db", "status", code=4)
    assert (before["current"], before["usable"]) == (None, False)
    assert cli.json("db", "upgrade")["pending"] == []
    assert cli.json("db", "upgrade")["usable"] is True
    assert "up to date" in cli("db", "status").stdout


def test_a_database_out_of_reach_is_exit_code_5(cli, monkeypatch):
    """One line, no traceback, and no password in it."""
    monkeypatch.setenv("BROKER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:9/none")
    answer = cli("clients", "list", code=5)
    assert "hunter2" not in answer.output
    assert len(answer.stderr.splitlines()) == 1


def test_secrets_change_without_losing_a_key(cli, monkeypatch):
    """Append, put first, rewrap, retire, drop: the signing keys open at every step."""
    monkeypatch.setenv("BROKER_SECRETS", ONE)
    cli("keys", "rotate")
    cli("secrets", "retire", code=4)
    monkeypatch.setenv("BROKER_SECRETS", f"{TWO},{ONE}")
    assert len(cli.json("secrets", "retire", code=4)["sealed_keys"]) == 2
    assert len(cli.json("secrets", "rewrap")["rewrapped"]) == 2
    assert cli.json("secrets", "rewrap")["rewrapped"] == []
    assert cli.json("secrets", "retire")["sealed_keys"] == []
    monkeypatch.setenv("BROKER_SECRETS", TWO)
    assert cli.json("keys", "rotate")["changed"] is False


def test_secrets_change_without_losing_an_upstream_token(cli, monkeypatch):
    """They are counted, sealed anew and opened as the signing keys are."""
    monkeypatch.setenv("BROKER_SECRETS", ONE)
    cli("db", "upgrade")
    granted = UpstreamAuthorization("access", "refresh", ("identify",))

    def of(account_id):
        return within(lambda stores: stores.sql.authorizations.get(account_id, "discord"))

    nelly = sign_in()
    within(
        lambda stores: stores.sql.authorizations.keep(
            nelly, "discord", granted, now=1_700_000_000.0
        )
    )
    monkeypatch.setenv("BROKER_SECRETS", f"{TWO},{ONE}")
    told = cli("secrets", "retire", code=4).stdout
    assert "upstream tokens of 1 identities" in told
    assert cli.json("secrets", "retire", code=4)["sealed_upstream_tokens"] == 1
    assert cli.json("secrets", "rewrap")["rewrapped_upstream_tokens"] == 1
    assert cli.json("secrets", "rewrap")["rewrapped_upstream_tokens"] == 0
    assert "already" in cli("secrets", "rewrap").stdout
    assert cli.json("secrets", "retire")["sealed_upstream_tokens"] == 0
    monkeypatch.setenv("BROKER_SECRETS", TWO)
    assert of(nelly).authorization == granted
    monkeypatch.setenv("BROKER_SECRETS", ONE)
    assert of(nelly) is None
    assert audited().count("secrets.rewrap") == 1


def test_config_shows_sources_and_no_secret(cli, monkeypatch):
    """Masked values, where they come from, and what is no setting at all."""
    monkeypatch.setenv("BROKER_SECRETS", ONE)
    monkeypatch.setenv("BROKER_PROT", "1")
    answer = cli("config", "--json")
    rows = {row["name"]: row for row in json.loads(answer.stdout)}
    assert rows["BROKER_SECRETS"]["source"] == "environment BROKER_SECRETS"
    assert ONE not in answer.output + cli("config").output
    assert "BROKER_PROT is set but is no setting" in answer.stderr


@pytest.mark.parametrize("words", [("config",), ("clients", "list"), ("keys", "list")])
def test_refused_settings_are_exit_code_4(cli, monkeypatch, words):
    """Every command names the setting."""
    monkeypatch.setenv("BROKER_ISSUER", "http://login.example.org")
    assert "BROKER_ISSUER" in cli(*words, code=4).stderr


def test_operators_are_granted_and_revoked(cli):
    """The code is printed once and kept as a digest; both leave an event."""
    assert cli.json("accounts", "operators") == []
    account = sign_in()
    granted = cli.json("accounts", "grant-operator", "nelly")
    assert (granted["account_id"], granted["passkeys"]) == (account, [])
    told = cli("accounts", "grant-operator", account).stdout
    assert "/admin" in told
    assert granted["code"] not in told
    assert [one["account_id"] for one in cli.json("accounts", "operators")] == [account]
    assert "none yet" in cli("accounts", "operators").stdout
    assert cli.json("accounts", "revoke-operator", "nelly")["action"] == "revoked"
    cli("accounts", "revoke-operator", "nelly", code=3)
    cli("accounts", "grant-operator", "nobody", code=3)
    assert audited()[:3] == ["operator.revoked", "operator.granted", "operator.granted"]
