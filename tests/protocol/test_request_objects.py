"""Signed request objects (RFC 9101): what counts in them, and what is refused, and where."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from broker.core.model import Client
from tests.core.signers import Signs, jwks, signs
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal, query_of
from tests.protocol.harness import World
from tests.protocol.known import BACK, ISSUER
from tests.protocol.tokens import b64, claims_of

MAKERS = {alg: signs(alg, alg) for alg in ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")}
EC, RSA = MAKERS["ES256"], MAKERS["RS256"]
SIGNS = Client(
    "signs-requests", "Signs", redirect_uris=("https://signs.example/callback",),
    first_party=True, auth_method=BACK.auth_method, secrets=BACK.secrets,
    jwks=jwks(*MAKERS.values()), resources=BACK.resources,
)  # fmt: skip

Change = Callable[[dict[str, Any]], object]


def claims(app: App, world: World, **changes: Any) -> dict[str, Any]:
    """The members of a request object; None leaves one out."""
    now = int(world.clock.now())
    client_id = app.client.client_id
    times = {"iat": now, "nbf": now, "exp": now + 60}
    found = {"iss": client_id, "aud": ISSUER, **times, **app.asks(), **changes}
    return {name: value for name, value in found.items() if value is not None}


async def send(
    browser: Browser, app: App, signed: str, *, post: bool = False, **outside: str
) -> Any:
    """Send a request object with nothing but the client_id outside."""
    fields = {"client_id": app.client.client_id, "request": signed, **outside}
    if post:
        return await browser.http.post("/authorize", data=fields)
    return await browser.http.get("/authorize", params=fields)


@pytest_asyncio.fixture(loop_scope="session")
async def signer(world: World) -> App:
    """A client that has registered keys, of every kind there is."""
    return await world.new_app(SIGNS)


@pytest.mark.parametrize("alg", MAKERS)
async def test_a_signed_request_leads_to_a_code(
    world: World, browser: Browser, signer: App, alg: str
) -> None:
    """By value, signed in every way that the metadata names."""
    answer = await send(browser, signer, MAKERS[alg].sign(claims(signer, world)))
    code = answered(await browser.go_on(answer), signer)["code"]
    assert (await signer.redeem(code)).status_code == 200


@pytest.mark.parametrize("typ", [None, "JWT", "oauth-authz-req+jwt", "application/JWT"])
async def test_types_of_request_objects(
    world: World, browser: Browser, signer: App, typ: str | None
) -> None:
    """RFC 9101 §10.8 names one; libraries of OpenID Connect write JWT or nothing."""
    answer = await send(browser, signer, EC.sign(claims(signer, world), typ=typ))
    answered(await browser.go_on(answer), signer)


async def test_by_post(world: World, browser: Browser, signer: App) -> None:
    """A form does as well, and goes on by handle."""
    answer = await send(browser, signer, EC.sign(claims(signer, world)), post=True)
    assert answer.headers["location"].startswith("/interaction")
    answered(await browser.go_on(answer), signer)


async def test_only_what_is_inside_counts(world: World, browser: Browser, signer: App) -> None:
    """RFC 9101 §6.3: state, scope, nonce, redirect URI and all else outside are not looked at."""
    inside = claims(signer, world, scope="openid")
    answer = await send(
        browser, signer, EC.sign(inside), scope="openid profile email", state="outside",
        nonce="outside", redirect_uri="https://evil.example/", prompt="none",
    )  # fmt: skip
    code = answered(await browser.go_on(answer), signer)["code"]
    tokens = (await signer.redeem(code)).json()
    assert tokens["scope"] == "openid"
    assert claims_of(tokens["id_token"])["nonce"] == signer.nonce


async def test_a_parameter_that_is_outside_alone_is_not_there(
    world: World, browser: Browser, signer: App
) -> None:
    """RFC 9101 §6.3: nothing is filled in from outside."""
    inside = claims(signer, world, scope=None)
    answer = await send(browser, signer, EC.sign(inside), scope="openid")
    is_refusal(answer, signer, "invalid_scope")


async def test_members_that_are_no_text(world: World, browser: Browser, signer: App) -> None:
    """max_age is a number, resource may be a list; what nobody knows may be anything."""
    api = BACK.resources[0]
    inside = claims(signer, world, max_age=3600, resource=[api], custom={"a": [1]}, other=None)
    code = answered(await browser.go_on(await send(browser, signer, EC.sign(inside))), signer)
    tokens = (await signer.redeem(code["code"])).json()
    assert claims_of(tokens["access_token"])["aud"] == api


async def test_a_long_request_object(world: World, browser: Browser, signer: App) -> None:
    """Longer than any other parameter may be."""
    inside = claims(signer, world, unknown="x" * 6000)
    answered(await browser.go_on(await send(browser, signer, EC.sign(inside), post=True)), signer)


# What the client signed, but should not have: told to the client.
FAULTY: dict[str, dict[str, Any]] = {
    "expired": {"exp": -1},
    "expires now": {"exp": 0},
    "valid for too long": {"exp": 3700},
    "not begun": {"nbf": 120},
    "begun too long ago": {"nbf": -3700},
    "made in the future": {"iat": 120},
    "exp is no number": {"exp": "soon"},
    "exp is endless": {"exp": 10**400},
    "iat is a truth": {"iat": True},
    "no iss": {"iss": None},
    "iss of another": {"iss": "front"},
    "no aud": {"aud": None},
    "aud of another": {"aud": "https://other.example"},
    "aud is a number": {"aud": [ISSUER, 5]},
    "client_id of another": {"client_id": "front"},
    "client_id is a number": {"client_id": 5},
    "a client assertion": {"sub": "its own"},
    "request inside": {"request": "a.b.c"},
    "request_uri inside": {"request_uri": "urn:x"},
    "scope is a list": {"scope": ["openid"]},
    "state is a number": {"state": 5},
    "max_age is half": {"max_age": 1.5},
    "max_age is endless": {"max_age": 10**400},
    "claims is a list": {"claims": []},
    "resource holds a number": {"resource": [5]},
}


@pytest.mark.parametrize("case", FAULTY)
async def test_what_a_signed_request_may_not_be(
    world: World, browser: Browser, signer: App, case: str
) -> None:
    """R(invalid_request_object): its redirect URI is the client's, so the client is told."""
    now = int(world.clock.now())
    changes = {
        name: now + value if name in {"exp", "nbf", "iat"} and type(value) is int else value
        for name, value in FAULTY[case].items()
    }
    if case == "a client assertion":
        changes["sub"] = signer.client.client_id
    signed = EC.sign(claims(signer, world, **changes))
    state = None if case == "state is a number" else "its own"
    answer = await send(browser, signer, signed)
    is_refusal(answer, signer, "invalid_request_object", state=state)


