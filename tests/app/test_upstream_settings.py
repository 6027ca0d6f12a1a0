"""``BROKER_UPSTREAMS``: read from text and tables, refused with the reason, never shown whole."""

import json

import pytest

from broker.app.checks import check, check_serving
from broker.app.loading import load, shown
from broker.app.problems import Refused
from broker.app.upstreams import providers

GOOGLE = {
    "name": "google",
    "kind": "oidc",
    "title": "Google",
    "issuer": "https://accounts.google.com",
    "client_id": "us.apps.example",
    "client_secret": "a-secret-of-ours",
}
GITHUB = {
    "name": "github",
    "kind": "github",
    "title": "GitHub",
    "client_id": "Iv1.us",
    "client_secret": "another-secret",
}


def given(monkeypatch, *upstreams, **settings):
    monkeypatch.setenv("BROKER_UPSTREAMS", json.dumps(upstreams))
    for name, value in settings.items():
        monkeypatch.setenv(f"BROKER_{name.upper()}", value)


def reasons(serving=False):
    """Every reason why the settings are refused; all of them name the setting."""
    try:
        (check_serving if serving else check)(load())
    except Refused as refused:
        return [str(problem) for problem in refused.problems]
    return []


def test_two_in_the_environment(monkeypatch):
    """As JSON text; what is left out has its usual value."""
    given(monkeypatch, GOOGLE, GITHUB, issuer="https://id.example.org")
    google, github = load().upstreams
    assert (google.name, google.kind, google.scopes) == ("google", "oidc", ())
    assert google.client_secret.get_secret_value() == "a-secret-of-ours"
    assert (github.title, github.issuer) == ("GitHub", "")
    assert reasons() == []


def test_tables_of_the_settings_file(monkeypatch, tmp_path):
    """``[[upstreams]]``, the secret in a file of its own, its last newline dropped."""
    (tmp_path / "secret").write_text("from-a-file\n")
    (tmp_path / "s.toml").write_text(
        '[[upstreams]]\nname = "corp"\nkind = "oidc"\ntitle = "Corp"\nclient_id = "us"\n'
        f'issuer = "https://corp.example"\nclient_secret_file = "{tmp_path / "secret"}"\n'
        'scopes = ["openid", "profile", "groups"]\n'
    )
    monkeypatch.setenv("BROKER_SETTINGS", str(tmp_path / "s.toml"))
    (corp,) = load().upstreams
    assert corp.client_secret.get_secret_value() == "from-a-file"
    assert corp.scopes == ("openid", "profile", "groups")
    assert reasons() == []


def test_no_secret_is_ever_shown(monkeypatch, tmp_path):
    """Not by ``broker config``, not in a repr, not in a refusal."""
    (tmp_path / "secret").write_text("from-a-file")
    by_file = {**GITHUB, "client_secret_file": str(tmp_path / "secret")}
    del by_file["client_secret"]
    given(monkeypatch, GOOGLE, by_file)
    settings = load()
    row = next(one for one in shown(settings) if one.name == "BROKER_UPSTREAMS")
    assert row.value[0]["client_secret"] == "••••••"
    assert row.value[1]["client_secret_file"] == str(tmp_path / "secret")
    assert json.dumps(row.value)
    told = f"{row}{settings!r}"
    for wrong in ({**GOOGLE, "kind": "saml"}, {**GOOGLE, "extra": 1}, {**GOOGLE, "title": ""}):
        given(monkeypatch, wrong)
        told += " ".join(reasons())
    for secret in ("a-secret-of-ours", "from-a-file"):
        assert secret not in told


@pytest.mark.parametrize("text", ["{", "{}", "google", "7", '"x"', "[" * 100_000])
def test_what_is_no_list_is_refused(monkeypatch, text):
    """And nothing of it is repeated: it may hold a secret."""
    monkeypatch.setenv("BROKER_UPSTREAMS", text)
    (reason,) = reasons()
    assert reason.startswith("BROKER_UPSTREAMS: is no JSON")


