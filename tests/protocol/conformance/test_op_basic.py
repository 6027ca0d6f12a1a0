"""Plans oidcc-basic-certification and oidcc-formpost-basic-certification (Basic OP, Form Post OP).

Each test runs twice: with answers in the query, and by form post.
"""

import json
from urllib.parse import urlencode

import pytest

from tests.core.signers import jwks, signs
from tests.protocol.checks import is_page, is_token_error
from tests.protocol.conformance.suite import RelyingParty
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, POST
from tests.protocol.tokens import b64

PROFILE = {"name", "preferred_username", "picture", "locale", "updated_at"}


async def test_server(rp: RelyingParty) -> None:
    """oidcc-server (OP-Response-code): the flow, the ID token, userinfo of the same subject."""
    outcome = await rp.run()
    assert (await rp.userinfo(outcome.answer))["sub"] == outcome.claims["sub"]


async def test_response_type_missing(rp: RelyingParty) -> None:
    """oidcc-response-type-missing (OP-Response-Missing)."""
    assert rp.error_of(await rp.begin(response_type=None)) == "invalid_request"


async def test_idtoken_signature(rp: RelyingParty) -> None:
    """oidcc-idtoken-signature (OP-IDToken-Signature, OP-IDToken-kid)."""
    outcome = await rp.run()
    head = outcome.answer["id_token"].split(".")[0]
    assert head
    assert (await rp.id_token(outcome.answer["id_token"])) == outcome.claims


async def test_userinfo_get(rp: RelyingParty) -> None:
    """oidcc-userinfo-get (OP-UserInfo-Endpoint)."""
    outcome = await rp.run(scope="openid profile email")
    found = await rp.userinfo(outcome.answer)
    assert found["sub"] == outcome.claims["sub"]
    assert found["email_verified"] in {True, False}
    assert isinstance(found["updated_at"], int)


async def test_userinfo_post_header(rp: RelyingParty, world: World) -> None:
    """oidcc-userinfo-post-header (OP-UserInfo-Header)."""
    outcome = await rp.run()
    header = {"authorization": f"Bearer {outcome.answer['access_token']}"}
    answer = await world.api.post("/userinfo", headers=header)
    assert answer.json()["sub"] == outcome.claims["sub"]


async def test_userinfo_post_body(rp: RelyingParty, world: World) -> None:
    """oidcc-userinfo-post-body (OP-UserInfo-Body)."""
    outcome = await rp.run()
    body = {"access_token": outcome.answer["access_token"]}
    answer = await world.api.post("/userinfo", data=body)
    assert answer.json()["sub"] == outcome.claims["sub"]


async def test_without_nonce(rp: RelyingParty) -> None:
    """oidcc-ensure-request-without-nonce-succeeds-for-code-flow (OP-nonce-NoReq-code)."""
    outcome = await rp.run(nonce=None)
    assert "nonce" not in outcome.claims


async def test_scope_profile(rp: RelyingParty) -> None:
    """oidcc-scope-profile (OP-scope-profile)."""
    found = await rp.userinfo((await rp.run(scope="openid profile")).answer)
    assert {"name", "preferred_username"} <= found.keys() <= PROFILE | {"sub"}


async def test_scope_email(rp: RelyingParty) -> None:
    """oidcc-scope-email (OP-scope-email)."""
    found = await rp.userinfo((await rp.run(scope="openid email")).answer)
    assert found.keys() == {"sub", "email", "email_verified"}


@pytest.mark.parametrize("scope", ["address", "phone"])
async def test_scope_not_offered(rp: RelyingParty, scope: str) -> None:
    """oidcc-scope-address, oidcc-scope-phone: not in scopes_supported; asked for, ignored."""
    outcome = await rp.run(scope=f"openid {scope}")
    assert (await rp.userinfo(outcome.answer)).keys() == {"sub"}
    assert outcome.answer["scope"] == "openid"


async def test_scope_all(rp: RelyingParty) -> None:
    """oidcc-scope-all (OP-scope-All)."""
    found = await rp.userinfo((await rp.run(scope="openid profile email address phone")).answer)
    assert {"sub", "name", "email"} <= found.keys()


