"""``broker clients``: what operators do to registrations."""

import asyncio
import hashlib
import json

import pytest

from broker.app.clock import SystemClock, SystemEntropy
from broker.app.loading import load
from broker.app.stores import open_stores
from broker.core.clients import authenticate
from broker.core.errors import InvalidClient
from broker.core.parameters import Parameters

URI = "https://app.example.org/cb"


def test_a_confidential_app_gets_a_secret_once(cli):
    """Shown when made; afterwards only that there is one."""
    made = cli.json("clients", "add", "App", "--redirect-uri", URI, "--client-id", "app")
    secret = made["client_secret"]
    assert len(secret) == 43
    shown = cli("clients", "show", "app").stdout + cli("clients", "list").stdout
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in shown
    assert digest not in shown + cli("clients", "show", "app", "--json").stdout
    assert made["auth_method"] == "client_secret_basic"
    assert made["require_pkce"] is True


def test_a_public_app_has_no_secret_and_its_own_origin(cli):
    """What a single-page app needs, by one option."""
    made = cli.json("clients", "add", "Spa", "--public", "--redirect-uri", URI)
    assert "client_secret" not in made
    assert made["auth_method"] == "none"
    assert made["origins"] == ["https://app.example.org"]


def test_a_native_app_is_public(cli):
    """Nothing on a phone can keep a secret (RFC 8252 §8.5)."""
    made = cli.json("clients", "add", "Phone", "--native", "--redirect-uri", "com.example.app:/cb")
    assert (made["auth_method"], made["application_type"]) == ("none", "native")


def test_all_options_reach_the_registration(cli):
    """One option, one member."""
    made = cli.json(
        "clients", "add", "App", "--client-id", "full", "--redirect-uri", URI,
        "--redirect-uri", "https://two.example.org/cb", "--post-logout-redirect-uri", URI,
        "--scope", "openid profile", "--scope", "email", "--origin", "https://app.example.org",
        "--audience", "https://api.example.org", "--resource", "https://api.example.org/v1",
        "--first-party", "--no-refresh", "--no-pkce", "--no-id-token-at-refresh",
        "--access-token-lifetime", "10m", "--client-uri", "https://app.example.org",
        "--logo-uri", "https://app.example.org/logo.png",
        "--policy-uri", "https://app.example.org/privacy", "--tos-uri", "https://app.example.org/tos",
    )  # fmt: skip
    assert made["redirect_uris"] == [URI, "https://two.example.org/cb"]
    assert made["post_logout_redirect_uris"] == [URI]
    assert made["scopes"] == ["openid", "profile", "email"]
    assert made["grant_types"] == ["authorization_code"]
    assert made["access_token_lifetime"] == 600
    assert made["audience"] == "https://api.example.org"
    assert made["resources"] == ["https://api.example.org/v1"]
    assert (made["first_party"], made["require_pkce"], made["id_token_at_refresh"]) == (
        True,
        False,
        False,
    )
    assert made["tos_uri"].endswith("/tos")


def test_an_edit_changes_what_it_names(cli):
    """Lists are replaced whole, an empty text clears, all else stays."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI, "--audience", "a")
    edited = cli.json(
        "clients", "edit", "app", "--name", "New", "--audience", "", "--disable", "--first-party"
    )
    assert (edited["name"], edited["audience"], edited["disabled"]) == ("New", None, True)
    assert edited["redirect_uris"] == [URI]
    assert cli.json("clients", "edit", "app", "--enable")["disabled"] is False
    cli("clients", "edit", "app", code=2)


def test_a_colour(cli, tmp_path):
    """Shown, exported, imported and cleared; one that cannot be read is refused with one near."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI,
        "--brand-accent", "#7a1fa2")  # fmt: skip
    assert "#7a1fa2" in cli("clients", "show", "app").stdout
    refused = cli("clients", "edit", "app", "--brand-accent", "#ffcc00", code=4).stderr
    assert "--brand-accent: its contrast on light pages is 1.3 to 1" in refused
    better = refused.partition("such as ")[2].split()[0].strip(".")
    assert cli.json("clients", "edit", "app", "--brand-accent", better)["brand_accent"] == better
    exported = json.loads(cli("clients", "export", "app").stdout)
    assert exported[0]["brand_accent"] == better
    assert cli.json("clients", "edit", "app", "--brand-accent", "")["brand_accent"] is None
    (tmp_path / "apps.json").write_text(json.dumps(exported))
    assert cli.json("clients", "import", "--update", "apps.json")["changed"] == ["app"]
    assert cli.json("clients", "show", "app")["brand_accent"] == better


