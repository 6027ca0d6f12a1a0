"""Where settings come from and how they are read."""

import os

import pytest
from pydantic import SecretStr

from broker.app.loading import MASK, is_duration, load, shown
from broker.app.problems import Refused
from broker.app.settings import Settings
from broker.app.sources import unknown_variables, variable
from broker.core import durations
from broker.core.model import Lifetimes

STRONG = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQ"


def by_name(settings):
    return {one.name: one for one in shown(settings)}


def test_defaults_are_those_of_the_core():
    """Nothing set: the lifetimes of the design."""
    assert load().lifetimes == Lifetimes()
    load().key_policy.validate()


def test_environment_goes_before_the_file_and_the_file_before_the_default(monkeypatch, tmp_path):
    """The first source wins, and each says where it came from."""
    file = tmp_path / "broker.toml"
    file.write_text('port = 9001\nbrand_name = "Acme"\ntrusted_proxies = ["10.0.0.0/8"]\n')
    monkeypatch.setenv("BROKER_SETTINGS", str(file))
    monkeypatch.setenv("BROKER_PORT", "9002")
    settings = load()
    assert (settings.port, settings.brand_name, settings.workers) == (9002, "Acme", 1)
    assert settings.trusted_proxies == ("10.0.0.0/8",)
    rows = by_name(settings)
    assert rows["BROKER_PORT"].source == "environment BROKER_PORT"
    assert rows["BROKER_BRAND_NAME"].source == f"file {file}"
    assert rows["BROKER_WORKERS"].source == "default"


def test_the_command_line_goes_before_all(monkeypatch):
    """An option given by hand is meant."""
    monkeypatch.setenv("BROKER_PORT", "9002")
    assert load(port=9003, host=None).port == 9003


@pytest.mark.parametrize("field", ["secrets", "discord_client_secret", "database_url", "redis_url"])
def test_secrets_come_from_files_too(monkeypatch, tmp_path, field):
    """`BROKER_…_FILE` is read, its last newline dropped."""
    file = tmp_path / "mounted"
    file.write_text(f"{STRONG}\n")
    monkeypatch.setenv(f"{variable(field)}_FILE", str(file))
    value = getattr(load(), field)
    assert (value[0] if field == "secrets" else value) == SecretStr(STRONG)
    assert by_name(load())[variable(field)].source == f"file {file}"


def test_a_secret_given_twice_is_refused(monkeypatch, tmp_path):
    """Which of two would count is nobody's guess."""
    (tmp_path / "f").write_text(STRONG)
    monkeypatch.setenv("BROKER_SECRETS", STRONG)
    monkeypatch.setenv("BROKER_SECRETS_FILE", str(tmp_path / "f"))
    with pytest.raises(Refused, match=r"BROKER_SECRETS_FILE.*keep one"):
        load()


@pytest.mark.parametrize("name", ["BROKER_SECRETS_FILE", "BROKER_SETTINGS"])
def test_a_missing_file_is_refused(monkeypatch, name):
    """A named file that cannot be read is an error, not an empty setting."""
    monkeypatch.setenv(name, "nowhere")
    with pytest.raises(Refused, match=f"{name}: cannot read nowhere"):
        load()


def test_a_mistyped_setting_of_the_file_is_refused(monkeypatch, tmp_path):
    """A file sets nothing that does not exist."""
    (tmp_path / "s.toml").write_text('isuer = "https://x.example"\n')
    monkeypatch.setenv("BROKER_SETTINGS", str(tmp_path / "s.toml"))
    with pytest.raises(Refused, match=r"BROKER_SETTINGS.*isuer"):
        load()


def test_a_mistyped_variable_is_noticed(monkeypatch):
    """A BROKER_ variable that sets nothing is named."""
    monkeypatch.setenv("BROKER_ISUER", "https://x.example")
    assert unknown_variables(Settings) == ("BROKER_ISUER",)


def test_a_malformed_value_names_its_variable_and_does_not_repeat_it(monkeypatch):
    """The message can be shown to anybody."""
    monkeypatch.setenv("BROKER_PORT", "tcp://10.1.2.3:80")
    with pytest.raises(Refused, match="BROKER_PORT") as caught:
        load()
    assert "10.1.2.3" not in str(caught.value)


def test_secrets_are_split_and_masked(monkeypatch):
    """Commas and newlines separate secrets; no secret is ever shown."""
    other = STRONG[::-1]
    monkeypatch.setenv("BROKER_SECRETS", f"{STRONG},\n{other}\n")
    monkeypatch.setenv("BROKER_REDIS_URL", "redis://:hunter2@127.0.0.1/0")
    settings = load()
    assert [s.get_secret_value() for s in settings.secrets] == [STRONG, other]
    text = repr(settings) + str(shown(settings))
    assert STRONG not in text
    assert "hunter2" not in text
    assert by_name(settings)["BROKER_SECRETS"].value == [MASK, MASK]


def test_every_setting_is_documented():
    """A description for each, and a duration says so by how it is shown."""
    rows = shown(load())
    assert all(len(row.description) > 15 and row.description.endswith(".") for row in rows)
    assert [r.name for r in rows if r.name.endswith(("_LIFETIME", "_IDLE"))]
    assert all(is_duration(n) for n in Settings.model_fields if n.endswith(("_lifetime", "_idle")))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), (" 30D ", 2592000), (5, 5)],
)
def test_durations(text, seconds):
    """Seconds, or numbers with units."""
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "-5", "5 minutes", "1.5h", "m", "10m5", "\u0661m"])
def test_bad_durations(text):
    """Anything else is refused."""
    with pytest.raises(ValueError, match="write seconds"):
        durations.parse(text)


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 90, 3600, 5400, 86400, 31536000, 90061])
def test_durations_are_shown_as_they_are_read(seconds):
    """What is shown can be pasted back."""
    assert durations.parse(durations.show(seconds)) == seconds


def test_one_worker_for_each_core_on_demand(monkeypatch):
    """``BROKER_WORKERS=auto`` counts the cores this process may use; other words fail."""
    monkeypatch.setenv("BROKER_WORKERS", "auto")
    assert 1 <= load().workers <= min(os.cpu_count() or 1, 64)
    if hasattr(os, "sched_setaffinity"):
        usable = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(usable)})
        try:
            assert load().workers == 1
        finally:
            os.sched_setaffinity(0, usable)
    monkeypatch.setenv("BROKER_WORKERS", "many")
    with pytest.raises(Refused, match="BROKER_WORKERS"):
        load()


@pytest.mark.parametrize(
    ("issuer", "docs", "shown"),
    [
        ("http://127.0.0.1:8000", "auto", "try"),
        ("https://id.example", "auto", "pages"),
        ("https://id.example", "try", "try"),
        ("http://127.0.0.1:8000", "pages", "pages"),
        ("http://127.0.0.1:8000", "off", "off"),
    ],
)
def test_signing_in_on_a_page_of_ours_is_for_this_machine_unless_asked_for(issuer, docs, shown):
    """A broker that others can reach has no built-in client that nobody switched on."""
    assert Settings(issuer=issuer, docs=docs).docs_shown == shown
