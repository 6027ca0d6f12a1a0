"""Apps without a redirect: a token that Discord gave our application, exchanged for ours."""

import asyncio
from typing import Any

import httpx2
import pytest

from broker.core import vocabulary as v
from broker.demo.discord import Application, Fault
from broker.stores.redis.guesses import OFFERS_PER_ADDRESS
from tests.protocol.actors import Browser
from tests.protocol.checks import is_token_error
from tests.protocol.events import held_back, withdrawn
from tests.protocol.harness import World
from tests.protocol.known import ADA, API, BACK, BEN, DISCORD_ID, FRONT, ORIGIN, OTHER_API
from tests.protocol.offering import activity, bot, discord_token, given, offer
from tests.protocol.proving import Prover
from tests.protocol.services import TYPE_ACCESS, TYPE_JWT, introspected
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips

OTHER = "1130000000000000009"
WORDS = "The subject_token is not one that may be exchanged here"
OWNER, PROFILE = "/oauth2/@me", "/users/@me"


def unusable(answer: httpx2.Response) -> None:
    """The one refusal, whatever is wrong with a token."""
    is_token_error(answer, "invalid_request")
    assert answer.json()["error_description"] == WORDS


async def nobody(world: World) -> bool:
    """Whether nothing is left of anybody: no account, no session, no grant."""
    keys = [key async for key in world.redis.scan_iter()]
    own = [key for key in keys if not any(part in str(key) for part in ("guess:", "upstream"))]
    return own == [] and await world.sql.accounts.page() == ()


# ── what is given ──────────────────────────────────────────────────────────────────────────


async def test_what_a_good_token_is_exchanged_for(world: World) -> None:
    """RFC 8693 §2.2.1, and all that a code would give: ID token, refresh token, a grant."""
    app = await activity(world)
    answer = await offer(app, discord_token(world), scope="openid profile email")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {
        "access_token", "issued_token_type", "token_type", "expires_in", "scope", "refresh_token",
        "id_token",
    }  # fmt: skip
    assert (body["issued_token_type"], body["token_type"]) == (TYPE_ACCESS, "Bearer")
    known, access = claims_of(body["id_token"]), claims_of(body["access_token"])
    assert known["aud"] == access["client_id"] == app.client.client_id
    assert known["sub"] == access["sub"]
    assert "auth_time" not in known.keys() | access.keys()  # Discord does not say when
    assert (known["preferred_username"], known["email_verified"]) == (ADA, True)
    told = (await world.userinfo(body["access_token"])).json()
    assert told["preferred_username"] == ADA
    newer = await app.refresh(body["refresh_token"])
    assert newer.status_code == 200
    assert claims_of(newer.json()["id_token"])["sub"] == known["sub"]


async def test_it_is_the_account_of_that_person(world: World, browser: Browser) -> None:
    """Whoever has signed in by browser before, or does so afterwards, is the same one."""
    first = claims_of((await browser.tokens(world.app(FRONT)))["id_token"])
    app = await activity(world)
    own = claims_of((await given(app, discord_token(world)))["id_token"])
    assert own["sub"] == first["sub"]
    new = claims_of((await given(app, discord_token(world, BEN)))["id_token"])
    later = claims_of((await world.browser().tokens(world.app(FRONT), BEN))["id_token"])
    assert new["sub"] == later["sub"] != own["sub"]
    assert own["sid"] != first["sid"]


async def test_scope_and_audience(world: World) -> None:
    """What is asked for, if the client may have it; all but offline_access where nothing is."""
    app = await bot(world)
    token = discord_token(world)
    whole = await given(app, token)
    assert set(whole["scope"].split()) == {"openid", "profile", "email"}
    bare = await given(app, token, scope="profile", resource=API)
    assert "id_token" not in bare
    assert claims_of(bare["access_token"])["aud"] == API
    assert claims_of((await given(app, token, audience=API))["access_token"])["aud"] == API
    is_token_error(await offer(app, token, scope="openid admin"), "invalid_scope")
    is_token_error(await offer(app, token, scope="openid  profile"), "invalid_scope")
    is_token_error(await offer(app, token, resource="https://evil.example"), "invalid_target")
    narrow = await bot(world, resources=(API,))
    is_token_error(await offer(narrow, token, audience=OTHER_API), "invalid_target")


