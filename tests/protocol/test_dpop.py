"""DPoP from end to end (RFC 9449): bound tokens, bound codes, and proofs that are used once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.core.signers import signs
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, FRONT, ORIGIN
from tests.protocol.proving import Prover
from tests.protocol.tokens import claims_of
from tests.protocol.watching import one_round_trip

KINDS = pytest.mark.parametrize("client", [FRONT, BACK], ids=["public", "confidential"])


def is_dpop_challenge(answer: Any, error: str, status: int = 401) -> None:
    """RS401 of a token that is bound to a key: what went wrong, and what may be signed with."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("DPoP ")
    assert f'error="{error}"' in challenge
    assert 'algs="PS256 ES256 EdDSA Ed25519"' in challenge
    assert answer.headers["cache-control"] == "no-store"


async def bound(browser: Browser, prover: Prover, **asks: str | None) -> dict[str, Any]:
    """Sign in and redeem the code with a proof."""
    answer = await prover.redeem(await browser.code(prover.app, **asks))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# ── tokens ─────────────────────────────────────────────────────────────────────────────────


@KINDS
async def test_tokens_are_bound_to_the_proofs_key(world: World, browser: Browser, client) -> None:
    """``cnf`` names the key, the token type is DPoP; so it is at each refresh (§5, §6.1)."""
    prover = Prover(world.app(client))
    tokens = await bound(browser, prover)
    again = (await prover.refresh(tokens["refresh_token"])).json()
    for each in (tokens, again):
        assert each["token_type"] == "DPoP"
        assert claims_of(each["access_token"])["cnf"] == {"jkt": prover.jkt}
        answer = await prover.userinfo(each["access_token"])
        assert (answer.status_code, answer.json()["sub"]) == (
            200,
            claims_of(tokens["id_token"])["sub"],
        )
    assert (await prover.userinfo(again["access_token"], method="POST")).status_code == 200


async def test_without_a_proof_nothing_changes(world: World, browser: Browser, app: App) -> None:
    """A client that does not use DPoP gets bearer tokens, and no header of DPoP's."""
    answer = await app.redeem(await browser.code(app))
    assert answer.json()["token_type"] == "Bearer"
    assert "cnf" not in claims_of(answer.json()["access_token"])
    assert "dpop-nonce" not in answer.headers


