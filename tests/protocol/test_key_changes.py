"""Tokens across changes of the signing key, as clients and people see them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.protocol.checks import answered, is_challenge, is_page, is_refusal
from tests.protocol.harness import Shelf, World, begin, settings_for
from tests.protocol.known import FRONT
from tests.protocol.tokens import claims_of, header_of

BYE = "https://front.example/bye"
DAY = 86400


@pytest_asyncio.fixture(loop_scope="session")
async def turning(shared: Shelf, tmp_path: Path) -> AsyncIterator[World]:
    """A broker whose keys may be changed: it is this test's own."""
    async with begin(shared, tmp_path) as found:
        await found.advance(DAY)
        found.rotation = found.broker.stores.rotation(  # type: ignore[attr-defined]
            settings_for(shared, tmp_path / "broker.db")
        )
        yield found


async def published(world: World) -> set[str]:
    answer = await world.api.get("/.well-known/jwks.json")
    return {key["kid"] for key in answer.json()["keys"]}


async def test_a_rotation_is_noticed_by_nobody(turning: World) -> None:
    """Old tokens stay good, new ones are signed by a key that was published all along."""
    app, browser = turning.app(FRONT), turning.browser()
    tokens = await browser.tokens(app)
    known = await published(turning)
    await turning.rotation.rotate_now(turning.clock.at)
    await turning.advance(1)
    refreshed = (await app.refresh(tokens["refresh_token"])).json()
    old, new = header_of(tokens["access_token"])["kid"], header_of(refreshed["access_token"])["kid"]
    assert old != new
    assert {old, new} <= known
    for each in (tokens, refreshed):
        assert (await turning.userinfo(each["access_token"])).status_code == 200


async def test_revoked_key(turning: World) -> None:
    """Its tokens and hints are refused, it leaves the JWKS, its published successor signs."""
    app, browser = turning.app(FRONT), turning.browser()
    tokens = await browser.tokens(app)
    kid = header_of(tokens["access_token"])["kid"]
    known = await published(turning)
    await turning.rotation.revoke(kid, "stolen", turning.clock.at)
    await turning.advance(1)
    assert kid not in await published(turning)
    is_challenge(await turning.userinfo(tokens["access_token"]))
    refreshed = (await app.refresh(tokens["refresh_token"])).json()
    successor = header_of(refreshed["access_token"])["kid"]
    assert successor in known - {kid}
    hint = {"id_token_hint": tokens["id_token"]}
    is_refusal(await browser.authorize(app, **hint), app, "invalid_request")
    is_page(await browser.http.get("/logout", params=hint), 200)
    answered(await browser.authorize(app, prompt="none"), app)


async def test_hint_signed_by_a_retired_key(turning: World) -> None:
    """RP-Initiated Logout §2: expired, and its key long unpublished: still a hint."""
    app, browser = turning.app(FRONT), turning.browser()
    hint = (await browser.tokens(app))["id_token"]
    await turning.rotation.rotate_now(turning.clock.at)
    await turning.advance(5 * DAY)
    assert header_of(hint)["kid"] not in await published(turning)
    answered(await browser.authorize(app, prompt="none", id_token_hint=hint), app)
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    assert (await browser.http.get("/logout", params=params)).headers["location"] == BYE


async def test_jwks_document(turning: World) -> None:
    """Public halves only, with a validator and a lifetime; kept copies are confirmed by 304."""
    answer = await turning.api.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"].startswith("public, max-age=")
    for key in json.loads(answer.content)["keys"]:
        assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
    again = await turning.api.get(
        "/.well-known/jwks.json", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_sid_and_subject_survive_a_rotation(turning: World) -> None:
    """What a client keys its records on does not depend on the key."""
    app, browser = turning.app(FRONT), turning.browser()
    before = claims_of((await browser.tokens(app))["id_token"])
    await turning.rotation.rotate_now(turning.clock.at)
    await turning.advance(1)
    after = claims_of((await browser.tokens(app))["id_token"])
    assert (after["sub"], after["sid"]) == (before["sub"], before["sid"])