def test_names_in_other_languages(cli, tmp_path):
    """One option for each, as the metadata call it; they replace the whole list."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI,
        "--translation", "client_name#ko=앱",
        "--translation", "tos_uri#ko=https://a.example/?q=1")  # fmt: skip
    said = {"client_name#ko": "앱", "tos_uri#ko": "https://a.example/?q=1"}
    assert cli.json("clients", "show", "app")["translations"] == said
    assert "client_name#ko: 앱" in cli("clients", "show", "app").stdout
    (entry,) = exported = json.loads(cli("clients", "export", "app").stdout)
    assert said.items() <= entry.items()
    edited = cli.json("clients", "edit", "app", "--translation", "client_name#ja=アプリ")
    assert edited["translations"] == {"client_name#ja": "アプリ"}
    (tmp_path / "apps.json").write_text(json.dumps(exported))
    told = cli.json("clients", "import", "--update", "apps.json")["differences"]["app"]
    assert told == {
        "client_name#ja": ["アプリ", None], "client_name#ko": [None, "앱"],
        "tos_uri#ko": [None, "https://a.example/?q=1"],
    }  # fmt: skip
    assert cli.json("clients", "edit", "app", "--translation", "")["translations"] is None
    for wrong in ("client_name#ko", "client_name=앱", "client_name#ko="):
        assert "of the form" in cli("clients", "edit", "app", "--translation", wrong, code=2).stderr
    refused = cli("clients", "edit", "app", "--translation", "scope#ko=openid", code=4).stderr
    assert "--translation: of client_name, client_uri" in refused
    entry["tos_uri#ko"] = "http://a.example"
    (tmp_path / "apps.json").write_text(json.dumps([entry]))
    refused = cli("clients", "import", "--update", "apps.json", code=4).stderr
    assert "entry 1 (app): tos_uri#ko: must be an https address" in " ".join(refused.split())


def test_an_edit_is_judged_like_an_addition(cli):
    """No back door for bad addresses, nor for a public app without PKCE."""
    cli("clients", "add", "App", "--client-id", "app", "--public", "--redirect-uri", URI)
    answer = cli("clients", "edit", "app", "--redirect-uri", "http://evil.example/cb", code=4)
    assert "--redirect-uri" in answer.stderr
    cli("clients", "edit", "app", "--no-pkce", code=4)
    assert cli.json("clients", "show", "app")["redirect_uris"] == [URI]


def test_a_new_secret_leaves_time_for_the_old_one(cli):
    """Both work for a day; a third ends the first no later; 0 ends all at once."""
    first = cli.json("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    second = cli.json("clients", "rotate-secret", "app")
    assert second["client_secret"] != first["client_secret"]
    assert len(second["old_secrets_expire_at"]) == 1
    third = cli.json("clients", "rotate-secret", "app", "--keep-old", "48h")
    assert third["old_secrets_expire_at"][1] == second["old_secrets_expire_at"][0]
    assert (
        cli.json("clients", "rotate-secret", "app", "--keep-old", "0")["old_secrets_expire_at"]
        == []
    )
    cli("clients", "rotate-secret", "app", "--keep-old", "soon", code=2)


def proves(client_id, secret):
    """Whether the token endpoint's own judge takes the secret, by what is in the table now."""

    async def work():
        settings, clock = load(), SystemClock()
        async with open_stores(settings, clock, SystemEntropy(), "unix:///nowhere") as stores:
            given = Parameters([("client_id", client_id), ("client_secret", secret)])
            clients = stores.sql.followed_clients
            try:
                await authenticate(clients, given, None, now=clock.now())
            except InvalidClient:
                return False
            return True

    return asyncio.run(work())


def test_both_secrets_are_taken_while_one_is_replaced(cli):
    """Servers of an app can be given the new one in turn; then the old one is dead."""
    first = cli.json("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    second = cli.json("clients", "rotate-secret", "app")
    assert proves("app", first["client_secret"])
    assert proves("app", second["client_secret"])
    third = cli.json("clients", "rotate-secret", "app", "--keep-old", "0")
    assert not proves("app", first["client_secret"])
    assert not proves("app", second["client_secret"])
    assert proves("app", third["client_secret"])


def test_a_public_app_has_no_secret_to_rotate(cli):
    """Refused by rule."""
    cli("clients", "add", "Spa", "--client-id", "spa", "--public", "--redirect-uri", URI)
    assert "public" in cli("clients", "rotate-secret", "spa", code=4).stderr


def test_a_removed_app_is_gone_and_its_identifier_is_not_given_again(cli):
    """A person's consent to one app must not pass to another."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    cli("clients", "remove", "app", "--yes")
    assert cli.json("clients", "list") == []
    cli("clients", "show", "app", code=3)
    cli("clients", "remove", "app", "--yes", code=3)
    assert (
        "taken"
        in cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI, code=4).stderr
    )


@pytest.mark.parametrize("words", [("show", "no"), ("edit", "no", "--name", "x"),
                                   ("rotate-secret", "no"), ("remove", "no")])  # fmt: skip
def test_an_unknown_app_is_exit_code_3(cli, words):
    """Scripts can tell."""
    assert cli("clients", *words, code=3).stderr.startswith("broker: ")


def test_a_name_is_text_not_markup(cli):
    """Rich's markup in a name stays what it is."""
    cli("clients", "add", "[red]App[/red]", "--client-id", "app", "--redirect-uri", URI)
    assert "[red]App[/red]" in cli("clients", "list").stdout
