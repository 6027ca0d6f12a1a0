"""The claims parameter, acr and pairwise subjects on the wire."""

import json
from typing import Any

import pytest

from tests.protocol.actors import Browser
from tests.protocol.checks import answered, is_refusal
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, BEN, FRONT, THIRD
from tests.protocol.tokens import claims_of

EMAIL = json.dumps({"userinfo": {"email": {"essential": True}}})


def text(**places: Any) -> str:
    """A claims request."""
    return json.dumps(places)


async def userinfo(world: World, tokens: dict[str, Any]) -> dict[str, Any]:
    """What userinfo says."""
    found: dict[str, Any] = (await world.userinfo(tokens["access_token"])).json()
    return found


async def test_claims_by_name(world: World, browser: Browser) -> None:
    """Each where it was asked for, and after a refresh as before."""
    app = world.app(BACK)
    asked = text(id_token={"name": None}, userinfo={"email": None})
    tokens = await browser.tokens(app, scope="openid", claims=asked)
    for _ in range(2):
        assert "name" in claims_of(tokens["id_token"])
        assert "email" not in claims_of(tokens["id_token"])
        assert (await userinfo(world, tokens)).keys() == {"sub", "email"}
        tokens = (await app.refresh(tokens["refresh_token"])).json()


async def test_a_third_party_asks_for_them(world: World, browser: Browser) -> None:
    """The person sees what is asked for by name, and agrees to it, before it is told."""
    app = world.app(THIRD)
    await browser.tokens(app, scope="openid")
    is_refusal(
        await browser.authorize(app, scope="openid", claims=EMAIL, prompt="none"),
        app,
        "consent_required",
    )
    page = await browser.arrive(app, scope="openid", claims=EMAIL)
    assert "ada@" in page.text
    code = answered(await browser.decide(page, "allow"), app)["code"]
    assert "email" in await userinfo(world, (await app.redeem(code)).json())
    answered(await browser.authorize(app, scope="openid", claims=EMAIL, prompt="none"), app)


async def test_what_was_taken_from_the_client_since(world: World, browser: Browser) -> None:
    """A claim whose scope an operator has taken away is told no more."""
    app = await world.new_app(BACK)
    tokens = await browser.tokens(app, scope="openid", claims=EMAIL)
    assert "email" in await userinfo(world, tokens)
    await world.edit(app, scopes=("openid", "profile"))
    assert (await userinfo(world, tokens)).keys() == {"sub"}


async def test_a_subject_by_value(world: World, browser: Browser) -> None:
    """Core §5.5.1: whoever else is signed in has to sign in as that person."""
    app = world.app(FRONT)
    ada = claims_of((await browser.tokens(app, ADA))["id_token"])["sub"]
    ben = claims_of((await world.browser().tokens(app, BEN))["id_token"])["sub"]
    mine, other = (text(id_token={"sub": {"value": sub}}) for sub in (ada, ben))
    answered(await browser.authorize(app, claims=mine, prompt="none"), app)
    is_refusal(await browser.authorize(app, claims=other, prompt="none"), app, "login_required")
    code = answered(await browser.arrive(app, BEN, claims=other), app)["code"]
    assert claims_of((await app.redeem(code)).json()["id_token"])["sub"] == ben


async def test_an_essential_acr(world: World, browser: Browser) -> None:
    """Ours comes back; one that we do not have is refused before anybody signs in."""
    app = world.app(FRONT)
    ours = text(id_token={"acr": {"essential": True, "values": ["0", "1"]}})
    assert claims_of((await browser.tokens(app, claims=ours))["id_token"])["acr"] == "0"
    other = text(id_token={"acr": {"essential": True, "value": "urn:mace:incommon:iap:silver"}})
    answer = await browser.authorize(app, claims=other)
    is_refusal(answer, app, "unmet_authentication_requirements")
    assert "acr" not in claims_of((await browser.tokens(app))["id_token"])


async def test_malformed(world: World, browser: Browser) -> None:
    """Told to the app."""
    app = world.app(FRONT)
    is_refusal(await browser.authorize(app, claims="{"), app, "invalid_request")
    is_refusal(await browser.authorize(app, claims="[" * 4000), app, "invalid_request")


async def test_default_max_age(world: World, browser: Browser) -> None:
    """OpenID Connect Registration §2: the client's own, unless a request names another."""
    app = await world.new_app(FRONT, default_max_age=60)
    await browser.tokens(app)
    await world.advance(61)
    is_refusal(await browser.authorize(app, prompt="none"), app, "login_required")
    answered(await browser.authorize(app, prompt="none", max_age="100"), app)


# ── pairwise subjects (Core §8) ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", ["\ud800", "a\0b", "\n", "x" * 256], ids=ascii)
@pytest.mark.parametrize("kind", ["public", "pairwise"])
async def test_what_cannot_be_a_subject(
    world: World, browser: Browser, value: str, kind: str
) -> None:
    """Half a character, a control character, too many: refused before any store sees it."""
    app = await world.new_app(BACK, subject_type=kind)
    await browser.tokens(app)
    asked = text(id_token={"sub": {"value": value}})
    is_refusal(await browser.authorize(app, claims=asked), app, "invalid_request")


async def test_max_age_zero_is_a_new_sign_in(world: World, browser: Browser) -> None:
    """Even in the very moment of the last one, and where it is the client's own (Core §3.1.2.1)."""
    app, other = world.app(BACK), await world.new_app(BACK, default_max_age=0)
    await browser.tokens(app)
    is_refusal(await browser.authorize(app, max_age="0", prompt="none"), app, "login_required")
    is_refusal(await browser.authorize(other, prompt="none"), other, "login_required")
    await world.advance(5)
    told = claims_of((await browser.tokens(app, max_age="0"))["id_token"])
    assert told["auth_time"] == int(world.clock.now())


async def test_pairwise_subjects(world: World, browser: Browser) -> None:
    """The same at one sector, another at each; the same in every token and at userinfo."""
    public = claims_of((await browser.tokens(world.app(BACK)))["id_token"])["sub"]
    seen = set()
    for like in (BACK, FRONT):
        subs = set()
        for _ in range(2):  # two clients of one sector
            app = await world.new_app(like, subject_type="pairwise")
            tokens = await browser.tokens(app)
            refreshed = (await app.refresh(tokens["refresh_token"])).json()
            subs |= {claims_of(one["id_token"])["sub"] for one in (tokens, refreshed)}
            subs |= {
                claims_of(tokens["access_token"])["sub"],
                (await userinfo(world, tokens))["sub"],
            }
        assert len(subs) == 1
        seen |= subs
    assert len({*seen, public}) == 3


async def test_pairwise_hints(world: World, browser: Browser) -> None:
    """A hint names the person as the client knows them, at sign-in and at sign-out."""
    app = await world.new_app(FRONT, subject_type="pairwise")
    ada, ben = await browser.tokens(app, ADA), await world.browser().tokens(app, BEN)
    answered(await browser.authorize(app, prompt="none", id_token_hint=ada["id_token"]), app)
    wrong = await browser.authorize(app, prompt="none", id_token_hint=ben["id_token"])
    is_refusal(wrong, app, "login_required")
    third = await world.new_app(THIRD, subject_type="pairwise")
    hint = (await browser.tokens(third))["id_token"]
    page = await browser.arrive(third, id_token_hint=hint, prompt="consent")
    answered(await browser.decide(page, "allow"), third)
    again = world.browser()
    await again.tokens(app, ADA)
    out = await again.http.get("/logout", params={"id_token_hint": ada["id_token"]})
    assert "signed out" in out.text
    assert again.session is None
