"""Token exchange (RFC 8693): services that call others in a person's name."""

import asyncio
from typing import Any

import httpx2
import pytest

from broker.core import vocabulary as v
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_challenge, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import FRONT, ISSUER, OTHER_API
from tests.protocol.services import (
    COUNT,
    ORDERS,
    READ,
    SHARED,
    STOCK,
    TYPE_ACCESS,
    TYPE_JWT,
    WRITE,
    api,
    exchange,
    introspected,
    own_token,
    service,
    shop,
    shops,
)
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips, statements

BOTH = ("impersonation", "delegation")
DEAD = {"active": False}
SCOPE = f"openid profile {READ} {SHARED}"


class Scene:
    """A person's app, the service that it calls, and the token it calls with."""

    def __init__(self, app: App, server: App, tokens: dict[str, Any]) -> None:
        self.app, self.server, self.tokens = app, server, tokens
        self.token: str = tokens["access_token"]

    async def exchange(self, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {"audience": STOCK}
        return await exchange(self.server, self.token, **named | changes)

    async def refused(self, error: str, **changes: str | None) -> None:
        is_token_error(await self.exchange(**changes), error)

    async def given(self, **changes: str | None) -> str:
        answer = await self.exchange(**changes)
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["access_token"]
        return found

    async def acting(self, **changes: str | None) -> httpx2.Response:
        """Delegation, the service itself as actor."""
        actor = (await own_token(self.server))["access_token"]
        named: dict[str, str | None] = {"actor_token": actor, "actor_token_type": TYPE_ACCESS}
        return await self.exchange(**named | changes)


async def scene(world: World, browser: Browser, scope: str = SCOPE, **fields: Any) -> Scene:
    server = await service(world, **({"exchange": BOTH} | fields))
    await shops(world, server.client.client_id)
    app = await shop(world)
    return Scene(app, server, await browser.tokens(app, scope=scope, resource=ORDERS, max_age="0"))


async def test_impersonation(world: World, browser: Browser) -> None:
    """RFC 8693 §1.1, §2.2.1: the same subject, another audience, nothing else of the person."""
    at = await scene(world, browser)
    answer = await at.exchange()
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    token = body.pop("access_token")
    assert body == {
        "issued_token_type": TYPE_ACCESS, "token_type": "Bearer", "expires_in": 300,
        "scope": SHARED,
    }  # fmt: skip
    subject, claims = claims_of(at.token), claims_of(token)
    assert claims.pop("jti") != subject["jti"]
    assert claims == {
        "iss": ISSUER, "sub": subject["sub"], "aud": STOCK, "client_id": at.server.client.client_id,
        "scope": SHARED, "iat": int(world.clock.at), "exp": subject["exp"],
        "auth_time": subject["auth_time"],
    }  # fmt: skip


async def test_delegation(world: World, browser: Browser) -> None:
    """RFC 8693 §4.1: ``act`` says who acts."""
    at = await scene(world, browser)
    token = (await at.acting()).json()["access_token"]
    client_id = at.server.client.client_id
    assert claims_of(token)["sub"] == claims_of(at.token)["sub"]
    assert claims_of(token)["act"] == {"sub": client_id, "client_id": client_id}
    told = await introspected(at.server, token)
    assert told["act"] == claims_of(token)["act"]
    assert "username" not in told


async def chain(world: World, browser: Browser, links: int) -> tuple[str, App]:
    """A token that was passed on so many times, and who holds it."""
    apps = [
        await service(world, exchange=BOTH, resources=(f"https://s{n}.example",))
        for n in range(links)
    ]
    await shops(world, apps[0].client.client_id)
    for number, next_one in enumerate(apps[1:]):
        await api(
            world,
            f"https://s{number}.example",
            SHARED,
            introspected_by=(next_one.client.client_id,),
        )
    person_s = await shop(world)
    token = (await browser.tokens(person_s, scope=SCOPE, resource=ORDERS))["access_token"]
    for number, app in enumerate(apps):
        actor = (await own_token(app))["access_token"]
        answer = await exchange(
            app,
            token,
            actor_token=actor,
            actor_token_type=TYPE_JWT,
            audience=f"https://s{number}.example",
        )
        if answer.status_code != 200:
            is_token_error(answer, "invalid_request")
            assert number == links - 1
            return "", app
        token = answer.json()["access_token"]
    return token, apps[-1]


async def test_a_chain_of_actors(world: World, browser: Browser) -> None:
    """The outermost acts now, the others did before; four at the most."""
    token, last = await chain(world, browser, 3)
    act, seen = claims_of(token)["act"], []
    while act:
        seen.append(act["client_id"])
        act = act.get("act")
    assert len(set(seen)) == 3
    assert seen[0] == last.client.client_id


async def test_a_chain_that_is_too_long(world: World, browser: Browser) -> None:
    """A fifth actor is refused."""
    token, _ = await chain(world, browser, 5)
    assert token == ""


async def test_impersonation_hides_no_actor(world: World, browser: Browser) -> None:
    """Who acted before stays in ``act`` where a delegated token is exchanged again."""
    at = await scene(world, browser)
    first = (await at.acting(audience=None)).json()["access_token"]
    again = await exchange(at.server, first, audience=STOCK)
    assert claims_of(again.json()["access_token"])["act"] == claims_of(first)["act"]


@pytest.mark.parametrize("kind", [TYPE_ACCESS, TYPE_JWT])
async def test_types_that_are_taken(world: World, browser: Browser, kind: str) -> None:
    """RFC 8693 §3: an access token, called that or a JWT; by resource or by audience."""
    at = await scene(world, browser)
    answer = await at.exchange(
        subject_token_type=kind, requested_token_type=TYPE_ACCESS, audience=None, resource=STOCK
    )
    assert claims_of(answer.json()["access_token"])["aud"] == STOCK


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"subject_token_type": "access_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": TYPE_JWT},
        {"requested_token_type": "x"},
        {"actor_token_type": TYPE_ACCESS},
        {"actor_token": "x"},
        {"actor_token": "x", "actor_token_type": TYPE_ACCESS},
        {"subject_token": "x"},
        {"subject_token": "a.b.c"},
        {"subject_token": "A" * 82},
        {"subject_token": "é"},
        {"subject_token": "x" * 4097},
    ],
)
async def test_malformed_requests(
    world: World, browser: Browser, changes: dict[str, str | None]
) -> None:
    """RFC 8693 §2.2.2: invalid_request, whatever of the tokens or their types is wrong."""
    await (await scene(world, browser)).refused("invalid_request", **changes)


