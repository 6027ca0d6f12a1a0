"""Keys that bind (RFC 9449) where services call one another."""

from broker.core import vocabulary as v
from tests.core.signers import signs
from tests.protocol.actors import Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import World
from tests.protocol.known import FRONT
from tests.protocol.proving import Prover
from tests.protocol.services import (
    ORDERS,
    SHARED,
    STOCK,
    TYPE_ACCESS,
    api,
    asks,
    exchange,
    introspected,
    service,
    shop,
    shops,
)
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips, statements

BOTH = ("impersonation", "delegation")
OWN = {"grant_type": v.GRANT_CLIENT}


def exchanging(subject: str) -> dict[str, str | None]:
    return {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": subject,
        "subject_token_type": TYPE_ACCESS, "audience": STOCK,
    }  # fmt: skip


async def test_a_bound_token_of_its_own(world: World) -> None:
    """``cnf`` names the key, the type is DPoP, introspection says both; a proof works once."""
    prover = Prover(await service(world))
    proof = prover.proof()
    answer = (await prover.post(dpop=proof, **OWN)).json()
    assert answer["token_type"] == "DPoP"
    told = await introspected(prover.app, answer["access_token"])
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": prover.jkt})
    is_token_error(await prover.post(dpop=proof, **OWN), "invalid_dpop_proof")


async def test_a_client_that_has_to_prove(world: World) -> None:
    """RFC 9449 §5.2, for this grant as for any other."""
    app = await service(world, dpop_bound_access_tokens=True)
    is_token_error(await asks(app), "invalid_dpop_proof")
    assert (await Prover(app).post(**OWN)).status_code == 200


async def test_a_bound_subject_token(world: World, browser: Browser) -> None:
    """It is worth nothing without its key: whoever exchanges it has to hold that key."""
    server = await service(world, exchange=BOTH)
    await shops(world, server.client.client_id)
    app = await shop(world)
    prover = Prover(app)
    code = await browser.code(app, scope=f"openid {SHARED}", resource=ORDERS)
    subject = (await prover.redeem(code)).json()["access_token"]
    is_token_error(await exchange(server, subject, audience=STOCK), "invalid_request")
    other = Prover(server, signs("ES256", "other"))
    is_token_error(await other.post(**exchanging(subject)), "invalid_request")
    holder = Prover(server, prover.key)
    answer = await holder.post(**exchanging(subject))
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": prover.jkt}


async def test_a_proof_costs_no_round_trip_at_the_exchange(world: World, browser: Browser) -> None:
    """It is used up in the step that looks at the grant, and only once."""
    server = await service(world, exchange=BOTH)
    await api(world, ORDERS, SHARED, introspected_by=(server.client.client_id,))
    app = await shop(world)
    tokens = await browser.tokens(app, scope=f"openid {SHARED}", resource=ORDERS)
    prover = Prover(server)
    proof, again = prover.proof(), prover.proof()
    await prover.post(dpop=again, **exchanging(tokens["access_token"]))
    with statements(world.sql.engine) as seen:
        async with round_trips(world.redis) as trips:
            answer = await prover.post(dpop=proof, **exchanging(tokens["access_token"]))
    assert answer.json()["token_type"] == "DPoP"
    assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
    assert seen == []
    for used in (proof, again):
        answer = await prover.post(dpop=used, **exchanging(tokens["access_token"]))
        is_token_error(answer, "invalid_dpop_proof")


async def test_rotation_may_be_off_where_a_key_binds(world: World, browser: Browser) -> None:
    """RFC 9700 §2.2.2: a public client's refresh token stays, and is of no use to a thief."""
    app = await world.new_app(FRONT, rotate_refresh_tokens=False, dpop_bound_access_tokens=True)
    prover = Prover(app)
    token = (await prover.redeem(await browser.code(app))).json()["refresh_token"]
    for _ in range(2):
        await world.advance(60)
        assert (await prover.refresh(token)).json()["refresh_token"] == token
    thief = Prover(app, signs("ES256", "thief"))
    is_token_error(await thief.refresh(token), "invalid_grant")
    assert (await prover.refresh(token)).status_code == 200
