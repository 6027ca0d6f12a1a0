"""Discovery documents and released claims: what clients see, word for word."""

from broker.core import metadata
from broker.core.claims import authorizing, released

ISSUER = "https://id.example"
METHODS = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
SIGNATURES = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]

SERVER = {
    "issuer": "https://id.example",
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "revocation_endpoint": "https://id.example/revoke",
    "introspection_endpoint": "https://id.example/introspect",
    "device_authorization_endpoint": "https://id.example/device_authorization",
    "pushed_authorization_request_endpoint": "https://id.example/par",
    "require_pushed_authorization_requests": False,
    "jwks_uri": "https://id.example/.well-known/jwks.json",
    "scopes_supported": [
        "openid", "profile", "email", "offline_access", "guilds", "roles", "groups",
    ],
    "response_types_supported": ["code"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "grant_types_supported": [
        "authorization_code", "refresh_token", "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ],
    "token_endpoint_auth_methods_supported": METHODS,
    "token_endpoint_auth_signing_alg_values_supported": SIGNATURES,
    "revocation_endpoint_auth_methods_supported": METHODS,
    "revocation_endpoint_auth_signing_alg_values_supported": SIGNATURES,
    "introspection_endpoint_auth_methods_supported": METHODS[1:],
    "introspection_endpoint_auth_signing_alg_values_supported": SIGNATURES,
    "request_parameter_supported": True,
    "request_object_signing_alg_values_supported": SIGNATURES,
    "require_signed_request_object": False,
    "code_challenge_methods_supported": ["S256"],
    "dpop_signing_alg_values_supported": SIGNATURES[1:],
    "authorization_response_iss_parameter_supported": True,
}  # fmt: skip
PROVIDER = SERVER | {
    "userinfo_endpoint": "https://id.example/userinfo",
    "end_session_endpoint": "https://id.example/logout",
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
    "subject_types_supported": ["public", "pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "userinfo_signing_alg_values_supported": ["RS256"],
    "claims_supported": [
        "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "at_hash", "acr",
        "name", "preferred_username", "picture", "locale", "updated_at",
        "email", "email_verified", "guilds", "roles", "groups", "membership_as_of",
    ],
    "claim_types_supported": ["normal"],
    "claims_parameter_supported": True,
    "acr_values_supported": ["0"],
    "request_uri_parameter_supported": False,
    "prompt_values_supported": ["none", "login", "consent", "select_account"],
}  # fmt: skip


def test_the_authorization_server_s_metadata() -> None:
    """RFC 8414 §2; Authlib has found no fault with it."""
    assert metadata.server(ISSUER) == SERVER


def test_the_openid_provider_s_metadata() -> None:
    """OpenID Connect Discovery §3; Authlib has found no fault with it."""
    assert metadata.provider(ISSUER) == PROVIDER


def test_the_languages_of_pages_are_named() -> None:
    """Discovery §3: tags, where there are any to name."""
    document = metadata.provider(ISSUER, languages=("en", "ko"))
    assert document == PROVIDER | {"ui_locales_supported": ["en", "ko"]}


def test_the_algorithms_that_are_on_are_named() -> None:
    """Discovery §3: those of ID tokens, RS256 among them."""
    document = metadata.provider(ISSUER, algorithms=("RS256", "ES256"))
    signatures = ["RS256", "ES256"]
    assert document == PROVIDER | {
        "id_token_signing_alg_values_supported": signatures,
        "userinfo_signing_alg_values_supported": signatures,
    }


def test_the_document_as_sent_is_compact_json() -> None:
    """What is served is built once."""
    assert metadata.encoded({"a": [1, 2]}) == b'{"a":[1,2]}'


CLAIMS = {
    "name": "Ada", "preferred_username": "ada", "picture": None, "email": "ada@example.com",
    "email_verified": False, "secret": "x",
}  # fmt: skip


def test_what_grows_old_says_how_old_it_is() -> None:
    """Beside any claim about communities, and beside no other."""
    claims = CLAIMS | {"roles": [], "groups": None, "membership_as_of": 1}
    assert released(claims, ("roles", "groups")) == {"roles": [], "membership_as_of": 1}
    assert released(claims, ("profile", "groups")).keys() == {"name", "preferred_username"}
    assert authorizing(claims, ("openid", "roles")) == {"roles": [], "membership_as_of": 1}
    assert authorizing(claims, ("openid", "guilds")) == {}


def test_a_scope_releases_its_claims_and_no_others() -> None:
    """OpenID Connect Core §5.4; what is unknown stays absent, and False is known."""
    assert released(CLAIMS, ("openid",)) == {}
    assert released(CLAIMS, ("openid", "profile")) == {"name": "Ada", "preferred_username": "ada"}
    assert released(CLAIMS, ("email", "offline_access", "unheard_of")) == {
        "email": "ada@example.com",
        "email_verified": False,
    }