async def test_only_what_its_registration_says(world: World) -> None:
    """No refresh token for a client without that grant, no claims beyond its scopes."""
    app = await bot(world, grant_types=(v.GRANT_EXCHANGE,), scopes=("openid",))
    body = await given(app, discord_token(world))
    assert "refresh_token" not in body
    assert "email" not in claims_of(body["id_token"])
    is_token_error(await offer(app, discord_token(world), scope="openid email"), "invalid_scope")


async def test_a_pairwise_subject(world: World, browser: Browser) -> None:
    """As at every other way in."""
    app = await bot(world, subject_type="pairwise")
    own = claims_of((await given(app, discord_token(world)))["id_token"])["sub"]
    public = claims_of((await browser.tokens(world.app(FRONT)))["id_token"])["sub"]
    assert own != public


async def test_a_grant_is_bound_to_a_key(world: World) -> None:
    """RFC 9449 §5: tokens and, of a public client, refresh tokens; a proof counts once."""
    app = await activity(world)
    prover, token = Prover(app), discord_token(world)
    fields: dict[str, str | None] = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": token, "subject_token_type": TYPE_ACCESS,
        "subject_issuer": "discord",
    }  # fmt: skip
    proof = prover.proof()
    body = (await prover.post(dpop=proof, **fields)).json()
    assert body["token_type"] == "DPoP"
    assert claims_of(body["access_token"])["cnf"] == {"jkt": prover.jkt}
    is_token_error(await app.refresh(body["refresh_token"]), "invalid_dpop_proof")
    newer = await prover.post(grant_type="refresh_token", refresh_token=body["refresh_token"])
    assert newer.status_code == 200
    is_token_error(await prover.post(dpop=proof, **fields), "invalid_dpop_proof")
    bound = await activity(world, dpop_bound_access_tokens=True)
    is_token_error(await offer(bound, token), "invalid_dpop_proof")


async def test_it_ends_as_everything_ends(world: World) -> None:
    """By revocation, by an operator, by the person at Discord; an offline grant no later."""
    app = await bot(world)
    for scope in ("openid", "openid offline_access"):
        body = await given(app, discord_token(world), scope=scope)
        await app.revoke(body["refresh_token"])
        is_token_error(await app.refresh(body["refresh_token"]), "invalid_grant")
        body = await given(app, discord_token(world), scope=scope)
        await world.advance(1)
        await withdrawn(world)
        assert await introspected(app, body["access_token"]) == {"active": False}
        is_token_error(await app.refresh(body["refresh_token"]), "invalid_grant")
        await world.advance(1)
        body = await given(app, discord_token(world), scope=scope)
        await world.advance(1)
        await world.sign_out(await world.account_of(ADA))
        is_token_error(await app.refresh(body["refresh_token"]), "invalid_grant")
        await world.advance(1)


async def test_a_launch_that_was_revoked_leaves_no_session(world: World, browser: Browser) -> None:
    """Revoking its refresh or its access token ends what no browser could come back to."""
    await browser.tokens(world.app(FRONT))
    account = await world.account_of(ADA)
    app = await activity(world)
    for kind in ("refresh_token", "access_token"):
        launched = [await given(app, discord_token(world)) for _ in range(2)]
        own = [claims_of(body["id_token"])["sid"] for body in launched]
        await app.revoke(launched[0][kind])
        sessions, _ = await world.broker.stores.redis.accounts.living(account, now=world.clock.at)
        assert len(sessions) == 2  # the browser's, and that of the other launch
        assert own[0] not in {one.sid for one in sessions}
        assert own[1] in {one.sid for one in sessions}
        await app.revoke(launched[1]["refresh_token"])


async def test_it_is_in_the_audit_log(world: World) -> None:
    """Who, which app, whose token it was; nothing of the token."""
    app, token = await bot(world), discord_token(world)
    await given(app, token, resource=API)
    (entry,) = await world.audit("token.exchanged")
    event = entry.event
    assert (event.account_id, event.client_id) == (
        await world.account_of(ADA), app.client.client_id,
    )  # fmt: skip
    assert event.detail.keys() == {"way", "from", "for", "grant"}
    assert (event.detail["way"], event.detail["from"]) == ("upstream", "discord")
    assert len(await world.audit("sign_in")) == 1
    assert token not in str(await world.sql.audit.page())


