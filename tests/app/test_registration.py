"""What a client may be registered with."""

from dataclasses import replace

import pytest
from joserfc.jwk import OKPKey

from broker.app.loading import load
from broker.app.problems import Refused
from broker.app.registration import check_client, judge, web_origins
from broker.core.errors import InvalidClientMetadata, InvalidRedirectUri
from broker.core.model import Client, ClientSecret

WEB = Client("app", "App", redirect_uris=("https://app.example.org/callback",))
KEYS = {"keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)]}
SERVICE = {
    "auth_method": "client_secret_basic",
    "grant_types": ("urn:ietf:params:oauth:grant-type:token-exchange",),
    "redirect_uris": (),
}
OFFERS = {
    "grant_types": ("urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token"),
    "exchange": ("upstream",),
    "redirect_uris": (),
}
TWO_HOSTS = ("https://a.example/cb", "https://b.example/cb")
NATIVE = replace(WEB, application_type="native")


def options(client, **given):
    try:
        check_client(client, load(**given))
    except Refused as refused:
        return [problem.setting for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.org/cb?tenant=1",
        "http://127.0.0.1:8000/cb",
        "http://localhost/cb",
        "http://[::1]:9/cb",
    ],
)
def test_good_redirects(uri):
    """Anywhere over https, on this machine over http."""
    assert options(replace(WEB, redirect_uris=(uri,))) == []


def test_pages_of_an_app_on_this_machine():
    """People are led to them over http by a broker that is on this machine too, by no other."""
    home = replace(WEB, client_uri="http://127.0.0.1:3000/", translations={})
    assert options(home) == []
    assert options(home, issuer="https://id.example.org") == ["--client-uri"]
    for elsewhere in ("http://app.example.org/", "http://127.0.0.1:x/", "http://me@localhost/"):
        assert options(replace(home, client_uri=elsewhere)) == ["--client-uri"]
    said = replace(home, translations={"logo_uri#ko": "http://localhost/logo.png"})
    assert options(said) == []
    assert options(said, issuer="https://id.example.org") == ["--client-uri", "--translation"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.org/cb",
        "https://app.example.org/cb#top",
        "https://me:pw@app.example.org/cb",
        "https://*.example.org/cb",
        "https://app.example.org/a/../cb",
        "https://app.example.org/c b",
        "https://app.example.org:99999/cb",
        "https:///cb",
        "/cb",
        "javascript:alert(1)",
        "com.example.app:/cb",
        "https://app.example.org/" + "a" * 2000,
        "https://app.exämple.org/cb",
        "https://app.example.org\\@evil.example/cb",
    ],
)
@pytest.mark.parametrize("field", ["redirect_uris", "post_logout_redirect_uris"])
def test_bad_redirects(uri, field):
    """Nothing through which a code could reach somebody else."""
    assert len(options(replace(WEB, **{field: (uri,)}))) == 1


@pytest.mark.parametrize("uri", ["com.example.app:/cb", "http://127.0.0.1/cb"])
def test_native_apps_may_use_their_own_scheme_or_loopback(uri):
    """RFC 8252 §7.1 and §7.3."""
    assert options(replace(NATIVE, redirect_uris=(uri,))) == []


