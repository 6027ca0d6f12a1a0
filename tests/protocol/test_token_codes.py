"""Token endpoint: codes and client authentication."""

import asyncio
from collections import Counter

import pytest

from broker.core.handles import Handle, Handles, Kind
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_challenge, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import (
    API,
    BACK,
    BEN,
    CODE_ONLY,
    FRONT,
    OPERATOR_SECRET,
    OTHER_API,
    POST,
    THIRD,
    TWO,
)
from tests.protocol.services import introspected
from tests.protocol.tokens import claims_of


async def test_a_code_s_answer(browser: Browser, app: App) -> None:
    """RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3: these members, kept by nobody."""
    answer = await app.redeem(await browser.code(app))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {
        "access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token",
    }  # fmt: skip
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert body["scope"] == "openid profile"


async def test_code_twice(world: World, browser: Browser, app: App) -> None:
    """By its client with the right verifier: refused, and all that it had given is dead."""
    code = await browser.code(app)
    tokens = (await app.redeem(code)).json()
    is_token_error(await app.redeem(code), "invalid_grant")
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    (event,) = await world.audit("code.replayed")
    assert event.event.client_id == "front"
    is_token_error(await app.redeem(code), "invalid_grant")


async def test_code_twice_as_services_see_it(world: World, browser: Browser) -> None:
    """Whoever asks what its tokens are worth is told: nothing any more."""
    app = world.app(BACK)
    code = await browser.code(app)
    token = (await app.redeem(code)).json()["access_token"]
    assert (await introspected(app, token))["active"] is True
    is_token_error(await app.redeem(code), "invalid_grant")
    assert await introspected(app, token) == {"active": False}