async def test_other_scope_order(rp: RelyingParty) -> None:
    """oidcc-ensure-other-scope-order-succeeds, oidcc-alternate-happy-flow: no order counts."""
    asks = rp.asks(scope="email openid")
    first = await rp.browser.http.get("/authorize", params=dict(reversed(asks.items())))
    answer = await rp.redeem(rp.code_of(await rp.finish(first)))
    assert "email" in await rp.userinfo(answer)


@pytest.mark.parametrize("display", ["page", "popup"])
async def test_display(rp: RelyingParty, display: str) -> None:
    """oidcc-display-page, oidcc-display-popup."""
    await rp.run(display=display)


async def test_prompt_login(rp: RelyingParty, world: World) -> None:
    """oidcc-prompt-login: a signed-in person authenticates again, later."""
    first = await rp.run(prompt="login")
    await world.advance(2)
    again = await rp.run(prompt="login")
    assert again.claims["sub"] == first.claims["sub"]
    assert again.claims["auth_time"] >= first.claims["auth_time"] + 2


async def test_prompt_none_not_logged_in(rp: RelyingParty) -> None:
    """oidcc-prompt-none-not-logged-in."""
    errors = {"login_required", "interaction_required", "account_selection_required"}
    assert rp.error_of(await rp.begin(prompt="none")) in errors


async def test_prompt_none_logged_in(rp: RelyingParty, world: World) -> None:
    """oidcc-prompt-none-logged-in: the same subject, the same auth_time."""
    first = await rp.run(max_age="15000")
    await world.advance(2)
    again = await rp.run(prompt="none")
    assert again.claims["sub"] == first.claims["sub"]
    assert again.claims["auth_time"] == first.claims["auth_time"]


async def test_max_age_1(rp: RelyingParty, world: World) -> None:
    """oidcc-max-age-1: two seconds later the person authenticates again."""
    first = await rp.run(max_age="15000")
    await world.advance(2)
    again = await rp.run(max_age="1")
    assert again.claims["auth_time"] > first.claims["auth_time"]
    assert world.clock.at - again.claims["auth_time"] <= 1
    assert again.claims["sub"] == first.claims["sub"]


async def test_max_age_10000(rp: RelyingParty, world: World) -> None:
    """oidcc-max-age-10000: nobody authenticates again."""
    first = await rp.run(max_age="15000")
    await world.advance(2)
    again = await rp.run(max_age="10000", prompt="none")
    assert again.claims["auth_time"] == first.claims["auth_time"]
    assert again.claims["sub"] == first.claims["sub"]


async def test_unknown_parameter(rp: RelyingParty) -> None:
    """oidcc-ensure-request-with-unknown-parameter-succeeds (OP-Req-NotUnderstood)."""
    await rp.run(extra="foobar")


async def test_id_token_hint(rp: RelyingParty) -> None:
    """oidcc-id-token-hint: prompt=none with the ID token of the person signed in."""
    first = await rp.run()
    again = await rp.run(prompt="none", id_token_hint=first.answer["id_token"])
    assert again.claims["sub"] == first.claims["sub"]


@pytest.mark.parametrize(
    "hint",
    [
        {"login_hint": "buffy@example.com"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
    ],
    ids=lambda hint: next(iter(hint)),
)
async def test_hints_may_be_ignored(rp: RelyingParty, hint: dict[str, str]) -> None:
    """oidcc-login-hint, oidcc-ui-locales, oidcc-claims-locales."""
    await rp.run(**hint)


async def test_acr_values(rp: RelyingParty) -> None:
    """oidcc-ensure-request-with-acr-values-succeeds: an ``acr`` comes back, one of ours."""
    outcome = await rp.run(acr_values="1 2")
    assert outcome.claims["acr"] == "0"


async def test_codereuse(rp: RelyingParty) -> None:
    """oidcc-codereuse (OP-OAuth-2nd): a second presentation at once is refused."""
    code = rp.code_of(await rp.begin())
    await rp.redeem(code)
    is_token_error(await rp.app.redeem(code, code_verifier=None), "invalid_grant")


async def test_codereuse_30seconds(rp: RelyingParty, world: World) -> None:
    """oidcc-codereuse-30seconds: and ends the tokens of the first."""
    code = rp.code_of(await rp.begin())
    answer = await rp.redeem(code)
    await world.advance(30)
    is_token_error(await rp.app.redeem(code, code_verifier=None), "invalid_grant")
    assert (await world.userinfo(answer["access_token"])).status_code == 401


async def test_unregistered_redirect_uri(rp: RelyingParty) -> None:
    """oidcc-ensure-registered-redirect-uri (OP-redirect_uri-NotReg): a page, no redirect."""
    is_page(await rp.begin(redirect_uri="https://back.example/other"))


async def test_post_request(rp: RelyingParty) -> None:
    """oidcc-ensure-post-request-succeeds: Core §3.1.2.1 wants POST as well."""
    first = await rp.browser.http.post("/authorize", data=rp.asks())
    await rp.redeem(rp.code_of(await rp.finish(first)))


async def test_client_secret_post(rp: RelyingParty, world: World) -> None:
    """oidcc-server-client-secret-post (OP-ClientAuth-SecretPost)."""
    app = await world.new_app(POST, require_pkce=False)
    other = RelyingParty(world, app, rp.browser, rp.mode)
    code = other.code_of(await other.begin())
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
        "client_id": app.client.client_id,
        "client_secret": app.secret,
    }
    answer = await world.api.post("/token", data=fields)
    assert answer.status_code == 200, answer.text
    await other.id_token(answer.json()["id_token"])


