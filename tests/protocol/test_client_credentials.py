"""Client credentials (RFC 6749 §4.4): clients that act for themselves."""

import pytest

from broker.core import vocabulary as v
from tests.protocol.actors import App
from tests.protocol.checks import is_challenge, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import FRONT, ISSUER, OTHER_API
from tests.protocol.services import (
    COUNT,
    ORDERS,
    READ,
    SHARED,
    STOCK,
    WRITE,
    asks,
    introspected,
    own_token,
    service,
    shops,
)
from tests.protocol.tokens import claims_of, header_of
from tests.protocol.watching import round_trips, statements


async def test_a_token_of_its_own(world: World) -> None:
    """RFC 9068 §2.2: the subject is the client; no refresh token, no ID token, nobody's login."""
    await shops(world)
    app = await service(world)
    answer = await asks(app, resource=ORDERS, scope=READ)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": READ}
    assert header_of(token)["typ"] == "at+jwt"
    claims, client_id = claims_of(token), app.client.client_id
    assert len(claims.pop("jti")) == 82
    assert claims == {
        "iss": ISSUER, "sub": client_id, "aud": ORDERS, "client_id": client_id, "scope": READ,
        "iat": int(world.clock.at), "exp": int(world.clock.at) + 300,
    }  # fmt: skip


async def test_it_asks_no_store(world: World) -> None:
    """No Redis, no SQL: a service goes on while both are away."""
    await shops(world)
    app = await service(world)
    await own_token(app)
    with statements(world.sql.engine) as seen:
        async with round_trips(world.redis) as trips:
            await own_token(app)
    assert (trips, seen) == ([], [])


async def test_scope_by_default(world: World) -> None:
    """RFC 6749 §3.3: without a scope, all that it has and that means something to the audience."""
    await shops(world)
    app = await service(world, scopes=(*v.SCOPES, READ, COUNT, SHARED, "nobody:knows"))
    assert (await own_token(app, resource=ORDERS))["scope"] == f"{READ} {SHARED}"
    assert (await own_token(app, resource=STOCK))["scope"] == f"{COUNT} {SHARED}"
    token = await own_token(app)
    assert token["scope"] == f"{READ} {COUNT} {SHARED}"
    assert claims_of(token["access_token"])["aud"] == app.client.client_id


@pytest.mark.parametrize(
    "scope",
    ["openid", "profile", "email", "offline_access", f"{READ} openid", WRITE, "unknown", "a  b",
     f"{READ} ", '"', "é", "orders:*"],
)  # fmt: skip
async def test_no_more_scope_than_its_own(world: World, scope: str) -> None:
    """Nor any that speaks of a person, though the client be registered for it."""
    await shops(world)
    app = await service(world, scopes=(*v.SCOPES, READ))
    is_token_error(await asks(app, scope=scope), "invalid_scope")


async def test_resources(world: World) -> None:
    """RFC 8707 §2.2: only those it is registered for; several at once."""
    await shops(world)
    app = await service(world)
    is_token_error(await asks(app, resource=OTHER_API), "invalid_target")
    data = {"grant_type": v.GRANT_CLIENT, "resource": [ORDERS, OTHER_API]}
    answer = await world.api.post("/token", data=data, headers=app.proof())
    is_token_error(answer, "invalid_target")
    data = {"grant_type": v.GRANT_CLIENT, "resource": [ORDERS, STOCK]}
    answer = await world.api.post("/token", data=data, headers=app.proof())
    assert claims_of(answer.json()["access_token"])["aud"] == [ORDERS, STOCK]
    assert answer.json()["scope"] == f"{READ} {COUNT} {SHARED}"


async def test_public_clients_have_nothing_to_show(world: World) -> None:
    """RFC 6749 §4.4: confidential clients only, whatever the registration says."""
    app = await world.new_app(FRONT, grant_types=(*v.GRANT_TYPES, v.GRANT_CLIENT))
    is_token_error(await asks(app), "unauthorized_client")


async def test_who_may_not(world: World) -> None:
    """Not registered for it; a wrong secret; switched off."""
    plain = await service(world, grant_types=v.GRANT_TYPES)
    is_token_error(await asks(plain), "unauthorized_client")
    app = await service(world)
    app.secret = "wrong"
    is_token_error(await asks(app), "invalid_client", 401)
    off = await service(world, disabled=True)
    is_token_error(await asks(off), "invalid_client", 401)


async def test_parameters_twice(world: World) -> None:
    """RFC 6749 §3.2: no parameter twice."""
    app = await service(world)
    for name in ("grant_type", "scope"):
        data = {"grant_type": v.GRANT_CLIENT, "scope": READ} | {name: [READ, READ]}
        answer = await world.api.post("/token", data=data, headers=app.proof())
        is_token_error(answer, "invalid_request")


async def test_userinfo_has_nothing_for_it(world: World) -> None:
    """403: there is no ``openid`` in it, nor anybody to speak of."""
    token = (await own_token(await service(world)))["access_token"]
    is_challenge(await world.userinfo(token), "insufficient_scope", 403)


async def test_every_token_is_another(world: World) -> None:
    """Two in the same second, so that one can be ended without the other."""
    app = await service(world)
    first, second = [(await own_token(app))["access_token"] for _ in range(2)]
    assert first != second
    assert (await app.revoke(first)).status_code == 200
    assert await introspected(app, first) == {"active": False}
    assert (await introspected(app, second))["active"]


async def test_revoking(world: World) -> None:
    """RFC 7009: after the 200 introspection knows it no more; another client cannot end it."""
    app, thief = await service(world), await service(world)
    token = (await own_token(app))["access_token"]
    is_token_error(await thief.revoke(token), "invalid_request")
    assert (await introspected(app, token))["active"]
    for _ in range(2):
        assert (await app.revoke(token)).status_code == 200
        assert await introspected(app, token) == {"active": False}
    await world.advance(299)
    assert await introspected(app, token) == {"active": False}
    (key,) = [key async for key in world.redis.scan_iter("*token:*")]
    assert 0 < await world.redis.pttl(key) <= (300 + 60) * 1000


async def test_what_is_taken_from_it(world: World, app: App) -> None:
    """A scope, a resource or the client itself: the next token is without, the old one is dead."""
    await shops(world)
    one = await service(world)
    token = (await own_token(one, resource=ORDERS))["access_token"]
    await world.edit(one, scopes=(SHARED,), resources=(STOCK,))
    is_token_error(await asks(one, scope=READ), "invalid_scope")
    is_token_error(await asks(one, resource=ORDERS), "invalid_target")
    assert await introspected(one, token) == {"active": False}
