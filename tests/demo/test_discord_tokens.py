"""The simulated Discord's token and revocation endpoints."""

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.demo.conftest import CHALLENGE, REDIRECT, VERIFIER, Discord


async def test_a_code_brings_the_documented_answer(discord: Discord):
    """Promise: the token answer has Discord's fields and lifetime."""
    tokens = await discord.sign_in(scope="identify email")
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 604_800
    assert set(tokens["scope"].split()) == {"identify", "email"}


async def test_a_code_works_once(discord: Discord):
    """Promise: a code is spent by its first presentation."""
    code = await discord.code()
    assert (await discord.redeem(code)).status_code == 200
    again = await discord.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_code_expires(discord: Discord):
    """Promise: a code is not good for ever."""
    code = await discord.code()
    discord.clock.seconds += 601
    assert (await discord.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_bound_to_its_redirect_uri_and_application(discord: Discord):
    """Promise: another redirect URI or another application gets invalid_grant."""
    from broker.demo.discord import Application

    discord.state.add_application(Application("1002", "other", (REDIRECT,)))
    answer = await discord.token(
        grant_type="authorization_code", code=await discord.code(), redirect_uri=REDIRECT + "2"
    )
    assert answer.json()["error"] == "invalid_grant"
    answer = await discord.token(
        ("1002", "other"),
        grant_type="authorization_code",
        code=await discord.code(),
        redirect_uri=REDIRECT,
    )
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", [None, "x" * 43, "short", VERIFIER[:-1], "v" * 129])
async def test_pkce_is_enforced_where_it_was_sent(discord: Discord, verifier: str | None):
    """Promise: a challenge makes the right verifier necessary."""
    code = await discord.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    more = {"code_verifier": verifier} if verifier else {}
    assert (await discord.redeem(code, **more)).json()["error"] == "invalid_grant"


async def test_the_right_verifier_is_accepted(discord: Discord):
    """Promise: S256 of the verifier is the challenge."""
    code = await discord.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await discord.redeem(code, code_verifier=VERIFIER)).status_code == 200


async def test_refresh_tokens_are_single_use(discord: Discord):
    """Promise: a refresh replaces the refresh token; the old one is dead at once."""
    first = await discord.sign_in()
    second = await discord.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    again = await discord.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    third = await discord.token(
        grant_type="refresh_token", refresh_token=second.json()["refresh_token"]
    )
    assert third.status_code == 200


async def test_an_access_token_is_no_refresh_token_and_the_reverse(discord: Discord):
    """Promise: tokens of one kind are refused as the other."""
    tokens = await discord.sign_in()
    answer = await discord.token(grant_type="refresh_token", refresh_token=tokens["access_token"])
    assert answer.json()["error"] == "invalid_grant"
    discord.headers = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert (await discord.get("/users/@me")).status_code == 401


async def test_only_forms_are_understood(discord: Discord):
    """Promise: a JSON body is refused, at both endpoints."""
    for path in ("/api/oauth2/token", "/api/v10/oauth2/token", "/api/oauth2/token/revoke"):
        answer = await discord.client.post(
            discord.origin + path, json={"grant_type": "x"}, auth=discord.credentials
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("auth", [("1001", "wrong"), ("1", "s3cret"), ("1001", "")])
async def test_a_wrong_secret_is_invalid_client(discord: Discord, auth: tuple[str, str]):
    """Promise: the client must authenticate before anything is judged."""
    code = await discord.code()
    answer = await discord.token(auth, grant_type="authorization_code", code=code)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await discord.redeem(code)).status_code == 200


async def test_the_secret_may_come_in_the_body(discord: Discord):
    """Promise: client_secret_post works as Basic does, under /api/v10 too."""
    answer = await discord.client.post(
        f"{discord.origin}/api/v10/oauth2/token",
        data={
            "client_id": "1001",
            "client_secret": "s3cret",
            "grant_type": "authorization_code",
            "code": await discord.code(),
            "redirect_uri": REDIRECT,
        },
    )
    assert answer.status_code == 200


async def test_other_grants_are_unsupported(discord: Discord):
    """Promise: an unknown grant type has its own error."""
    assert (await discord.token(grant_type="password")).json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revoking_either_token_ends_the_authorization(discord: Discord, which: str):
    """Promise: after a revocation neither token of the authorization works."""
    tokens = await discord.sign_in()
    url = f"{discord.origin}/api/oauth2/token/revoke"
    answer = await discord.client.post(url, data={"token": tokens[which]}, auth=discord.credentials)
    assert answer.status_code == 200
    assert (await discord.get("/users/@me")).status_code == 401
    answer = await discord.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


async def test_revoking_ends_the_authorization_of_every_sign_in(discord: Discord):
    """Promise: the app leaves the person's authorized apps; others' tokens live on."""
    first = await discord.sign_in()
    held = dict(discord.headers)
    await discord.sign_in("ben_okafor")
    bens = dict(discord.headers)
    await discord.sign_in()
    url = f"{discord.origin}/api/oauth2/token/revoke"
    await discord.client.post(url, data={"token": first["refresh_token"]}, auth=discord.credentials)
    for headers, status in ((discord.headers, 401), (held, 401), (bens, 200)):
        discord.headers = headers
        assert (await discord.get("/users/@me")).status_code == status
    assert discord.state.approved(discord.state.person("ada.lindqvist").id) == {}


async def test_revoking_an_unknown_token_changes_nothing(discord: Discord):
    """Promise: RFC 7009 §2.2: 200, and others live on."""
    await discord.sign_in()
    url = f"{discord.origin}/api/oauth2/token/revoke"
    answer = await discord.client.post(url, data={"token": "no"}, auth=discord.credentials)
    assert answer.status_code == 200
    assert (await discord.get("/users/@me")).status_code == 200


async def test_an_access_token_expires_and_its_refresh_token_does_not(discord: Discord):
    """Promise: seven days, to the second."""
    tokens = await discord.sign_in()
    discord.clock.seconds += 604_799
    assert (await discord.get("/users/@me")).status_code == 200
    discord.clock.seconds += 1
    assert (await discord.get("/users/@me")).status_code == 401
    answer = await discord.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.status_code == 200


async def test_openid_brings_an_id_token_signed_by_the_published_key(discord: Discord):
    """Promise: with `openid` there is an ID token that `/oauth2/keys` verifies."""
    tokens = await discord.sign_in("ben_okafor", scope="openid identify", nonce="n1")
    keys = KeySet.import_key_set((await discord.get("/oauth2/keys")).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["sub"] == discord.state.find_person("ben_okafor").id
    assert (claims["aud"], claims["nonce"]) == ("1001", "n1")