WRONG = {
    "no object": ("x", "1:"),
    "an unknown kind": ({**GOOGLE, "kind": "saml"}, "kind"),
    "an unknown member": ({**GOOGLE, "secret": "x"}, "secret"),
    "no kind": ({name: GOOGLE[name] for name in GOOGLE if name != "kind"}, "kind"),
    "a name in capitals": ({**GOOGLE, "name": "Google"}, "a-z, 0-9"),
    "a name with a slash": ({**GOOGLE, "name": "a/b"}, "a-z, 0-9"),
    "a name that is empty": ({**GOOGLE, "name": ""}, "a-z, 0-9"),
    "a long name": ({**GOOGLE, "name": "a" * 33}, "a-z, 0-9"),
    "Discord's name": ({**GOOGLE, "name": "discord"}, "settings of its own"),
    "no title": ({**GOOGLE, "title": ""}, "title"),
    "a title that cannot be shown": ({**GOOGLE, "title": "a\x00b"}, "title"),
    "no issuer": ({**GOOGLE, "issuer": ""}, "issuer"),
    "an issuer in clear": ({**GOOGLE, "issuer": "http://corp.example"}, "https"),
    "an issuer with a query": ({**GOOGLE, "issuer": "https://corp.example?a"}, "issuer"),
    "an issuer with credentials": ({**GOOGLE, "issuer": "https://a:b@corp.example"}, "credentials"),
    "an issuer on this machine": ({**GOOGLE, "issuer": "http://127.0.0.1:8"}, "this machine"),
    "no address": ({**GOOGLE, "issuer": "https://[::1"}, "issuer"),
    "GitHub with a path": ({**GITHUB, "issuer": "https://github.com/"}, "without a path"),
    "no client id": ({**GOOGLE, "client_id": ""}, "client_id"),
    "no secret": ({**GOOGLE, "client_secret": ""}, "client_secret"),
    "a secret with umlauts": ({**GOOGLE, "client_secret": "ä"}, "client_secret"),
    "two secrets": ({**GOOGLE, "client_secret_file": "x"}, "keep one"),
    "a secret out of reach": (
        {**GOOGLE, "client_secret": "", "client_secret_file": "nowhere"},
        "cannot read nowhere",
    ),
    "a scope with a blank": ({**GOOGLE, "scopes": ["a b"]}, "scopes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(monkeypatch, name):
    """Each with the setting, the upstream or its place in the list, and the reason."""
    wrong, word = WRONG[name]
    given(monkeypatch, wrong, issuer="https://id.example.org")
    found = reasons()
    assert found, name
    assert any(reason.startswith("BROKER_UPSTREAMS: ") and word in reason for reason in found)


def test_two_of_one_name(monkeypatch):
    """Their people would be taken for each other's."""
    given(monkeypatch, GITHUB, {**GOOGLE, "name": "github"})
    assert any("two have the name github" in reason for reason in reasons())


def test_a_provider_on_this_machine_serves_this_machine(monkeypatch):
    """For trying things out: then our own issuer is on it too."""
    given(monkeypatch, {**GOOGLE, "issuer": "http://127.0.0.1:8080/realms/x"})
    assert reasons() == []


def test_discord_may_be_absent_where_there_is_another(monkeypatch):
    """Half of its credentials is a mistake all the same; none at all and nobody else is one too."""
    given(monkeypatch, GOOGLE)
    assert reasons(serving=True) == []
    assert [one.name for one in providers(load())] == ["google"]
    monkeypatch.setenv("BROKER_DISCORD_CLIENT_ID", "1")
    assert any("BROKER_DISCORD_CLIENT_SECRET" in reason for reason in reasons(serving=True))
    monkeypatch.setenv("BROKER_DISCORD_CLIENT_SECRET", "x")
    assert [one.name for one in providers(load())] == ["discord", "google"]
    monkeypatch.delenv("BROKER_DISCORD_CLIENT_ID")
    assert any("BROKER_DISCORD_CLIENT_ID" in reason for reason in reasons(serving=True))
    given(monkeypatch)
    monkeypatch.delenv("BROKER_DISCORD_CLIENT_SECRET")
    assert any("BROKER_DISCORD_CLIENT_ID" in reason for reason in reasons(serving=True))


@pytest.mark.parametrize(
    ("issuer", "mark"),
    [
        ("https://accounts.google.com", "google"),
        ("https://login.microsoftonline.com/common/v2.0", "microsoft"),
        ("https://gitlab.example.org", "gitlab"),
        ("https://accounts.google.com.evil.example", ""),
    ],
)
def test_marks(monkeypatch, issuer, mark):
    """Those that we draw are for those that they stand for."""
    given(monkeypatch, {**GOOGLE, "issuer": issuer})
    assert providers(load())[-1].mark == mark