async def test_nothing_of_the_token_is_left_lying_about(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in a log, nor in Redis, nor (sealed or not) where nobody needs it."""
    app, token = await bot(world), discord_token(world)
    await given(app, token)
    garbage = "x" * 30
    await offer(app, garbage)
    said = "".join(capsys.readouterr())
    assert "token.exchanged" in said
    assert token not in said
    assert garbage not in said
    for key in [key async for key in world.redis.scan_iter()]:
        assert token.encode() not in (await world.redis.dump(key) or b"")
    assert await world.sql.authorizations.get(await world.account_of(ADA), "discord") is None


# ── whose tokens are taken ─────────────────────────────────────────────────────────────────


async def test_a_token_of_another_application(world: World) -> None:
    """Token substitution: any application has tokens of the same people. Nothing is written."""
    uri = "http://127.0.0.1:1/other"
    world.discord.add_application(Application(OTHER, "other", (uri,)))
    app = await activity(world)
    token = discord_token(world, application=OTHER, redirect_uri=uri)
    unusable(await offer(app, token))
    assert await nobody(world)
    assert world.discord.calls[PROFILE] == 0, "whose it is was asked before anything else"


@pytest.mark.parametrize(
    "token", ["x", "x" * 30, "a.b.c", "A" * 2048, "x" * 29 + "%", "../../users/1", "Bearer x"]
)
async def test_garbage(world: World, token: str) -> None:
    """Always the same words; nothing is written."""
    unusable(await offer(await activity(world), token))
    assert await nobody(world)


@pytest.mark.parametrize("token", [None, "x" * 2049, "é", "a\nb", "a\0b", "\N{BOM}x"])
async def test_what_could_be_no_token(world: World, token: str | None) -> None:
    """Discord is not asked."""
    is_token_error(await offer(await activity(world), token), "invalid_request")
    assert world.discord.calls[OWNER] == 0


async def test_tokens_that_are_dead(world: World) -> None:
    """Run out, revoked, or of somebody who is no more."""
    app, token = await activity(world), discord_token(world)
    await given(app, token)
    world.discord.revoke(DISCORD_ID, token)
    unusable(await offer(app, token))
    token = discord_token(world)
    await world.advance(604_800)
    unusable(await offer(app, token))


async def test_other_tokens_of_ours_and_theirs(world: World, browser: Browser) -> None:
    """Our own tokens are not Discord's, and Discord's are not ours."""
    app = await bot(world, exchange=("upstream", "impersonation"))
    tokens = await browser.tokens(world.app(BACK))
    for own in ("access_token", "id_token", "refresh_token"):
        answer = await offer(app, tokens[own])
        is_token_error(answer, "invalid_request")
    answer = await offer(app, discord_token(world), subject_issuer=None)
    is_token_error(answer, "invalid_request")


async def test_who_is_no_person(world: World) -> None:
    """A bot's account, a token that does not say who it is of."""
    app = await activity(world)
    unusable(await offer(app, discord_token(world, ADA, "guilds")))
    world.discord.misbehave(PROFILE, Fault("bot"))
    unusable(await offer(app, discord_token(world)))
    assert await nobody(world)


async def test_a_disabled_account(world: World) -> None:
    """No session, no grant; the words are those for any other token."""
    app = await activity(world)
    body = await given(app, discord_token(world))
    await world.disable(await world.account_of(ADA))
    unusable(await offer(app, discord_token(world)))
    is_token_error(await app.refresh(body["refresh_token"]), "invalid_grant")
    assert len(await world.audit("sign_in.refused")) == 1


async def test_a_banned_account_that_was_deleted(world: World) -> None:
    """The ban outlives it: the same words, and nobody is made."""
    app = await activity(world)
    await given(app, discord_token(world))
    account = await world.account_of(ADA)
    await world.disable(account)
    await world.sql.own.leave(account, now=world.clock.at, grace=0, actor="operator")
    unusable(await offer(app, discord_token(world)))
    assert len(await world.audit("sign_in.refused")) == 1
    assert await world.sql.accounts.page() == ()


async def test_one_that_is_withdrawn_while_discord_answers(world: World) -> None:
    """What begins with a dead authorization is dead: it began when Discord was asked."""
    app, token = await activity(world), discord_token(world)
    await given(app, token)
    with held_back(PROFILE) as held:
        under_way = asyncio.create_task(offer(app, token))
        await held.given()
        world.clock.at += 1
        await withdrawn(world)
        world.clock.at += 1
        held.let_go()
        unusable(await under_way)


# ── who may, and how it is asked ───────────────────────────────────────────────────────────


async def test_who_may(world: World) -> None:
    """Clients that an operator has given this way; a third party as well as one's own."""
    token = discord_token(world)
    for fields in (
        {"grant_types": (v.GRANT_EXCHANGE,)},
        {"grant_types": (v.GRANT_CODE,), "exchange": ("upstream",)},
        {"grant_types": (v.GRANT_EXCHANGE,), "exchange": ("impersonation", "delegation")},
    ):
        app = await world.new_app(BACK, **fields)
        is_token_error(await offer(app, token), "unauthorized_client")
    assert world.discord.calls[OWNER] == 0
    assert await given(await bot(world, first_party=False), token)
    elsewhere = await bot(world, upstreams=("github",))
    is_token_error(await offer(elsewhere, token), "invalid_request")
    assert await given(await bot(world, upstreams=("discord",)), token)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": None},
        {"subject_token_type": TYPE_JWT},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "x"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"actor_token": "x"},
        {"actor_token_type": TYPE_ACCESS},
        {"subject_issuer": "github"},
        {"subject_issuer": "https://discord.com"},
        {"subject_issuer": "Discord"},
        {"subject_issuer": "\N{BOM}discord"},
        {"requested_issuer": "discord"},
    ],
)
async def test_malformed_requests(world: World, changes: dict[str, str | None]) -> None:
    """RFC 8693 §2.2.2: invalid_request, and Discord is not asked."""
    answer = await offer(await activity(world), discord_token(world), **changes)
    is_token_error(answer, "invalid_request")
    assert world.discord.calls[OWNER] == 0