@pytest.mark.parametrize(
    "name", ["subject_token", "subject_token_type", "requested_token_type", "scope"]
)
async def test_parameters_twice(world: World, browser: Browser, name: str) -> None:
    """Only ``audience`` and ``resource`` may repeat."""
    at = await scene(world, browser)
    data = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": at.token, "scope": SHARED,
        "subject_token_type": TYPE_ACCESS, "requested_token_type": TYPE_ACCESS,
    }  # fmt: skip
    data = data | {name: [data[name], data[name]]}  # type: ignore[dict-item]
    answer = await world.api.post("/token", data=data, headers=at.server.proof())
    is_token_error(answer, "invalid_request")


async def test_a_token_of_discord_is_not_ours(world: World, browser: Browser) -> None:
    """Token substitution: whatever Discord gave to whichever application opens nothing here."""
    at = await scene(world, browser)
    for kind in (TYPE_ACCESS, TYPE_JWT, "urn:discord:access_token"):
        await at.refused(
            "invalid_request",
            subject_token="MTEzMDAwMDAwMDAwMDAwMDAwMQ.x-discord-access",
            subject_token_type=kind,
        )


async def test_other_tokens_of_ours(world: World, browser: Browser) -> None:
    """An ID token, a refresh token, a code: none of them is an access token."""
    at = await scene(world, browser)
    code = await browser.code(at.app)
    for token in (at.tokens["id_token"], at.tokens["refresh_token"], code):
        await at.refused("invalid_request", subject_token=token)


