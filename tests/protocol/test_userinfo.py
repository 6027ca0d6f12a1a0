"""Tokens and keys, as seen at /userinfo: only a living access token of ours opens anything."""

import hashlib
import hmac
import json
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey

from broker.core.handles import Handle, Handles, Kind
from keys.jws import sign_jwt
from tests.core.signers import jwks, signs
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_challenge
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, FRONT, ISSUER, ORIGIN, OTHER_API
from tests.protocol.tokens import b64, claims_of, header_of
from tests.signing import at_once
from tests.upstream.receiving import answer as http
from tests.upstream.receiving import receiving


def signed(world: World, claims: dict[str, Any], *, typ: str = "at+jwt") -> str:
    """A token that our own key signed, whatever it says."""
    return at_once(sign_jwt(world.broker.keyring.signer(), typ, claims))


def with_header(world: World, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with any header at all, under a signature of our own key that is right."""
    head = f"{b64(header)}.{b64(claims)}"
    return f"{head}.{b64(at_once(world.broker.keyring.signer().sign(head.encode())))}"


async def token_of(browser: Browser, app: App, **changes: str) -> str:
    found: str = (await browser.tokens(app, **changes))["access_token"]
    return found


async def test_userinfo(world: World, browser: Browser, app: App) -> None:
    """OpenID Connect Core §5.3: the claims of the token's scope, by GET and POST."""
    token = await token_of(browser, app, scope="openid email")
    for answer in (
        await world.userinfo(token),
        await world.api.post("/userinfo", headers={"authorization": f"bearer {token}"}),
        await world.api.post("/userinfo", data={"access_token": token}),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "sub": claims_of(token)["sub"],
            "email": "ada@example.com",
            "email_verified": True,
        }


async def test_what_was_taken_from_the_client_is_not_told(world: World, browser: Browser) -> None:
    """A scope is gone at once, not when the token is over; so is life beyond the session."""
    app = await world.new_app(BACK, scopes=("openid", "email", "offline_access"))
    tokens = await browser.tokens(app, scope="openid email offline_access")
    await world.edit(app, scopes=("openid", "offline_access"))
    assert (await world.userinfo(tokens["access_token"])).json().keys() == {"sub"}
    await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    await world.edit(app, scopes=("openid",))
    is_challenge(await world.userinfo(tokens["access_token"]))
    await world.edit(app, scopes=("email", "offline_access"))
    is_challenge(await world.userinfo(tokens["access_token"]), "insufficient_scope", 403)


async def test_a_token_signed_by_the_test_is_accepted(
    world: World, browser: Browser, app: App
) -> None:
    """So that what the forgeries below are refused for is what is wrong in them."""
    claims = claims_of(await token_of(browser, app))
    assert (await world.userinfo(signed(world, claims))).status_code == 200
    header = header_of(signed(world, claims))
    assert (await world.userinfo(with_header(world, header, claims))).status_code == 200


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", "the right one"])
async def test_alg_none(world: World, browser: Browser, app: App, alg: str, signature: str) -> None:
    """RFC 8725 §3.2: in any spelling, with and without a signature."""
    claims = claims_of(await token_of(browser, app))
    header = header_of(signed(world, claims)) | {"alg": alg}
    token = with_header(world, header, claims)
    if not signature:
        token = token.rpartition(".")[0] + "."
    await refused(world, token)


async def refused(world: World, token: str) -> None:
    """401 invalid_token; a text that cannot be a token at all may be a malformed request."""
    answer = await world.userinfo(token)
    if answer.status_code == 400:
        is_challenge(answer, "invalid_request", 400)
    else:
        is_challenge(answer)


def public_forms(world: World) -> dict[str, bytes]:
    """The public key as an attacker would write it down for use as an HMAC secret."""
    (jwk, *_) = _jwks(world)
    key = RSAKey.import_key(jwk).public_key
    return {
        "PEM": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM, PKCS #1": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "PEM without a newline": key.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).strip(),
        "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "SSH": key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    }


def _jwks(world: World) -> list[dict[str, Any]]:
    document, _ = world.broker.keyring.jwks()
    found: list[dict[str, Any]] = json.loads(document.body)["keys"]
    return found


async def test_hs256_with_the_public_key_as_secret(
    world: World, browser: Browser, app: App
) -> None:
    """CVE-2024-37568: the verifier's key decides the algorithm, not the token."""
    claims = claims_of(await token_of(browser, app))
    for secret in public_forms(world).values():
        for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            header = header_of(signed(world, claims)) | {"alg": alg}
            head = f"{b64(header)}.{b64(claims)}"
            token = f"{head}.{b64(hmac.digest(secret, head.encode(), digest))}"
            is_challenge(await world.userinfo(token))


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "ES256", "rs256", "RS256 "])
async def test_another_algorithm(world: World, browser: Browser, app: App, alg: str) -> None:
    """A key is good for one algorithm."""
    claims = claims_of(await token_of(browser, app))
    is_challenge(
        await world.userinfo(
            with_header(world, header_of(signed(world, claims)) | {"alg": alg}, claims)
        )
    )