@pytest.mark.parametrize("uri", ["myapp:/cb", "javascript:alert(1)", "data:text/html,x"])
def test_a_native_scheme_is_a_domain_backwards(uri):
    """A short scheme can be claimed by anybody (RFC 8252 §7.1)."""
    assert options(replace(NATIVE, redirect_uris=(uri,))) == ["--redirect-uri"]


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.org/", "app.example.org", "http://app.example.org", "*", "null",
     "https://APP.example.org", "https://a:b@app.example.org"],
)  # fmt: skip
def test_bad_origins(origin):
    """An origin is scheme, host and port, and safe."""
    assert options(replace(WEB, origins=(origin,))) == ["--origin"]


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"redirect_uris": ()}, "--redirect-uri"),
        ({"client_id": "a b"}, "--client-id"),
        ({"name": " "}, "NAME"),
        ({"name": "a\x1b[31m"}, "NAME"),
        ({"require_pkce": False}, "--no-pkce"),
        ({"secrets": (ClientSecret("00", 1.0),)}, "--auth-method"),
        ({"scopes": ("profile",)}, "--scope"),
        ({"access_token_lifetime": 86400}, "--access-token-lifetime"),
        ({"access_token_lifetime": 1}, "--access-token-lifetime"),
        ({"resources": ("not absolute",)}, "--resource"),
        ({"logo_uri": "javascript:alert(1)"}, "--logo-uri"),
        ({"client_uri": "http://app.example.org"}, "--client-uri"),
        ({"translations": {"client_name#ko": "x" * 101}}, "--translation"),
        ({"translations": {"client_name#ko": " "}}, "--translation"),
        ({"translations": {"logo_uri#ko": "javascript:alert(1)"}}, "--translation"),
        ({"translations": {"tos_uri#ko": "http://app.example.org/ko"}}, "--translation"),
        ({"translations": {"scope#ko": "openid"}}, "--translation"),
        ({"translations": {"client_name": "App"}}, "--translation"),
        ({"translations": {"client_name#한국어": "앱"}}, "--translation"),
        ({"support_uri": "tel:+1"}, "--support-uri"),
        ({"support_uri": "mailto:nobody"}, "--support-uri"),
        ({"support_uri": 'mailto:a@b.example"onclick="x'}, "--support-uri"),
        ({"tos_uri": "mailto:help@app.example.org"}, "--tos-uri"),
        ({"translations": {"support_uri#ko": "javascript:a@b"}}, "--translation"),
        ({"brand_accent": "#ffcc00"}, "--brand-accent"),
        ({"brand_accent": "purple"}, "--brand-accent"),
        ({"brand_accent": ""}, "--brand-accent"),
        ({"brand_accent": "#14604f;}*{"}, "--brand-accent"),
        ({"id_token_signed_response_alg": "ES256"}, "--id-token-alg"),
        ({"id_token_signed_response_alg": "none"}, "--id-token-alg"),
        ({"scopes": ("openid", 'a"b')}, "--scope"),
        ({"grant_types": ("authorization_code", "password")}, "--grant"),
        ({"application_type": "service"}, "--native"),
        ({"auth_method": "client_secret_jwt"}, "--auth-method"),
        ({"auth_method": "private_key_jwt"}, "--jwks"),
        ({"require_signed_request_object": True}, "--jwks"),
        ({"exchange": ("delegation",)}, "--exchange"),
        (SERVICE | {"exchange": ("theft",)}, "--exchange"),
        ({"exchange": ("upstream",)}, "--exchange"),
        (OFFERS | {"exchange": ("upstream", "delegation")}, "--grant"),
        (OFFERS | {"exchange": ()}, "--grant"),
        (OFFERS | {"upstream_token": True}, "--upstream-token"),
        ({"auth_method": "client_secret_basic", "upstream_token": True}, "--upstream-token"),
        ({"jwks": KEYS, "jwks_uri": "https://app.example.org/keys"}, "--jwks-uri"),
        ({"grant_types": (*WEB.grant_types, "client_credentials")}, "--grant"),
        ({"rotate_refresh_tokens": False}, "--no-rotation"),
        ({"userinfo_signed_response_alg": "ES256"}, "--userinfo-alg"),
        ({"request_object_signing_alg": "none"}, "--request-alg"),
        ({"token_endpoint_auth_signing_alg": "HS256"}, "--auth-alg"),
        ({"subject_type": "shared"}, "--subject-type"),
        ({"subject_type": "pairwise", "redirect_uris": TWO_HOSTS}, "--sector-identifier-uri"),
        ({"id_token_lifetime": 86400}, "--id-token-lifetime"),
        ({"grant_lifetime": 10}, "--grant-lifetime"),
        ({"grant_idle": 10**9}, "--grant-idle"),
        ({"initiate_login_uri": "http://app.example.org"}, "--initiate-login-uri"),
        ({"jwks_uri": "http://app.example.org/keys"}, "--jwks-uri"),
        ({"backchannel_logout_uri": "https://127.0.0.1/bye"}, "--backchannel-logout-uri"),
        ({"sector_identifier_uri": "https://localhost/hosts"}, "--sector-identifier-uri"),
    ],
)
def test_other_rules_name_their_option(change, option):
    """Each refusal says what to change."""
    assert options(replace(WEB, **change)) == [option]


def test_a_public_client_may_offer_tokens_of_discord():
    """As its only way to exchange: an Activity is a page in a browser, without a redirect."""
    assert options(replace(WEB, **OFFERS)) == []
    assert options(replace(WEB, **OFFERS, auth_method="client_secret_basic")) == []


def test_a_confidential_client_may_have_its_people_s_tokens():
    """Off by default."""
    assert not WEB.upstream_token
    assert options(replace(WEB, **SERVICE, upstream_token=True)) == []


def test_a_confidential_client_may_be_let_off_pkce():
    """By its registration, never by default."""
    assert options(replace(WEB, auth_method="client_secret_basic", require_pkce=False)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"auth_method": "client_secret_basic", "rotate_refresh_tokens": False},
        {"dpop_bound_access_tokens": True, "rotate_refresh_tokens": False},
        {"grant_types": (), "redirect_uris": (), "scopes": ()},
        {"grant_lifetime": 86400, "grant_idle": 3600, "id_token_lifetime": 600},
        {"backchannel_logout_uri": "https://app.example.org/bye"},
        {"scopes": ("openid", "orders.read")},
        {"disabled": True, "id_token_signed_response_alg": "ES256"},
    ],
)
def test_what_else_is_well(change):
    """The rules refuse no more than they say."""
    assert options(replace(WEB, **change)) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"redirect_uris": ("http://evil.example/cb",)}, InvalidRedirectUri),
        ({"redirect_uris": ()}, InvalidRedirectUri),
        ({"post_logout_redirect_uris": ("javascript:1",)}, InvalidClientMetadata),
        ({"scopes": ("profile",)}, InvalidClientMetadata),
        ({"auth_method": "client_secret_jwt"}, InvalidClientMetadata),
    ],
)
def test_a_client_that_asks_itself_is_told_by_the_standard_s_codes(change, kind):
    """RFC 7591 §3.2.2; the member is named, not the option of a command."""
    with pytest.raises(kind, match=r"^(\w+): ") as caught:
        judge(replace(WEB, **change), load())
    assert not caught.value.public.startswith("--")


def test_origins_of_redirect_uris():
    """What a public web app needs is known from where it is."""
    client = replace(WEB, redirect_uris=("https://a.example:8443/x", "https://a.example:8443/y"))
    assert web_origins(client) == ("https://a.example:8443",)