async def test_a_client_may_have_to_bind_its_tokens(world: World, browser: Browser) -> None:
    """``dpop_bound_access_tokens``: no proof, no tokens, at redemption and at refresh (§5.2)."""
    app = await world.new_app(BACK, dpop_bound_access_tokens=True)
    prover = Prover(app)
    code = await browser.code(app)
    is_token_error(await app.redeem(code), "invalid_dpop_proof")
    tokens = (await prover.redeem(code)).json()
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_dpop_proof")
    assert (await prover.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_public_clients_refresh_token_is_bound(world: World, browser: Browser) -> None:
    """Another key, or none, gets nothing and ends nothing (§5)."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["refresh_token"]
    is_token_error(await prover.app.refresh(token), "invalid_dpop_proof")
    thief = Prover(prover.app, signs("ES256", "thief"))
    is_token_error(await thief.refresh(token), "invalid_grant")
    await world.advance(60)
    is_token_error(await thief.refresh(token), "invalid_grant")
    assert (await prover.refresh(token)).status_code == 200


async def test_a_confidential_client_may_change_its_key(world: World, browser: Browser) -> None:
    """Its refresh tokens are bound to itself; each access token is to the proof that came (§5)."""
    prover = Prover(world.app(BACK))
    token = (await bound(browser, prover))["refresh_token"]
    other = Prover(prover.app, signs("ES256", "other"))
    second = (await other.refresh(token)).json()
    assert claims_of(second["access_token"])["cnf"] == {"jkt": other.jkt}
    third = (await prover.app.refresh(second["refresh_token"])).json()
    assert third["token_type"] == "Bearer"


# ── proofs ─────────────────────────────────────────────────────────────────────────────────

BAD: list[dict[str, Any]] = [
    {"htm": "GET"}, {"htu": "https://evil.example/token"}, {"iat": 1}, {"jti": None},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD)
async def test_a_bad_proof_spends_nothing(world: World, browser: Browser, changes) -> None:
    """T(invalid_dpop_proof); code and refresh token work afterwards with a good one."""
    prover = Prover(world.app(FRONT))
    code = await browser.code(prover.app)
    bad = prover.proof(**changes)
    is_token_error(await prover.redeem(code, dpop=bad), "invalid_dpop_proof")
    tokens = (await prover.redeem(code)).json()
    bad = prover.proof(**changes)
    is_token_error(await prover.refresh(tokens["refresh_token"], dpop=bad), "invalid_dpop_proof")
    assert (await prover.refresh(tokens["refresh_token"])).status_code == 200


async def test_two_proofs(world: World, browser: Browser) -> None:
    """Two headers are refused wherever proofs are read (§4.3)."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["access_token"]
    for method, path in (("POST", "/token"), ("POST", "/par"), ("GET", "/userinfo")):
        ath = prover.ath(token)
        headers = [("dpop", prover.proof(path, method, ath=ath)) for _ in range(2)]
        headers.append(("authorization", f"DPoP {token}"))
        data = {"grant_type": "refresh_token"} if method == "POST" else None
        answer = await world.api.request(method, path, headers=headers, data=data)
        if path == "/userinfo":
            is_dpop_challenge(answer, "invalid_dpop_proof")
        else:
            is_token_error(answer, "invalid_dpop_proof")


async def test_a_proof_is_used_once_for_codes(world: World, browser: Browser) -> None:
    """N parallel redemptions with one proof: one 200, the others refused, nothing revoked."""
    prover = Prover(world.app(FRONT))
    code, proof = await browser.code(prover.app), prover.proof()
    answers = await asyncio.gather(*(prover.redeem(code, dpop=proof) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 9}
    (good,) = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 400:
            is_token_error(answer, "invalid_dpop_proof")
    assert (await prover.refresh(good["refresh_token"])).status_code == 200


async def test_a_proof_is_used_once_for_refreshes(world: World, browser: Browser) -> None:
    """N parallel refreshes with one proof: one 200; with proofs of their own all succeed."""
    prover = Prover(world.app(FRONT))
    token, proof = (await bound(browser, prover))["refresh_token"], prover.proof()
    answers = await asyncio.gather(*(prover.refresh(token, dpop=proof) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 9}
    answers = await asyncio.gather(*(prover.refresh(token) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_a_proof_is_used_once_at_userinfo(world: World, browser: Browser) -> None:
    """N parallel requests with one proof: one 200, the others RS401."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["access_token"]
    proof = prover.proof("/userinfo", "GET", ath=prover.ath(token))
    answers = await asyncio.gather(*(prover.userinfo(token, dpop=proof) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 9}
    for answer in answers:
        if answer.status_code == 401:
            is_dpop_challenge(answer, "invalid_dpop_proof")


async def test_a_proof_is_remembered_as_long_as_it_is_taken(world: World, browser: Browser) -> None:
    """Until its iat is too old; Redis forgets it no earlier."""
    prover = Prover(world.app(FRONT))
    token, proof = (await bound(browser, prover))["refresh_token"], prover.proof()
    assert (await prover.refresh(token, dpop=proof)).status_code == 200
    account = await world.account_of("ada.lindqvist")
    kept = await world.redis.keys(f"tb:{{{account}}}:once:*".replace("{", "?").replace("}", "?"))
    assert len(kept) == 2
    for key in kept:
        assert 120 <= await world.redis.ttl(key) <= 181
    await world.advance(121)
    is_token_error(await prover.refresh(token, dpop=proof), "invalid_dpop_proof")


async def test_a_refused_request_does_not_use_the_proof_up(world: World, browser: Browser) -> None:
    """What was refused for something else may be tried again with the same proof."""
    prover = Prover(world.app(FRONT))
    token, proof = (await bound(browser, prover))["refresh_token"], prover.proof()
    wide = await prover.refresh(token, dpop=proof, scope="openid email")
    is_token_error(wide, "invalid_scope")
    account = await world.account_of("ada.lindqvist")
    await world.redis.delete(f"tb:{{{account}}}:facts")  # the step is taken twice
    assert (await prover.refresh(token, dpop=proof)).status_code == 200


async def test_still_one_round_trip(world: World, browser: Browser) -> None:
    """The replay protection is inside the step of the code, of the refresh, of userinfo."""
    prover = Prover(world.app(BACK))
    tokens = await bound(browser, prover)
    code = await browser.code(prover.app)
    await one_round_trip(
        world.sql.engine,
        world.redis,
        lambda: prover.refresh(tokens["refresh_token"]),
        lambda: prover.redeem(code),
        lambda: prover.userinfo(tokens["access_token"]),
    )


# ── codes ──────────────────────────────────────────────────────────────────────────────────


@KINDS
async def test_a_code_bound_by_dpop_jkt(world: World, browser: Browser, client) -> None:
    """§10: it is worth nothing without that key; the attempt spends nothing."""
    prover = Prover(world.app(client))
    code = await browser.code(prover.app, dpop_jkt=prover.jkt)
    is_token_error(await prover.app.redeem(code), "invalid_dpop_proof")
    thief = Prover(prover.app, signs("ES256", "thief"))
    is_token_error(await thief.redeem(code), "invalid_grant")
    assert (await prover.redeem(code)).status_code == 200


async def test_a_code_bound_by_the_proof_of_a_pushed_request(
    world: World, browser: Browser
) -> None:
    """§10.1: the proof at /par is as good as dpop_jkt, is used once, and must agree with it."""
    prover = Prover(world.app(BACK))
    proof = prover.proof("/par")
    pushed = await prover.post("/par", dpop=proof, **prover.app.asks())
    again = await prover.post("/par", dpop=proof, **prover.app.asks())
    is_token_error(again, "invalid_dpop_proof")
    other = await prover.post("/par", **prover.app.asks(dpop_jkt="x" * 43))
    is_token_error(other, "invalid_dpop_proof")
    code = await browser.code(
        prover.app, request_uri=pushed.json()["request_uri"], response_type=None
    )
    is_token_error(await prover.app.redeem(code), "invalid_dpop_proof")
    assert (await prover.redeem(code)).status_code == 200


# ── resources ──────────────────────────────────────────────────────────────────────────────


async def test_a_bound_token_is_no_bearers(world: World, browser: Browser) -> None:
    """§7.2: the scheme Bearer is refused, and so is a bearer's token by the scheme DPoP."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["access_token"]
    is_dpop_challenge(await world.userinfo(token), "invalid_token")
    form = await world.api.post("/userinfo", data={"access_token": token})
    is_dpop_challenge(form, "invalid_token")
    headers = {"authorization": f"Bearer {token}", "dpop": prover.proof("/userinfo", "GET")}
    is_dpop_challenge(await world.api.get("/userinfo", headers=headers), "invalid_token")
    plain = (await browser.tokens(world.app(FRONT)))["access_token"]
    is_dpop_challenge(await prover.userinfo(plain), "invalid_token")


BAD_AT_USERINFO: list[dict[str, Any]] = [
    {"ath": None}, {"ath": "x"}, {"htm": "POST"}, {"htu": "https://evil.example/userinfo"},
    {"iat": 1}, {"jti": None},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD_AT_USERINFO)
async def test_a_bad_proof_at_userinfo(world: World, browser: Browser, changes) -> None:
    """RS401 with a DPoP challenge that says what was wrong (§7.1)."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["access_token"]
    is_dpop_challenge(await prover.userinfo(token, **changes), "invalid_dpop_proof")


async def test_no_proof_and_another_key_at_userinfo(world: World, browser: Browser) -> None:
    """The proof has to be there, and of the key that the token names."""
    prover = Prover(world.app(FRONT))
    token = (await bound(browser, prover))["access_token"]
    alone = await world.api.get("/userinfo", headers={"authorization": f"DPoP {token}"})
    is_dpop_challenge(alone, "invalid_dpop_proof")
    thief = Prover(prover.app, signs("ES256", "thief"))
    is_dpop_challenge(await thief.userinfo(token), "invalid_token")


async def test_no_token_is_told_both_ways(world: World) -> None:
    """Without a token the challenge names both schemes (§7.1)."""
    answer = await world.api.get("/userinfo")
    schemes = [each.split()[0] for each in answer.headers.get_list("www-authenticate")]
    assert (answer.status_code, schemes) == (401, ["Bearer", "DPoP"])


async def test_pages_of_a_client_may_use_it(world: World) -> None:
    """CORS: the header DPoP may be sent, and the nonce and the challenge read."""
    headers = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answer = await world.api.options("/token", headers=headers)
    assert "DPoP" in answer.headers["access-control-allow-headers"].split(", ")
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"DPoP-Nonce", "WWW-Authenticate"} <= set(exposed)


# ── nonces ─────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(loop_scope="session")
async def demanding(shared: Shelf, tmp_path: Path) -> AsyncIterator[World]:
    """A broker whose operator demands nonces."""
    async with begin(shared, tmp_path, dpop_nonces=True) as world:
        yield world


async def test_nonces_are_demanded_and_handed_out(demanding: World) -> None:
    """400 at the token endpoint, 401 at userinfo, with the nonce to use; a good answer has one."""
    prover = Prover(demanding.app(FRONT))
    code = await demanding.browser().code(prover.app)
    refused = await prover.redeem(code)
    is_token_error(refused, "use_dpop_nonce")
    prover.nonce = refused.headers["dpop-nonce"]
    redeemed = await prover.redeem(code)
    assert (redeemed.status_code, redeemed.headers["dpop-nonce"]) == (200, prover.nonce)
    token = redeemed.json()["access_token"]
    without = await prover.userinfo(token, nonce=None)
    is_dpop_challenge(without, "use_dpop_nonce")
    assert without.headers["dpop-nonce"] == prover.nonce
    assert (await prover.userinfo(token)).status_code == 200
    await demanding.advance(240)
    late = await prover.refresh(redeemed.json()["refresh_token"])
    is_token_error(late, "use_dpop_nonce")
    assert late.headers["dpop-nonce"] != prover.nonce


async def test_a_next_nonce_comes_in_time(demanding: World) -> None:
    """A client that goes on with what the last answer gave it is never refused."""
    prover = Prover(demanding.app(FRONT))
    code = await demanding.browser().code(prover.app)
    prover.nonce = (await prover.redeem(code)).headers["dpop-nonce"]
    answer = await prover.redeem(code)
    for _ in range(6):
        assert answer.status_code == 200, answer.text
        prover.nonce = answer.headers["dpop-nonce"]
        await demanding.advance(100)
        answer = await prover.refresh(answer.json()["refresh_token"])