OWN = RSAKey.generate_key(2048)
OWN_PUBLIC = OWN.as_dict(private=False)


@pytest.mark.parametrize(
    "members",
    [
        {"jwk": OWN_PUBLIC},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/cert.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": ["kid"]},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
async def test_header_that_brings_or_demands_something(
    world: World, browser: Browser, app: App, members: dict[str, Any]
) -> None:
    """CVE-2026-27962, CVE-2026-32597: refused, even under our own signature; nothing fetched."""
    claims = claims_of(await token_of(browser, app))
    header = header_of(signed(world, claims)) | members
    is_challenge(await world.userinfo(with_header(world, header, claims)))


async def test_no_address_in_a_header_is_called(world: World, browser: Browser, app: App) -> None:
    """Somebody listens there with the very key that signed it, and hears nothing."""
    claims = claims_of(await token_of(browser, app))
    kid = header_of(signed(world, claims))["kid"]
    own = signs("RS256", kid)
    async with receiving(http(json.dumps(jwks(own)).encode())) as (port, requests):
        address = f"http://127.0.0.1:{port}/keys"
        for members in ({"jku": address}, {"x5u": address}, {"kid": address}):
            is_challenge(await world.userinfo(own.sign(claims, typ="at+jwt", **members)))
    assert requests == []


@pytest.mark.parametrize(
    "kid",
    ["unknown", "", "../../../etc/passwd", "/dev/null", "' OR '1'='1", "x" * 10_000, "a\0b",
     "http://127.0.0.1:1/key", "é", 1, None, ["x"], {"a": 1}, True],
)  # fmt: skip
async def test_unknown_or_hostile_kid(
    world: World, browser: Browser, app: App, kid: object
) -> None:
    """Refused by looking it up in memory, and nowhere else."""
    claims = claims_of(await token_of(browser, app))
    header = header_of(signed(world, claims)) | {"kid": kid}
    await refused(world, with_header(world, header, claims))


async def test_missing_header_members(world: World, browser: Browser, app: App) -> None:
    """No kid, no typ, no alg: not a token of ours."""
    claims = claims_of(await token_of(browser, app))
    header = header_of(signed(world, claims))
    for name in header:
        less = {key: value for key, value in header.items() if key != name}
        is_challenge(await world.userinfo(with_header(world, less, claims)))


async def test_signed_with_somebody_else_s_key(world: World, browser: Browser, app: App) -> None:
    """Under our kid, with another key."""
    from joserfc import jwt

    claims = claims_of(await token_of(browser, app))
    header = header_of(signed(world, claims))
    is_challenge(await world.userinfo(jwt.encode(header, claims, OWN, algorithms=["RS256"])))


async def test_altered_token(world: World, browser: Browser, app: App) -> None:
    """One bit anywhere: payload, header, signature, or a part of another token."""
    token = await token_of(browser, app)
    head, payload, signature = token.split(".")
    for changed in (
        f"{head}.{b64(claims_of(token) | {'scope': 'openid email'})}.{signature}",
        f"{head}.{payload}.{signature[:-10]}AAAAAAAAAA",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.{signature}",
        f"{head}..{signature}",
        f"{b64(header_of(token) | {'typ': 'JWT'})}.{payload}.{signature}",
        f"{payload}.{payload}.{signature}",
    ):
        is_challenge(await world.userinfo(changed))


async def test_id_token_used_as_access_token(world: World, browser: Browser, app: App) -> None:
    """RFC 9068 §4: the type is part of the token."""
    tokens = await browser.tokens(app)
    is_challenge(await world.userinfo(tokens["id_token"]))
    is_challenge(await world.userinfo(tokens["refresh_token"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://evil.example"},
        {"aud": API},
        {"aud": ["front", "https://evil.example"]},
        {"aud": []},
        {"aud": None},
        {"aud": {"front": 1}},
        {"aud": 7},
        {"aud": [["front"]]},
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"client_id": "back"},
        {"client_id": "nobody"},
        {"client_id": None},
        {"jti": "garbage"},
        {"jti": None},
        {"jti": 1},
        {"scope": None},
        {"scope": ["openid"]},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 0},
        {"exp": -1},
        {"nbf": "soon"},
        {"iat": None},
    ],
)
async def test_wrong_claims_under_our_own_signature(
    world: World, browser: Browser, app: App, changes: dict[str, Any]
) -> None:
    """A token for another audience, issuer or client, or one that says too little."""
    claims = claims_of(await token_of(browser, app)) | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    is_challenge(await world.userinfo(signed(world, claims)))


async def test_infinite_lifetime(world: World, browser: Browser, app: App) -> None:
    """JSON as Python writes it knows NaN and Infinity; no token of ours does."""
    token = await token_of(browser, app)
    for text in ("NaN", "Infinity", "1e999"):
        body = claims_of(token) | {"exp": "TIME"}
        import json

        payload = json.dumps(body).replace('"TIME"', text)
        head = f"{token.split('.')[0]}.{b64(payload)}"
        signature = b64(at_once(world.broker.keyring.signer().sign(head.encode())))
        is_challenge(await world.userinfo(f"{head}.{signature}"))


@pytest.mark.parametrize("typ", ["JWT", "at", "jwt+at", "application/jwt", "at+jwt ", ""])
async def test_wrong_typ_under_our_own_signature(
    world: World, browser: Browser, app: App, typ: str
) -> None:
    """RFC 9068 §4: ``at+jwt`` alone."""
    claims = claims_of(await token_of(browser, app))
    is_challenge(await world.userinfo(signed(world, claims, typ=typ)))


async def test_typ_with_its_prefix(world: World, browser: Browser, app: App) -> None:
    """RFC 9068 §4: ``application/at+jwt`` says the same."""
    claims = claims_of(await token_of(browser, app))
    answer = await world.userinfo(signed(world, claims, typ="application/at+jwt"))
    assert answer.status_code == 200


async def test_expired(world: World, browser: Browser, app: App) -> None:
    """At ``exp`` it is over; a clock that steps back by the skew at most changes nothing grave."""
    token = await token_of(browser, app)
    await world.advance(299)
    assert (await world.userinfo(token)).status_code == 200
    await world.advance(1)
    is_challenge(await world.userinfo(token))


async def test_not_yet_valid_beyond_a_minute(world: World, browser: Browser, app: App) -> None:
    """Clocks differ by up to 60 s: that much of the future is accepted, in nbf and iat alike."""
    claims = claims_of(await token_of(browser, app))
    now = int(world.clock.at)
    for name in ("nbf", "iat"):
        soon, later = ({**claims, name: now + seconds} for seconds in (60, 62))
        assert (await world.userinfo(signed(world, soon))).status_code == 200
        is_challenge(await world.userinfo(signed(world, later)))


async def test_token_in_two_places(world: World, browser: Browser, app: App) -> None:
    """RFC 6750 §2: 400 invalid_request, even if it is the same token twice."""
    token = await token_of(browser, app)
    bearer = {"authorization": f"Bearer {token}"}
    for answer in (
        await world.api.post("/userinfo", data={"access_token": token}, headers=bearer),
        await world.api.get("/userinfo", params={"access_token": token}, headers=bearer),
        await world.api.get("/userinfo", headers=[*bearer.items(), *bearer.items()]),
    ):
        is_challenge(answer, "invalid_request", 400)


async def test_token_in_the_query(world: World, browser: Browser, app: App) -> None:
    """RFC 9700 §4.3.2: not accepted; it counts as none."""
    token = await token_of(browser, app)
    is_challenge(await world.api.get("/userinfo", params={"access_token": token}), None)


async def test_no_token_at_all(world: World) -> None:
    """RFC 6750 §3.1: a challenge without an error code."""
    for headers in ({}, {"authorization": "Basic YTpi"}):
        answer = await world.api.get("/userinfo", headers=headers)
        is_challenge(answer, None)
        assert answer.content == b""


async def test_too_little_scope(world: World, browser: Browser, app: App) -> None:
    """403, and the scope that would do."""
    token = await token_of(browser, app, scope="profile")
    answer = await world.userinfo(token)
    is_challenge(answer, "insufficient_scope", 403)
    assert 'scope="openid"' in answer.headers["www-authenticate"]


async def test_token_for_a_resource(world: World, browser: Browser) -> None:
    """RFC 8707 §2: it is for that service, which learns nothing more of the person by it."""
    app = await world.new_app(BACK, audience=API)
    is_challenge(await world.userinfo(await token_of(browser, app, resource=OTHER_API)))
    for own in (None, API):
        assert (await world.userinfo(await token_of(browser, app, resource=own))).status_code == 200


async def test_token_of_a_client_switched_off(world: World, browser: Browser) -> None:
    """As soon as it is followed."""
    app = await world.new_app(FRONT)
    token = await token_of(browser, app)
    await world.edit(app, disabled=True)
    is_challenge(await world.userinfo(token))


async def test_token_of_a_grant_that_never_was(world: World, browser: Browser, app: App) -> None:
    """Userinfo looks at the grant: a signature alone is not enough."""
    claims = claims_of(await token_of(browser, app))
    jti = Handles([b"x" * 40]).make(Kind.ACCESS, Handle("ab" * 16, "cd" * 16, 1))
    is_challenge(await world.userinfo(signed(world, claims | {"jti": jti})))


async def test_cors_for_registered_origins_alone(world: World, browser: Browser, app: App) -> None:
    """JWKS and discovery for all; token, userinfo, revoke for registered origins."""
    token = await token_of(browser, app)

    async def allowed(method: str, path: str, origin: str, **more: Any) -> str | None:
        headers = {"origin": origin, **more.pop("headers", {})}
        answer: httpx2.Response = await world.api.request(method, path, headers=headers, **more)
        assert "access-control-allow-credentials" not in answer.headers
        found: str | None = answer.headers.get("access-control-allow-origin")
        return found

    bearer = {"authorization": f"Bearer {token}"}
    for origin, expected in ((ORIGIN, ORIGIN), ("https://evil.example", None), ("null", None)):
        assert await allowed("GET", "/userinfo", origin, headers=bearer) == expected
        assert await allowed("POST", "/token", origin, data={"grant_type": "x"}) == expected
        assert await allowed("POST", "/revoke", origin, data={"token": "x"}) == expected
        for path in ("/token", "/userinfo", "/revoke"):
            assert await allowed("OPTIONS", path, origin) == expected
        for name in ("jwks.json", "openid-configuration", "oauth-authorization-server"):
            assert await allowed("GET", f"/.well-known/{name}", origin) == "*"
        for path in ("/authorize", "/interaction", "/logout", "/"):
            assert await allowed("GET", path, origin) is None