async def test_request_uri_unsigned(rp: RelyingParty) -> None:
    """oidcc-request-uri-unsigned-…-rejected-as-unsupported: nothing is fetched."""
    refused = await rp.begin(request_uri="https://back.example/request.jwt")
    assert rp.error_of(refused) == "request_uri_not_supported"


async def test_unsigned_request_object(rp: RelyingParty, world: World) -> None:
    """oidcc-unsigned-request-object-…: refused as not supported, by clients with keys as well.

    The metadata does not name ``none``, so that the plan skips the module; and with it
    oidcc-ensure-request-object-with-redirect-uri, whose object is unsigned, too.
    """
    metadata = (await world.api.get("/.well-known/openid-configuration")).json()
    assert "none" not in metadata["request_object_signing_alg_values_supported"]
    signing = await world.new_app(BACK, require_pkce=False, jwks=jwks(signs("RS256")))
    claims = {"scope": "openid", "redirect_uri": signing.redirect_uri}
    unsigned = f"{b64({'alg': 'none'})}.{b64(claims)}."
    for one in (rp, RelyingParty(world, signing, rp.browser, rp.mode)):
        assert one.error_of(await one.begin(request=unsigned)) == "request_not_supported"


async def test_claims_essential(rp: RelyingParty) -> None:
    """oidcc-claims-essential (OP-claims-essential): ``name`` by the claims parameter alone."""
    asked = json.dumps({"userinfo": {"name": {"essential": True}}})
    outcome = await rp.run(scope="openid", claims=asked)
    assert (await rp.userinfo(outcome.answer)).keys() == {"sub", "name"}


async def test_refresh_token(rp: RelyingParty, world: World) -> None:
    """oidcc-refresh-token: new tokens of the same subject; another client gets nothing."""
    outcome = await rp.run(scope="openid offline_access", prompt="consent login")
    token = outcome.answer["refresh_token"]
    other = await world.new_app(BACK, require_pkce=False)
    is_token_error(await other.refresh(token), "invalid_grant")
    answer = (await rp.app.refresh(token)).json()
    claims = await rp.id_token(answer["id_token"])
    same = ("iss", "sub", "aud", "auth_time")
    assert [claims[name] for name in same] == [outcome.claims[name] for name in same]
    assert claims["iat"] >= outcome.claims["iat"]
    assert claims.get("nonce") in (None, outcome.claims["nonce"])
    assert answer["access_token"] != outcome.answer["access_token"]
    await rp.userinfo(answer)


async def test_valid_pkce(rp: RelyingParty) -> None:
    """oidcc-ensure-request-with-valid-pkce-succeeds."""
    code = rp.code_of(await rp.begin(**rp.pkce()))
    await rp.redeem(code, code_verifier=rp.app.verifier)


async def test_two_flows_of_two_people(rp: RelyingParty, world: World) -> None:
    """Not in the plan: what the plan cannot see, that no answer is ever another person's."""
    mine = await rp.run(ADA)
    other = RelyingParty(world, rp.app, world.browser(), rp.mode)
    theirs = await other.run("ben_okafor")
    assert mine.claims["sub"] != theirs.claims["sub"]
    assert urlencode(mine.answer) != urlencode(theirs.answer)
