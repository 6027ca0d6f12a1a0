"""Attempts at what a provider may offer: each says whether it works here, whatever is named."""

import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import OctKey

from broker.core import vocabulary as v
from tests.core.signers import jwks, signs
from tests.protocol.actors import App
from tests.protocol.checks import query_of
from tests.protocol.communities import hall
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, FRONT, ISSUER, SECRET
from tests.protocol.listening import listening
from tests.protocol.tokens import b64, claims_of, header_of

Attempt = Callable[[World, str], Awaitable[bool]]

SIGNERS: Final = {alg: signs(alg, alg) for alg in ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")}
EVERY_ALG: Final = (*SIGNERS, "HS256", "none")
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
HOLDER: Final[dict[str, Any]] = {"jwks": jwks(*SIGNERS.values()), "secrets": BACK.secrets}
NUMBERS: Final = count()


async def signer(world: World, **fields: Any) -> App:
    """A first-party app that has registered keys of every kind."""
    return await world.new_app(BACK, **HOLDER, **fields)


def assertion(world: World, app: App, alg: str) -> str:
    """A client assertion signed in that way."""
    now, client_id = int(world.clock.now()), app.client.client_id
    claims = {"iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 60}
    return signed(claims | {"jti": f"jti-{next(NUMBERS)}"}, alg)


def signed(claims: dict[str, Any], alg: str, **header: Any) -> str:
    if alg in SIGNERS:
        return SIGNERS[alg].sign(claims, **header)
    if alg == "HS256":
        return jwt.encode({"alg": alg}, claims, OctKey.import_key(SECRET), algorithms=[alg])
    return f"{b64({'alg': 'none'})}.{b64(claims)}."


async def proof(world: World, app: App, method: str) -> tuple[dict[str, str], dict[str, str]]:
    """The fields and headers by which a client authenticates with a method."""
    named = {"client_id": app.client.client_id}
    if method == "client_secret_basic":
        return {}, app.proof()
    if method == "client_secret_post":
        return named | {"client_secret": SECRET}, {}
    if method.endswith("_jwt"):
        alg = "HS256" if method == "client_secret_jwt" else "ES256"
        text = assertion(world, app, alg)
        return named | {"client_assertion_type": ASSERTION, "client_assertion": text}, {}
    return named, {}


def authentication(path: str, fields: dict[str, str]) -> Attempt:
    """Whether a client that is registered for a method authenticates by it at an endpoint."""

    async def attempt(world: World, method: str) -> bool:
        public = {"secrets": (), "auth_method": "none"}
        own = public if method == "none" else {"auth_method": method}
        app = await world.new_app(BACK, **HOLDER | own)
        data, headers = await proof(world, app, method)
        answer = await world.api.post(path, data=fields | data, headers=headers)
        if answer.status_code == 404:
            return False
        return answer.status_code == 200 or answer.json()["error"] == "invalid_grant"

    return attempt


async def assertion_signed(world: World, alg: str) -> bool:
    app = await signer(world, auth_method="private_key_jwt")
    data = {"client_assertion_type": ASSERTION, "client_assertion": assertion(world, app, alg)}
    data |= {"grant_type": "refresh_token", "refresh_token": "x"}
    return (await world.api.post("/token", data=data)).json()["error"] == "invalid_grant"


async def request_object(world: World, alg: str) -> bool:
    app, now = await signer(world), int(world.clock.now())
    client_id = app.client.client_id
    times = {"iat": now, "nbf": now, "exp": now + 60}
    text = signed({"iss": client_id, "aud": ISSUER, **times, **app.asks()}, alg)
    fields = {"client_id": client_id, "request": text}
    browser = world.browser()
    answer = await browser.go_on(await browser.http.get("/authorize", params=fields))
    return "code=" in answer.headers.get("location", "")


async def scope(world: World, name: str) -> bool:
    app = await world.new_app(FRONT, scopes=(*v.PERSONAL_SCOPES, "phone"))
    tokens = await world.browser().tokens(app, scope=f"openid {name}" if name != "openid" else name)
    return name in tokens["scope"].split()


async def response_type(world: World, kind: str) -> bool:
    answer = await world.browser().arrive(world.app(FRONT), response_type=kind)
    return "code=" in answer.headers.get("location", "")


async def response_mode(world: World, mode: str) -> bool:
    app = world.app(FRONT)
    answer = await world.browser().arrive(app, response_mode=mode)
    location = answer.headers.get("location", "")
    return {
        "query": location.startswith(f"{app.redirect_uri}?code="),
        "fragment": location.startswith(f"{app.redirect_uri}#code="),
        "form_post": answer.status_code == 200 and 'name="code"' in answer.text,
    }.get(mode, "response=" in location)


async def grant_type(world: World, name: str) -> bool:
    """Whether the token endpoint has it at all."""
    app = await world.new_app(BACK, grant_types=(*BACK.grant_types, name))
    return (await app.token(grant_type=name)).json().get("error") != "unsupported_grant_type"


async def challenge_method(world: World, method: str) -> bool:
    app = world.app(FRONT)
    challenge = app.verifier if method == "plain" else app.asks()["code_challenge"]
    answer = await world.browser().arrive(
        app, code_challenge_method=method, code_challenge=challenge
    )
    return "code=" in answer.headers.get("location", "")


async def ui_locale(world: World, tag: str) -> bool:
    """Whether a page speaks the language that is asked for."""
    page = await world.browser().http.get("/logout", params={"ui_locales": tag})
    return page.headers["content-language"] == tag


async def prompt(world: World, name: str) -> bool:
    browser, app = world.browser(), world.app(FRONT)
    await browser.tokens(app)
    answer = await browser.authorize(app, prompt=name)
    location = answer.headers.get("location", "")
    if name == "none":
        return "code=" in location
    return answer.status_code in {200, 303} and "error=" not in location


async def subject_type(world: World, kind: str) -> bool:
    plain = await world.browser().tokens(world.app(FRONT))
    app = await world.new_app(FRONT, subject_type=kind)
    tokens = await world.browser().tokens(app)
    told = {claims_of(tokens["id_token"])["sub"]}
    told.add((await world.userinfo(tokens["access_token"])).json()["sub"])
    public = claims_of(plain["id_token"])["sub"]
    return (told == {public}) if kind == "public" else (len(told) == 1 and public not in told)


async def id_token_alg(world: World, alg: str) -> bool:
    app = await world.new_app(BACK, id_token_signed_response_alg=alg)
    answer = await world.browser().arrive(app)
    location = answer.headers.get("location", "")
    if "code=" not in location:
        return False
    redeemed = await app.redeem(query_of(location)["code"])
    return redeemed.status_code == 200 and header_of(redeemed.json()["id_token"])["alg"] == alg


async def userinfo_alg(world: World, alg: str) -> bool:
    app = await world.new_app(BACK, userinfo_signed_response_alg=alg)
    answer = await world.userinfo((await world.browser().tokens(app))["access_token"])
    if not answer.headers["content-type"].startswith("application/jwt"):
        return False
    return header_of(answer.text)["alg"] == alg


async def dpop_alg(world: World, alg: str) -> bool:
    app = world.app(FRONT)
    code = await world.browser().code(app)
    claims = {"htm": "POST", "htu": f"{ISSUER}/token", "iat": int(world.clock.now())}
    claims["jti"] = f"dpop-{next(NUMBERS)}"
    jwk = SIGNERS[alg].key.as_dict(private=False) if alg in SIGNERS else {}
    text = signed(claims, alg, typ="dpop+jwt", jwk=jwk, kid=None)
    fields = {"grant_type": "authorization_code", "code": code, "client_id": app.client.client_id}
    fields |= {"redirect_uri": app.redirect_uri, "code_verifier": app.verifier}
    answer = await world.api.post("/token", data=fields, headers={"dpop": text})
    return answer.status_code == 200 and answer.json()["token_type"] == "DPoP"


async def requested_claim(world: World) -> bool:
    """Whether claims asked for by name come where the scope alone does not put them."""
    names = {"acr": {"essential": True}, "email": None, "name": {"essential": True}}
    asked = json.dumps({"id_token": names, "userinfo": names})
    found = []
    for claims in (None, asked):
        tokens = await world.browser().tokens(world.app(FRONT), scope="openid", claims=claims)
        userinfo = (await world.userinfo(tokens["access_token"])).json()
        found.append((claims_of(tokens["id_token"]).keys(), userinfo.keys()))
    return found[0] != found[1]


async def unsigned_request(world: World) -> bool:
    """Whether a request does without a request object, and without being pushed."""
    return "code=" in (await world.browser().arrive(world.app(FRONT))).headers["location"]


async def foreign_request_uri(world: World) -> bool:
    answer = await world.browser().authorize(
        world.app(FRONT), request_uri="https://front.example/request"
    )
    return "error=request_uri_not_supported" not in answer.headers.get("location", "")


async def names_issuer(world: World) -> bool:
    """In answers and in errors (RFC 9207 §2)."""
    good = await world.browser().arrive(world.app(FRONT))
    bad = await world.browser().arrive(world.app(FRONT), prompt="none")
    told = [query_of(answer.headers["location"]) for answer in (good, bad)]
    return [one.get("iss") for one in told] == [ISSUER, ISSUER]


async def logout_token(world: World) -> dict[str, Any] | None:
    """What a client hears over the back channel when a session ends."""
    async with listening() as listener:
        app = await world.new_app(FRONT, backchannel_logout_uri=listener.uri)
        browser = world.browser()
        tokens = await browser.tokens(app)
        await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
        try:
            (text,) = await listener.hears()
        except TimeoutError:
            return None
    return claims_of(text)


async def told_claims(world: World, acr: str | None) -> dict[str, Any]:
    """The claims of somebody of whom everything is known, wherever they are told.

    Args:
        world: the broker.
        acr: the context to ask for, or None.
    """
    app, browser = await hall(world), world.browser()
    scope = " ".join(v.PERSONAL_SCOPES)
    asked: dict[str, str | None] = {"scope": scope, "prompt": "consent login"}
    tokens = await browser.tokens(app, ADA, acr_values=acr, **asked)
    userinfo = (await world.userinfo(tokens["access_token"])).json()
    return {**claims_of(tokens["id_token"]), **userinfo}