async def test_whose_token_may_be_exchanged(world: World, browser: Browser) -> None:
    """Only one that is meant for the client: a token seen in passing is worth nothing."""
    at = await scene(world, browser)
    stranger = await service(world, exchange=BOTH)
    is_token_error(await exchange(stranger, at.token, audience=STOCK), "invalid_request")
    for_stock = (await browser.tokens(at.app, scope=SCOPE, resource=STOCK))["access_token"]
    await at.refused("invalid_request", subject_token=for_stock)
    same = await service(world, exchange=BOTH, audience=STOCK)
    is_token_error(await exchange(same, for_stock, audience=STOCK), "invalid_request")


async def test_an_actor_that_is_somebody_else_s(world: World, browser: Browser) -> None:
    """The actor's token is the client's own, or meant for it; one that acts already is neither."""
    at = await scene(world, browser)
    other = (await own_token(await service(world)))["access_token"]
    await at.refused("invalid_request", actor_token=other, actor_token_type=TYPE_ACCESS)
    delegated = (await at.acting()).json()["access_token"]
    await at.refused("invalid_request", actor_token=delegated, actor_token_type=TYPE_ACCESS)
    revoked = (await own_token(at.server))["access_token"]
    await at.server.revoke(revoked)
    await at.refused("invalid_request", actor_token=revoked, actor_token_type=TYPE_ACCESS)


@pytest.mark.parametrize("ways", [(), ("impersonation",), ("delegation",)])
async def test_policy(world: World, browser: Browser, ways: tuple[str, ...]) -> None:
    """Per client: which of the two ways it may go, if any."""
    at = await scene(world, browser, exchange=ways)
    for way, answer in (
        ("impersonation", await at.exchange()),
        ("delegation", await at.acting()),
    ):
        if way in ways:
            assert answer.status_code == 200
        else:
            is_token_error(answer, "unauthorized_client")


async def test_who_may_not_at_all(world: World, browser: Browser) -> None:
    """A client without the grant type; a public one, whatever its registration says."""
    at = await scene(world, browser, grant_types=(v.GRANT_CLIENT,))
    await at.refused("unauthorized_client")
    public = await world.new_app(FRONT, grant_types=(v.GRANT_EXCHANGE,), exchange=BOTH)
    is_token_error(await exchange(public, at.token), "unauthorized_client")


async def test_targets(world: World, browser: Browser) -> None:
    """Only those the client is registered for; ``audience`` may repeat, beside ``resource``."""
    at = await scene(world, browser)
    await at.refused("invalid_target", audience=OTHER_API)
    await at.refused("invalid_target", resource=OTHER_API)
    await at.refused("invalid_target", audience="front")
    data = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": at.token,
        "subject_token_type": TYPE_ACCESS, "audience": [STOCK, ORDERS, STOCK], "resource": [STOCK],
    }  # fmt: skip
    answer = await world.api.post("/token", data=data, headers=at.server.proof())
    assert sorted(claims_of(answer.json()["access_token"])["aud"]) == [ORDERS, STOCK]
    token = await at.given(audience=None)
    assert claims_of(token)["aud"] == at.server.client.client_id


async def test_scope_never_grows(world: World, browser: Browser) -> None:
    """What the subject token and the client both have, less what the audience knows nothing of."""
    at = await scene(world, browser, scope=f"openid {READ} {WRITE} {SHARED}")
    assert claims_of(await at.given(audience=ORDERS))["scope"] == f"{READ} {SHARED}"
    assert claims_of(await at.given(audience=ORDERS, scope=READ))["scope"] == READ
    for wider in (WRITE, COUNT, "openid", "unknown", f"{READ} {COUNT}", "a  b"):
        await at.refused("invalid_scope", scope=wider)


async def test_it_opens_no_profile(world: World, browser: Browser) -> None:
    """An exchanged token is for APIs: userinfo refuses it."""
    at = await scene(world, browser)
    is_challenge(await world.userinfo(await at.given()), "insufficient_scope", 403)


async def test_it_never_outlives_its_subject(world: World, browser: Browser) -> None:
    """Nor the actor's token, however long the client's own tokens live."""
    at = await scene(world, browser, access_token_lifetime=3600)
    await world.advance(100)
    answer = await at.exchange()
    assert answer.json()["expires_in"] == 200
    assert claims_of(answer.json()["access_token"])["exp"] == claims_of(at.token)["exp"]
    assert (await at.acting()).json()["expires_in"] == 200
    await world.advance(200)
    await at.refused("invalid_request")