@pytest.mark.parametrize("name", ["subject_token", "subject_issuer", "subject_token_type"])
async def test_parameters_twice(world: World, name: str) -> None:
    """RFC 6749 §3.1."""
    app = await activity(world)
    data: dict[str, Any] = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": discord_token(world),
        "subject_token_type": TYPE_ACCESS, "subject_issuer": "discord",
        "client_id": app.client.client_id,
    }  # fmt: skip
    answer = await world.api.post("/token", data=data | {name: [data[name], data[name]]})
    is_token_error(answer, "invalid_request")


async def test_a_page_of_a_registered_origin_may_ask(world: World) -> None:
    """An Activity is a page: its origin is registered, others are not let read the answer."""
    app = await activity(world)
    data = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": discord_token(world),
        "subject_token_type": TYPE_ACCESS, "subject_issuer": "discord",
        "client_id": app.client.client_id,
    }  # fmt: skip
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        answer = await world.api.post("/token", data=data, headers={"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed


# ── what it costs ──────────────────────────────────────────────────────────────────────────


async def test_worthless_tokens_are_counted(world: World) -> None:
    """Of one address: after so many Discord is not asked again, good token or bad, for a while."""
    app, good = await activity(world), discord_token(world)
    many = OFFERS_PER_ADDRESS.amount
    answers = await asyncio.gather(*(offer(app, f"{n:030}") for n in range(many)))
    for answer in answers:
        unusable(answer)
    asked = world.discord.calls[OWNER]
    assert asked <= many
    for token in ("y" * 30, good):
        answer = await offer(app, token)
        assert answer.status_code == 429
        assert answer.json()["error"] == "too_many_requests"
        assert 0 < int(answer.headers["retry-after"]) <= 600
    assert world.discord.calls[OWNER] == asked
    assert await given(await bot(world), good), "one that has proven who it is"


async def test_good_tokens_are_not_counted(world: World) -> None:
    """However many come from behind one address."""
    app = await activity(world)
    for _ in range(OFFERS_PER_ADDRESS.amount + 5):
        await given(app, discord_token(world))


@pytest.mark.parametrize("route", [OWNER, PROFILE])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=503),
        Fault("status", status=500),
        Fault("html", status=429),
        Fault("rate_limited", seconds=3.0),
        Fault("drop"),
        Fault("not_json"),
        Fault("truncated"),
        Fault("huge"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_discord_in_trouble(world: World, route: str, fault: Fault) -> None:
    """503, with when to try again: nothing is written, and nobody is to blame for it."""
    app, token = await activity(world), discord_token(world)
    world.discord.misbehave(route, fault)
    answer = await offer(app, token)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert await nobody(world)
    counters = [key async for key in world.redis.scan_iter() if "guess:" in str(key)]
    assert counters == []


async def test_redis_round_trips(world: World) -> None:
    """Counted and forgiven, two calls to Discord at their turn, the session, a code, the grant."""
    app, token = await bot(world), discord_token(world)
    await given(app, token)
    async with round_trips(world.redis) as trips:
        await given(app, token)
    assert len(trips) <= 9, trips
