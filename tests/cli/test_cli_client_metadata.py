"""``broker clients``: the metadata of apps that sign, push, exchange and are told things."""

import json

import pytest

from tests.core.signers import jwks, signs

URI = "https://app.example.org/cb"
APP = ("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
SERVICE = ("clients", "add", "Service", "--client-id", "service", "--grant", "code",
           "--redirect-uri", URI)  # fmt: skip


@pytest.fixture
def keys(tmp_path):
    """A file with the public keys of an app."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(jwks(signs("ES256", "k1"), signs("RS256", "k2"))))
    return path


def test_an_app_that_signs_has_keys_and_no_secret(cli, keys):
    """Its keys are named when it is shown, and nothing else of them."""
    made = cli.json(*APP, "--auth-method", "private_key_jwt", "--jwks", keys, "--auth-alg", "ES256")
    assert "client_secret" not in made
    assert made["auth_method"] == "private_key_jwt"
    assert [key["kid"] for key in made["jwks"]["keys"]] == ["k1", "k2"]
    assert made["token_endpoint_auth_signing_alg"] == "ES256"
    shown = cli("clients", "show", "app").stdout
    assert "k1: ES256" in shown
    assert "k2: RS256 PS256" in shown
    assert "private_key_jwt, signed with ES256" in shown
    assert "signs with keys of its own" in cli("clients", "rotate-secret", "app", code=4).stderr


def test_a_single_key_is_a_set_of_one(cli, tmp_path):
    """What most tools write to a file."""
    path = tmp_path / "key.json"
    path.write_text(json.dumps(signs("Ed25519").jwk))
    made = cli.json(*APP, "--auth-method", "private_key_jwt", "--jwks", path)
    assert len(made["jwks"]["keys"]) == 1


def test_keys_by_address(cli, keys):
    """Keys in a file and at an address take each other's place; an empty text clears."""
    cli(*APP, "--jwks", keys)
    address = "https://app.example.org/jwks"
    edited = cli.json("clients", "edit", "app", "--jwks-uri", address)
    assert (edited["jwks"], edited["jwks_uri"]) == (None, address)
    assert address in cli("clients", "show", "app").stdout
    edited = cli.json("clients", "edit", "app", "--jwks", keys)
    assert (len(edited["jwks"]["keys"]), edited["jwks_uri"]) == (2, None)
    edited = cli.json("clients", "edit", "app", "--jwks", "")
    assert (edited["jwks"], edited["jwks_uri"]) == (None, None)
    cli("clients", "edit", "app", "--jwks", keys, "--jwks-uri", address, code=2)
    assert "--jwks-uri" in cli(*APP, "--jwks-uri", "http://a.example/jwks", code=4).stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no JWK Set in JSON"), ("[]", "it is no JWK Set"), ('{"keys":[]}', "it holds no key")],
)
def test_what_is_no_key_set(cli, tmp_path, text, words):
    """Told in words."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    answer = cli(*APP, "--jwks", path, code=2 if text == "{" else 4)
    assert "--jwks" in answer.stderr
    assert words in answer.stderr
    assert "cannot be read" in cli(*APP, "--jwks", tmp_path / "nothing", code=2).stderr


def test_a_private_key_is_refused_by_name(cli, tmp_path):
    """Whoever hands it in has shown it."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(signs("ES256").private_jwk))
    assert "private or symmetric" in cli(*APP, "--jwks", path, code=4).stderr


def test_changing_how_an_app_proves_itself(cli, keys):
    """From a secret to keys: the secret ends. Back: a new one has to be made, and that is said."""
    cli(*APP)
    edited = cli.json("clients", "edit", "app", "--auth-method", "private_key_jwt", "--jwks", keys)
    assert edited["secrets"] == []
    answer = cli("clients", "edit", "app", "--auth-method", "client_secret_post")
    assert "broker clients rotate-secret app" in answer.stderr
    assert len(cli.json("clients", "rotate-secret", "app")["client_secret"]) == 43
    assert cli.json("clients", "edit", "app", "--auth-method", "none")["secrets"] == []
    assert "--jwks" in cli(*APP, "--auth-method", "private_key_jwt", code=4).stderr
    cli(*APP, "--auth-method", "secret", code=2)
    cli(*APP, "--public", "--auth-method", "client_secret_post", code=2)
    cli(*APP, "--confidential", "--auth-method", "none", code=2)


