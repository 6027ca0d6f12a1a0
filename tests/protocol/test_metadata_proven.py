"""Discovery says what is so: each statement is tried out, what is named and what is not."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import pytest
import pytest_asyncio

from broker.app.published import provider_metadata, server_metadata
from broker.app.settings import Settings
from broker.app.telling import Pace, Telling
from broker.web.routes import ROUTES
from tests.protocol import trying
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ISSUER

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
QUICK: Final = Pace(interval=0.05, first=0.05, longest=0.2)
LEAD: Final = 3600  # seconds; longer than a first key waits

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

# Where each endpoint is; one that is not named is not there.
ENDPOINTS: Final = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "revocation_endpoint": "/revoke",
    "introspection_endpoint": "/introspect",
    "pushed_authorization_request_endpoint": "/par",
    "device_authorization_endpoint": "/device_authorization",
    "registration_endpoint": "/register",
    "end_session_endpoint": "/logout",
    "jwks_uri": "/.well-known/jwks.json",
}
# What no program is to find by discovery: pages, the documents themselves, probes.
UNNAMED: Final = {
    "/", "/account", "/interaction", "/login/{upstream}/callback", "/device", "/device/done",
    "/device/qr/{code}.svg", "/register/{client_id}", "/static/{name}", "/livez", "/readyz",
    "/webhooks/discord", "/admin", "/admin/enter", "/admin/static/{path:path}",
    "/admin/{path:path}", "/docs", "/docs/{name}",
    "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
}  # fmt: skip

AUTHENTICATION: Final = (
    "none", "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt",
)  # fmt: skip
GARBAGE: Final = {"token": "x"}

# A list of values → who might be in it, and the attempt that says whether one works.
VALUES: Final[dict[str, tuple[tuple[str, ...], trying.Attempt]]] = {
    "scopes_supported": (
        ("openid", "profile", "email", "offline_access", "guilds", "roles", "groups", "phone"),
        trying.scope,
    ),
    "response_types_supported": (
        ("code", "token", "id_token", "code token", "code id_token", "id_token token", "none"),
        trying.response_type,
    ),
    "response_modes_supported": (
        ("query", "fragment", "form_post", "query.jwt", "jwt"),
        trying.response_mode,
    ),
    "grant_types_supported": (
        (
            "authorization_code", "refresh_token", "client_credentials", "password", "implicit",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:openid:params:grant-type:ciba",
        ),
        trying.grant_type,
    ),
    "token_endpoint_auth_methods_supported": (
        AUTHENTICATION,
        trying.authentication("/token", {"grant_type": "refresh_token", "refresh_token": "x"}),
    ),
    "revocation_endpoint_auth_methods_supported": (
        AUTHENTICATION,
        trying.authentication("/revoke", GARBAGE),
    ),
    "introspection_endpoint_auth_methods_supported": (
        AUTHENTICATION,
        trying.authentication("/introspect", GARBAGE),
    ),
    "token_endpoint_auth_signing_alg_values_supported": (
        trying.EVERY_ALG,
        trying.assertion_signed,
    ),
    "request_object_signing_alg_values_supported": (trying.EVERY_ALG, trying.request_object),
    "id_token_signing_alg_values_supported": (trying.EVERY_ALG, trying.id_token_alg),
    "userinfo_signing_alg_values_supported": (trying.EVERY_ALG, trying.userinfo_alg),
    "dpop_signing_alg_values_supported": (trying.EVERY_ALG, trying.dpop_alg),
    "code_challenge_methods_supported": (("S256", "plain"), trying.challenge_method),
    "prompt_values_supported": (
        ("none", "login", "consent", "select_account", "create"),
        trying.prompt,
    ),
    "ui_locales_supported": (("en", "ko", "de", "ja"), trying.ui_locale),
    "subject_types_supported": (("public", "pairwise"), trying.subject_type),
}  # fmt: skip
# The same list is named for endpoints that judge in the same place.
ALIKE: Final = {
    f"{endpoint}_endpoint_auth_signing_alg_values_supported": (
        "token_endpoint_auth_signing_alg_values_supported"
    )
    for endpoint in ("revocation", "introspection")
}
FLAGS: Final = {
    "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
    "require_signed_request_object", "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported", "backchannel_logout_supported",
    "backchannel_logout_session_supported",
}  # fmt: skip
OTHERS: Final = {"issuer", "claims_supported", "claim_types_supported", "acr_values_supported"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker with all switched on that can be."""
    on: dict[str, Any] = {"registration": "open", "signing_algorithms": ALGORITHMS[1:]}
    on |= {"outbound_allow": ("127.0.0.1",), "redis_prefix": "proven"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("broker.app.compose.Telling", partial(Telling, pace=QUICK))
        async with begin(shared, tmp_path_factory.mktemp("proven"), **on) as found:
            await found.advance(LEAD)
            yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(full_world: World) -> World:
    await full_world.reset()
    return full_world


async def documents(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both documents: OpenID Connect Discovery's and RFC 8414's."""
    first = await world.api.get("/.well-known/openid-configuration")
    second = await world.api.get("/.well-known/oauth-authorization-server")
    return first.json(), second.json()


async def test_every_statement_is_proven_here(world: World) -> None:
    """A member that somebody adds needs a proof; a member for OAuth says the same in both."""
    provider, server = await documents(world)
    proven = {*ENDPOINTS, *VALUES, *ALIKE, *FLAGS, *OTHERS}
    assert not provider.keys() - proven
    assert server.items() <= provider.items()


async def test_endpoints(world: World, broker_world: World) -> None:
    """Each that is named is there, each that is there is named; the rest is 404."""
    assert {entry.path for entry in ROUTES} - {*ENDPOINTS.values()} == UNNAMED
    for one in (world, broker_world):
        provider, _ = await documents(one)
        for member, path in ENDPOINTS.items():
            there = (await one.api.get(path)).status_code != 404
            assert provider.get(member) == (f"{ISSUER}{path}" if there else None), member


@pytest.mark.parametrize("member", VALUES)
async def test_values(world: World, member: str) -> None:
    """What works is named, what is named works."""
    provider, _ = await documents(world)
    named = provider.get(member, [])
    candidates, attempt = VALUES[member]
    assert set(named) <= set(candidates), "somebody has to try the new one"
    assert [one for one in candidates if await attempt(world, one)] == sorted(
        named, key=candidates.index
    )


@pytest.mark.parametrize("member", ALIKE)
async def test_values_that_are_judged_in_one_place(world: World, member: str) -> None:
    """They are those of the token endpoint, or not named (RFC 8414 §2)."""
    provider, _ = await documents(world)
    assert provider.get(member) in (None, provider.get(ALIKE[member]))


async def test_values_where_little_is_on(broker_world: World) -> None:
    """With one algorithm, one is named, and no other signs."""
    await broker_world.reset()
    provider, _ = await documents(broker_world)
    assert provider["id_token_signing_alg_values_supported"] == ["RS256"]
    assert not await trying.id_token_alg(broker_world, "ES256")


async def test_flags(world: World) -> None:
    """True where it is so and false where it is not; left out, it means what its default does."""
    provider, _ = await documents(world)
    found = {
        "claims_parameter_supported": await trying.requested_claim(world),
        "request_parameter_supported": await trying.request_object(world, "ES256"),
        "request_uri_parameter_supported": await trying.foreign_request_uri(world),
        "require_signed_request_object": not await trying.unsigned_request(world),
        "require_pushed_authorization_requests": not await trying.unsigned_request(world),
        "authorization_response_iss_parameter_supported": await trying.names_issuer(world),
    }
    heard = await trying.logout_token(world)
    found["backchannel_logout_supported"] = heard is not None
    found["backchannel_logout_session_supported"] = bool(heard and heard.get("sid"))
    assert found.keys() == FLAGS
    missing = {"request_uri_parameter_supported": True}  # Discovery §3; all others: false
    named = {name: provider.get(name, missing.get(name, False)) for name in FLAGS}
    assert named == found


async def test_claims(world: World) -> None:
    """Every claim that anybody is told is named, and each that is named is told to somebody."""
    provider, _ = await documents(world)
    contexts = provider.get("acr_values_supported", [])
    assert "acr" not in await trying.told_claims(world, None)
    told = await trying.told_claims(world, " ".join(contexts) or None)
    assert set(told) == set(provider["claims_supported"])
    assert [told[name] for name in ("acr",) if name in told] == contexts
    assert provider["claim_types_supported"] == ["normal"]
    assert provider["issuer"] == ISSUER


def differing(**settings: Any) -> set[str]:
    """The members in which either document differs from that of the default settings."""
    plain, changed = Settings(issuer=ISSUER), Settings(issuer=ISSUER, **settings)
    found = set()
    for document in (provider_metadata, server_metadata):
        before, after = document(plain), document(changed)
        found |= {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    return found


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({}, set()),
        ({"registration": "open"}, {"registration_endpoint"}),
        ({"registration": "token"}, {"registration_endpoint"}),
        ({"dpop_nonces": True}, set()),
        ({"code_lifetime": 30}, set()),
    ],
)
async def test_a_setting_changes_what_it_is_about(settings: dict, members: set[str]) -> None:
    """And nothing else."""
    assert differing(**settings) == members


async def test_algorithms_change_what_is_signed_with_them() -> None:
    """ID tokens, and what else the broker itself signs; not what clients sign."""
    found = differing(signing_algorithms="ES256")
    assert "id_token_signing_alg_values_supported" in found
    assert found <= {
        "id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported",
        "introspection_signing_alg_values_supported",
    }  # fmt: skip