async def test_other_faults_inside_have_their_own_errors(
    world: World, browser: Browser, signer: App
) -> None:
    """Everything else is judged as it would be outside."""
    bad = {"response_type": "token", "registration": {"a": 1}, "max_age": -1, "prompt": "x"}
    errors = ["unsupported_response_type", "registration_not_supported", "invalid_request",
              "invalid_request"]  # fmt: skip
    for (name, value), error in zip(bad.items(), errors, strict=True):
        answer = await send(browser, signer, EC.sign(claims(signer, world, **{name: value})))
        is_refusal(answer, signer, error)


async def test_a_redirect_uri_inside_is_judged_first(
    world: World, browser: Browser, signer: App
) -> None:
    """A signature makes no address good: PAGE."""
    inside = claims(signer, world, redirect_uri="https://evil.example/", exp=1)
    is_page(await send(browser, signer, EC.sign(inside)))


def _tampered(app: App, world: World) -> str:
    head, _, signature = EC.sign(claims(app, world)).split(".")
    return f"{head}.{b64(claims(app, world, scope='openid email'))}.{signature}"


# What the client did not sign, or not so that it counts.
UNSIGNED: dict[str, Callable[[App, World], str]] = {
    "tampered with": _tampered,
    "key of another": lambda a, w: signs("ES256", "ES256-other").sign(claims(a, w), kid="ES256"),
    "unknown kid": lambda a, w: EC.sign(claims(a, w), kid="unknown"),
    "alg of another key": lambda a, w: RSA.sign(claims(a, w), alg="ES256"),
    "HS256": lambda a, w: EC.sign(claims(a, w), alg="HS256"),
    "alg none with a signature": lambda a, w: EC.sign(claims(a, w), alg="none"),
    "key in the header": lambda a, w: EC.sign(claims(a, w), jwk=EC.jwk),
    "jku": lambda a, w: EC.sign(claims(a, w), jku="https://evil.example"),
    "x5u": lambda a, w: EC.sign(claims(a, w), x5u="https://evil.example"),
    "crit": lambda a, w: EC.sign(claims(a, w), crit=[]),
    "typ of an ID token's proof": lambda a, w: EC.sign(claims(a, w), typ="dpop+jwt"),
    "typ of an assertion": lambda a, w: EC.sign(claims(a, w), typ="client-authentication+jwt"),
    "encrypted": lambda a, w: "a.b.c.d.e",
    "garbage": lambda a, w: "garbage",
    "a list": lambda a, w: EC.sign("[]"),
    "no JSON": lambda a, w: EC.sign("{"),
    "a member twice": lambda a, w: EC.sign('{"scope":"openid","scope":"email"}'),
    "too long": lambda a, w: EC.sign(claims(a, w, x="y" * 13000)),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSIGNED)