def test_every_option_reaches_the_registration(cli, keys):
    """One option, one member; what is set is shown."""
    made = cli.json(
        *APP, "--jwks", keys, "--request-alg", "PS256", "--require-par", "--require-signed-request",
        "--dpop", "--no-rotation", "--subject-type", "public", "--userinfo-alg", "RS256",
        "--sector-identifier-uri", "https://app.example.org/uris",
        "--backchannel-logout-uri", "https://app.example.org/out", "--backchannel-session",
        "--default-max-age", "1h", "--id-token-lifetime", "10m", "--grant-lifetime", "30d",
        "--grant-idle", "7d", "--contact", "ada@example.org", "--contact", "ben@example.org",
        "--initiate-login-uri", "https://app.example.org/in", "--software-id", "suite",
        "--software-version", "1.2",
    )  # fmt: skip
    expected = {
        "request_object_signing_alg": "PS256",
        "require_pushed_authorization_requests": True,
        "require_signed_request_object": True,
        "dpop_bound_access_tokens": True,
        "rotate_refresh_tokens": False,
        "subject_type": "public",
        "userinfo_signed_response_alg": "RS256",
        "sector_identifier_uri": "https://app.example.org/uris",
        "backchannel_logout_uri": "https://app.example.org/out",
        "backchannel_logout_session_required": True,
        "default_max_age": 3600,
        "id_token_lifetime": 600,
        "grant_lifetime": 30 * 86400,
        "grant_idle": 7 * 86400,
        "contacts": ["ada@example.org", "ben@example.org"],
        "initiate_login_uri": "https://app.example.org/in",
        "software_id": "suite",
        "software_version": "1.2",
    }
    assert {name: made[name] for name in expected} == expected
    shown = cli("clients", "show", "app").stdout
    for words in (
        "pushed", "signed with PS256", "not spent by their use", "1h",
        "https://app.example.org/out with the session", "7d", "ada@example.org", "suite 1.2",
    ):  # fmt: skip
        assert words in shown
    cleared = cli.json(
        "clients", "edit", "app", "--grant-idle", "", "--contact", "", "--request-alg", "",
        "--no-require-signed-request", "--rotation",
    )  # fmt: skip
    assert (cleared["grant_idle"], cleared["contacts"]) == (None, [])
    assert (cleared["request_object_signing_alg"], cleared["rotate_refresh_tokens"]) == (None, True)


def test_what_is_not_set_is_not_shown(cli):
    """An app that uses none of it looks as it did."""
    cli(*APP)
    shown = cli("clients", "show", "app").stdout
    for words in ("DPoP", "pairwise", "keys", "requests", "unused", "contacts", "sign-out"):
        assert words not in shown


def test_grants_by_short_words(cli):
    """As people call them; --refresh adds to what is there."""
    assert cli.json(*SERVICE)["grant_types"] == ["authorization_code"]
    edited = cli.json("clients", "edit", "service", "--grant", "code refresh device")
    assert edited["grant_types"] == [
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
    ]  # fmt: skip
    assert cli.json("clients", "edit", "service", "--no-refresh")["grant_types"] == [
        "authorization_code", "urn:ietf:params:oauth:grant-type:device_code",
    ]  # fmt: skip
    assert "--grant: password" in cli("clients", "edit", "service", "--grant", "password",
                                      code=2).stderr  # fmt: skip


def test_a_registration_s_own_token_is_not_shown(cli):
    """Only that it has registered itself, or not."""
    made = cli.json(*APP)
    assert made["self_registered"] is False
    assert "registration_digest" not in made


def test_scopes_of_apis(cli):
    """Those of registered APIs are taken; one that is nobody's is a slip of the pen."""
    assert "broker apis add" in cli(*APP, "--scope", "openid orders.read", code=4).stderr
    cli("apis", "add", "orders", "--scope", "orders.read")
    made = cli.json(*APP, "--scope", "openid orders.read", "--audience", "orders")
    assert made["scopes"] == ["openid", "orders.read"]
    assert "emial" in cli("clients", "edit", "app", "--scope", "openid emial", code=4).stderr
