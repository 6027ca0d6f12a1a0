"""``broker init``: from an empty machine to a settings file that serves."""

import stat
import tomllib
from collections.abc import Iterator

import pytest

from broker.app.checks import check_serving
from broker.app.loading import load
from broker.cli.app import app
from broker.demo.discord import SimulatedDiscord
from broker.demo.discord.app import serve_in_thread
from broker.demo.run import DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET, discord_application


@pytest.fixture
def discord(cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Discord that knows our application; yields its origin."""
    simulated = SimulatedDiscord()
    simulated.add_application(discord_application("http://127.0.0.1:8000"))
    with serve_in_thread(simulated) as origin:
        monkeypatch.setenv("BROKER_DISCORD_API_URL", f"{origin}/api/v10")
        monkeypatch.setenv("BROKER_DISCORD_AUTHORIZE_URL", f"{origin}/oauth2/authorize")
        yield origin


@pytest.fixture
def secret(tmp_path):
    """A file with the application's secret, as an editor leaves it."""
    file = tmp_path / "secret.txt"
    file.write_text(f"{DISCORD_CLIENT_SECRET}\n")
    return file


def test_questions_are_asked_and_the_answers_tried(cli, discord, tmp_path) -> None:
    """The answers are in the file, for its owner alone; the secret is not shown again."""
    typed = f"\n{DISCORD_CLIENT_ID}\n{DISCORD_CLIENT_SECRET}\n\n\n"
    answer = cli.runner.invoke(app, ["init"], input=typed)
    assert answer.exit_code == 0, answer.output
    file = tmp_path / "broker.toml"
    assert tomllib.loads(file.read_text()) == {
        "discord_client_id": DISCORD_CLIENT_ID,
        "discord_client_secret": DISCORD_CLIENT_SECRET,
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert DISCORD_CLIENT_SECRET not in answer.output
    assert "http://127.0.0.1:8000/login/discord/callback" in answer.output
    assert f"export BROKER_SETTINGS={file}" in answer.output


def test_the_file_serves(cli, discord, secret, tmp_path, monkeypatch) -> None:
    """What was written is what serve takes, whatever characters are in it."""
    odd = 'redis://:p"a\\ss@127.0.0.1:6379/0'
    cli("init", "odd.toml", "--yes", "--discord-client-id", DISCORD_CLIENT_ID,
        "--discord-secret-file", secret, "--redis-url", odd)  # fmt: skip
    monkeypatch.setenv("BROKER_SETTINGS", str(tmp_path / "odd.toml"))
    settings = load()
    check_serving(settings)
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == odd
    assert len(settings.secrets[0].get_secret_value()) >= 48, "stores elsewhere need shared secrets"


def test_everything_by_option(cli, discord, secret, tmp_path) -> None:
    """A script asks for nothing; a public deployment gets secrets and names its proxy."""
    answer = cli("init", "all.toml", "--yes", "--issuer", "https://id.example.org/",
                 "--discord-client-id", DISCORD_CLIENT_ID, "--discord-secret-file", secret,
                 "--database-url", "postgresql://b:x@db/broker", "--redis-url", "rediss://r:6379",
                 "--trusted-proxies", "10.0.0.0/8", "--no-check", code=4)  # fmt: skip
    assert "may not serve the public issuer" in answer.output, "this Discord is a simulated one"
    assert not (tmp_path / "all.toml").exists()


def test_a_public_deployment(cli, secret, tmp_path) -> None:
    """The same with Discord itself, which is not asked here."""
    cli("init", "all.toml", "--yes", "--issuer", "https://id.example.org/",
        "--discord-client-id", DISCORD_CLIENT_ID, "--discord-secret-file", secret,
        "--database-url", "postgresql://b:x@db/broker", "--redis-url", "rediss://r:6379",
        "--trusted-proxies", "10.0.0.0/8", "--no-check")  # fmt: skip
    found = tomllib.loads((tmp_path / "all.toml").read_text())
    assert found["issuer"] == "https://id.example.org"
    assert found["trusted_proxies"] == "10.0.0.0/8"
    assert len(found["secrets"]) >= 48


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--discord-client-id", "1"], 4, "does not know this client id with this secret"),
        ([], 4, "BROKER_DISCORD_CLIENT_ID"),
        (["--discord-client-id", "1", "--issuer", "http://id.example.org"], 4, "https"),
        (["--discord-client-id", "1", "--redis-url", "mysql://x"], 4, "BROKER_REDIS_URL"),
    ],
)
def test_what_cannot_be_writes_nothing(cli, discord, secret, tmp_path, words, code, said) -> None:
    """The reason is said, and there is no file, nor half of one."""
    answer = cli("init", "no.toml", "--yes", "--discord-secret-file", secret, *words, code=code)
    assert said in answer.output
    assert {path.name for path in tmp_path.iterdir()} == {"secret.txt"}


def test_without_discord_it_says_so(cli, secret, monkeypatch) -> None:
    """Out of reach is another exit code, and how to go on without is said."""
    monkeypatch.setenv("BROKER_DISCORD_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("BROKER_DISCORD_AUTHORIZE_URL", "http://127.0.0.1:1/oauth2")
    answer = cli(
        "init", "--yes", "--discord-client-id", "1", "--discord-secret-file", secret, code=5
    )
    assert "--no-check" in answer.output


def test_a_file_is_replaced_only_where_that_is_said(cli, discord, secret, tmp_path) -> None:
    """An operator's file is never lost by a repeated command."""
    file = tmp_path / "broker.toml"
    file.write_text("# mine\n")
    words = ("init", "--yes", "--discord-client-id", DISCORD_CLIENT_ID,
             "--discord-secret-file", secret)  # fmt: skip
    assert "--force" in cli(*words, code=4).output
    assert file.read_text() == "# mine\n"
    cli(*words, "--force")
    assert "discord_client_id" in file.read_text()


def test_a_console_is_had_where_the_issuer_has_a_name(cli, discord, secret, tmp_path) -> None:
    """The file switches it on, and what lets the first operator in is said; else it is refused."""
    words = ("init", "--yes", "--console", "--discord-client-id", DISCORD_CLIENT_ID,
             "--discord-secret-file", secret)  # fmt: skip
    assert "http://localhost:8000" in cli(*words, code=4).output
    assert not (tmp_path / "broker.toml").exists()
    answer = cli(*words, "--issuer", "http://localhost:8000")
    assert tomllib.loads((tmp_path / "broker.toml").read_text())["admin"] == "on"
    assert "broker accounts grant-operator WHO" in answer.output
    assert "http://localhost:8000/admin/clients/new" in answer.output