async def test_what_its_client_did_not_sign(
    world: World, browser: Browser, signer: App, case: str
) -> None:
    """PAGE: not even where to answer can be believed."""
    signed = UNSIGNED[case](signer, world)
    page = is_page(await send(browser, signer, signed, post=True))
    assert "signed" in page


async def test_unsigned_request_objects_are_not_offered(
    world: World, browser: Browser, signer: App, app: App
) -> None:
    """Unsigned ones, and clients without keys: R(request_not_supported) by what is outside."""
    unsigned = f"{b64({'alg': 'none'})}.{b64(claims(signer, world))}."
    answer = await browser.authorize(signer, request=unsigned)
    is_refusal(answer, signer, "request_not_supported")
    answer = await browser.authorize(app, request=EC.sign(claims(app, world)))
    is_refusal(answer, app, "request_not_supported")


async def test_the_registered_algorithm_alone(world: World, browser: Browser) -> None:
    """OpenID Connect Registration §2 request_object_signing_alg."""
    app = await world.new_app(SIGNS, request_object_signing_alg="PS256")
    is_page(await send(browser, app, RSA.sign(claims(app, world))))
    answer = await send(browser, app, MAKERS["PS256"].sign(claims(app, world)))
    answered(await browser.go_on(answer), app)


async def test_a_client_that_has_to_sign(world: World, browser: Browser) -> None:
    """RFC 9101 §10.5 require_signed_request_object."""
    app = await world.new_app(SIGNS, require_signed_request_object=True)
    is_refusal(await browser.authorize(app), app, "invalid_request")
    answer = await send(browser, app, EC.sign(claims(app, world)))
    answered(await browser.go_on(answer), app)


async def test_request_and_request_uri_together(
    world: World, browser: Browser, signer: App
) -> None:
    """RFC 9101 §5: one or the other."""
    signed = EC.sign(claims(signer, world))
    answer = await send(browser, signer, signed, request_uri="urn:x")
    is_refusal(answer, signer, "invalid_request_object")


async def test_audiences_and_keys_of_several(world: World, browser: Browser, signer: App) -> None:
    """One aud among several is enough; a second client's keys are of no use to the first."""
    both = claims(signer, world, aud=["https://other.example", ISSUER])
    answered(await browser.go_on(await send(browser, signer, EC.sign(both))), signer)
    other: Signs = signs("ES256", "its-own")
    app = await world.new_app(replace(SIGNS, jwks=jwks(other)))
    is_page(await send(browser, app, EC.sign(claims(app, world))))
    answer = await send(browser, app, other.sign(claims(app, world)))
    assert "code" in query_of((await browser.go_on(answer)).headers["location"])