async def test_it_dies_with_the_grant(world: World, browser: Browser) -> None:
    """Revoking the app's grant ends what was exchanged, and there is nothing more to exchange."""
    at = await scene(world, browser)
    token = await at.given()
    assert (await introspected(at.server, token))["active"]
    await at.app.revoke(at.tokens["refresh_token"])
    assert await introspected(at.server, token) == DEAD
    await at.refused("invalid_request")


async def test_ends_of_the_person_and_of_the_apps(world: World, browser: Browser) -> None:
    """A disabled account, the first app switched off: the same."""
    at = await scene(world, browser)
    token = await at.given()
    await world.edit(at.app, disabled=True)
    assert await introspected(at.server, token) == DEAD
    await at.refused("invalid_request")
    await world.edit(at.app, disabled=False)
    assert (await introspected(at.server, token))["active"]
    await world.disable(await world.account_of("ada.lindqvist"))
    assert await introspected(at.server, token) == DEAD
    await at.refused("invalid_request")


async def test_it_is_ended_by_itself(world: World, browser: Browser) -> None:
    """Its client revokes what it got, and nothing else; the app it came from cannot."""
    at = await scene(world, browser)
    first, second = await at.given(), await at.given()
    is_token_error(await at.app.revoke(first), "invalid_request")
    assert (await at.server.revoke(first)).status_code == 200
    assert await introspected(at.server, first) == DEAD
    assert (await introspected(at.server, second))["active"]
    assert (await introspected(at.app, at.token))["active"]
    assert (await at.app.refresh(at.tokens["refresh_token"])).status_code == 200
    for_itself = (await at.exchange(audience=None)).json()["access_token"]
    await at.server.revoke(for_itself)
    await at.refused("invalid_request", subject_token=for_itself)


async def test_a_service_s_own_token(world: World) -> None:
    """What a client got for itself is exchanged alike, and ends what came of it."""
    server = await service(world, exchange=BOTH)
    await shops(world, server.client.client_id)
    caller = await service(world)
    subject = (await own_token(caller, resource=ORDERS, scope=SHARED))["access_token"]
    token = (await exchange(server, subject, audience=STOCK)).json()["access_token"]
    assert claims_of(token)["sub"] == caller.client.client_id
    assert (await introspected(server, token))["active"]
    await server.revoke(token)
    assert await introspected(server, token) == DEAD
    assert (await introspected(caller, subject))["active"]
    again = (await exchange(server, subject, audience=STOCK)).json()["access_token"]
    await caller.revoke(subject)
    assert await introspected(server, again) == DEAD
    is_token_error(await exchange(server, subject, audience=STOCK), "invalid_request")


async def test_what_it_costs(world: World, browser: Browser) -> None:
    """One Redis round trip, a second beside it for an actor; no SQL before the answer."""
    at = await scene(world, browser)
    actor = (await own_token(at.server))["access_token"]
    acting = {"actor_token": actor, "actor_token_type": TYPE_ACCESS}
    for changes, commands in (({}, ["EVALSHA"]), (acting, ["EVALSHA", "EXISTS"])):
        await at.given(**changes)
        with statements(world.sql.engine) as seen:
            async with round_trips(world.redis) as trips:
                await at.given(**changes)
        assert sorted(trip.split()[0] for trip in trips) == commands
        assert seen == []


async def test_it_is_remembered(world: World, browser: Browser) -> None:
    """An audit event for each: who, for whom, towards what; no token in it."""
    at = await scene(world, browser)
    await at.given()
    await at.acting()
    for _ in range(100):
        events = await world.audit("token.exchanged")
        found = [e for e in events if e.event.client_id == at.server.client.client_id]
        if len(found) == 2:
            break
        await asyncio.sleep(0.02)
    details = {entry.event.detail["way"]: entry.event for entry in found}
    assert details.keys() == set(BOTH)
    event = details["delegation"]
    assert event.account_id == await world.account_of("ada.lindqvist")
    assert event.detail == {
        "way": "delegation", "from": at.app.client.client_id, "for": STOCK,
        "actor": at.server.client.client_id,
    }  # fmt: skip