async def test_code_twice_after_a_refresh(world: World, browser: Browser, app: App) -> None:
    """However far the grant has come, it ends."""
    code = await browser.code(app)
    tokens = (await app.redeem(code)).json()
    later = (await app.refresh(tokens["refresh_token"])).json()
    is_token_error(await app.redeem(code), "invalid_grant")
    is_token_error(await app.refresh(later["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(later["access_token"]))


async def test_code_twice_by_another_client(world: World, browser: Browser, app: App) -> None:
    """A thief without the client's proof cannot end the honest client's grant."""
    code = await browser.code(app)
    tokens = (await app.redeem(code)).json()
    for thief in (world.app(THIRD), world.app(BACK)):
        is_token_error(await thief.redeem(code, code_verifier=app.verifier), "invalid_grant")
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    assert not await world.audit("code.replayed")


@pytest.mark.parametrize("verifier", ["w" * 43, None, "short"])
async def test_code_twice_with_a_wrong_verifier(
    world: World, browser: Browser, app: App, verifier: str | None
) -> None:
    """Somebody who found a code in a log knows no verifier: the grant is untouched."""
    code = await browser.code(app)
    tokens = (await app.redeem(code)).json()
    is_token_error(await app.redeem(code, code_verifier=verifier), "invalid_grant")
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    assert (await world.userinfo(tokens["access_token"])).status_code == 200


async def test_parallel_redemptions(browser: Browser, app: App) -> None:
    """Of any number at once exactly one is answered with tokens."""
    code = await browser.code(app)
    answers = await asyncio.gather(*(app.redeem(code) for _ in range(12)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 11}
    for answer in answers:
        if answer.status_code == 400:
            is_token_error(answer, "invalid_grant")


async def test_code_of_another_client(world: World, browser: Browser, app: App) -> None:
    """CVE-2026-16089: refused, and the code still works for its own client."""
    code = await browser.code(app)
    thief = world.app(THIRD)
    stolen = await thief.redeem(code, code_verifier=app.verifier, redirect_uri=app.redirect_uri)
    is_token_error(stolen, "invalid_grant")
    assert (await app.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://two.example/b?x=1"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"code_verifier": "short"},
        {"code_verifier": "v" * 129},
    ],
)
async def test_code_with_something_wrong_beside_it(
    world: World, browser: Browser, changes: dict[str, str | None]
) -> None:
    """Another or no redirect URI, a wrong, missing or malformed verifier: nothing is spent."""
    app = world.app(TWO)
    code = await browser.code(app)
    is_token_error(await app.redeem(code, **changes), "invalid_grant")
    assert (await app.redeem(code)).status_code == 200


async def test_code_expired(world: World, browser: Browser, app: App) -> None:
    """A code lives for a minute, and not at its end; a clock that steps back revives nothing."""
    fresh, late = await browser.code(app), await browser.code(app)
    await world.advance(59.9)
    assert (await app.redeem(fresh)).status_code == 200
    await world.advance(0.1)
    is_token_error(await app.redeem(late), "invalid_grant")
    world.clock.at -= 30
    is_token_error(await app.redeem(late), "invalid_grant")


@pytest.mark.parametrize("code", ["", "garbage", "A" * 82, "x" * 5000, "é"])
async def test_code_that_never_was(app: App, code: str) -> None:
    """Garbage is refused before any store is asked; a missing code is a malformed request."""
    error = "invalid_request" if len(code) in {0, 5000} else "invalid_grant"
    is_token_error(await app.redeem(code), error)


async def test_code_of_another_kind(browser: Browser, app: App) -> None:
    """A refresh token is no code, a code no refresh token, a session no code."""
    code = await browser.code(app)
    tokens = (await app.redeem(await browser.code(app))).json()
    is_token_error(await app.redeem(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await app.refresh(code), "invalid_grant")
    assert browser.session
    is_token_error(await app.redeem(browser.session), "invalid_grant")


async def test_code_made_with_another_secret(browser: Browser, app: App) -> None:
    """Knowing this program and the identifiers makes no code."""
    forged = Handles([b"y" * 40]).make(Kind.CODE, Handle("ab" * 16, "cd" * 16))
    is_token_error(await app.redeem(forged), "invalid_grant")
    unknown = Handles([OPERATOR_SECRET.encode()]).make(Kind.CODE, Handle("ab" * 16, "cd" * 16))
    is_token_error(await app.redeem(unknown), "invalid_grant")


async def test_verifier_where_no_challenge_was_sent(world: World, browser: Browser) -> None:
    """RFC 9700 §4.8.2: somebody cut the challenge out of the request."""
    app = world.app(POST)
    code = await browser.code(app, code_challenge=None, code_challenge_method=None)
    is_token_error(await app.redeem(code), "invalid_grant")
    assert (await app.redeem(code, code_verifier=None)).status_code == 200


async def test_resource_narrowed_and_widened(world: World, browser: Browser) -> None:
    """RFC 8707 §2.2: the audience is what was granted or less; more spends nothing."""
    app = world.app(BACK)
    code = await browser.code(app, resource=API)
    is_token_error(await app.redeem(code, resource=OTHER_API), "invalid_target")
    is_token_error(await app.redeem(code, resource="https://evil.example"), "invalid_target")
    tokens = (await app.redeem(code, resource=API)).json()
    assert claims_of(tokens["access_token"])["aud"] == API
    assert claims_of(tokens["id_token"])["aud"] == "back"


async def test_audience_without_a_resource(world: World, browser: Browser) -> None:
    """RFC 9068 §3: the client's default audience, else itself."""
    tokens = await browser.tokens(world.app(POST))
    assert claims_of(tokens["access_token"])["aud"] == "https://default.example"
    tokens = await browser.tokens(world.app(FRONT))
    assert claims_of(tokens["access_token"])["aud"] == "front"


async def test_client_without_refresh(world: World, browser: Browser) -> None:
    """A client not registered for refreshing gets no refresh token and may not use one."""
    app = world.app(CODE_ONLY)
    assert "refresh_token" not in await browser.tokens(app)
    is_token_error(await app.refresh("anything"), "unauthorized_client")


# ── the account meanwhile ──────────────────────────────────────────────────────────────────


async def test_account_disabled_between_code_and_redemption(
    world: World, browser: Browser, app: App
) -> None:
    """CVE-2023-22492: an account switched off gets no tokens, also when it is on again."""
    code = await browser.code(app, BEN)
    account = await world.account_of(BEN)
    await world.disable(account)
    is_token_error(await app.redeem(code), "invalid_grant")
    await world.enable(account)
    is_token_error(await app.redeem(code), "invalid_grant")


async def test_session_ended_between_code_and_redemption(
    world: World, browser: Browser, app: App
) -> None:
    """After logout nothing of the session works, unspent codes included."""
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    is_token_error(await app.redeem(code), "invalid_grant")
