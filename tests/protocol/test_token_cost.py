"""What an answer costs: one Redis round trip and no SQL, while Redis has the facts."""

from broker.core.handles import Handles
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import BACK, OPERATOR_SECRET
from tests.protocol.proving import Prover
from tests.protocol.watching import called, one_round_trip, round_trips, statements

HANDLES = Handles([OPERATOR_SECRET.encode()])

# Where the features are that a client may do without; and what sees that it does.
FEATURES = tuple(
    f"core/{name}"
    for name in (
        "dpop", "htu", "client_jwts", "client_keys", "assertions", "published_keys", "pushed",
        "request_objects", "device", "community", "policy", "federation", "backchannel",
        "grants/exchange", "grants/machine", "grants/device", "registration", "introspection",
    )
)  # fmt: skip
LOOKS = {
    "core/dpop.py::Proofs.of_client", "core/dpop.py::Proofs.next_nonce",
    "core/policy/rules.py::Rulebook.of",
}  # fmt: skip


# ── the hot path ───────────────────────────────────────────────────────────────────────────


async def test_one_redis_round_trip_and_no_sql(world: World, browser: Browser) -> None:
    """With fresh facts: for a refresh, a code and userinfo alike."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    await world.userinfo((await app.refresh(tokens["refresh_token"])).json()["access_token"])
    await one_round_trip(
        world.sql.engine,
        world.redis,
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
    )


async def test_a_pushed_request_and_dpop_add_none(world: World, browser: Browser) -> None:
    """Neither costs the token endpoint a round trip: a proof is spent in the step of the grant."""
    prover = Prover(await world.new_app(BACK, require_pushed_authorization_requests=True))
    pushed = await prover.app.post("/par", **prover.app.asks(client_id=None))
    asks = {"client_id": prover.app.client.client_id, "request_uri": pushed.json()["request_uri"]}
    answer = await browser.go_on(await browser.http.get("/authorize", params=asks))
    code = answered(answer, prover.app)["code"]
    with statements(world.sql.engine) as seen:
        async with round_trips(world.redis) as trips:
            redeemed = await prover.redeem(code)
    assert redeemed.json()["token_type"] == "DPoP"
    assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
    assert seen == []


async def test_a_refresh_runs_no_code_of_features_that_are_off(
    world: World, browser: Browser
) -> None:
    """A client that uses none of them pays for none: of all that, nothing runs."""
    app, prover = world.app(BACK), Prover(await world.new_app(BACK))
    token = (await browser.tokens(app))["refresh_token"]
    bound = (await prover.redeem(await browser.code(prover.app))).json()["refresh_token"]
    await app.refresh(token)
    with called() as plain:
        assert (await app.refresh(token)).status_code == 200
    with called() as proven:
        assert (await prover.refresh(bound)).status_code == 200
    assert any("refresh.py::" in name for name in plain)
    assert {name for name in plain if name.startswith(FEATURES)} <= LOOKS
    assert {name for name in proven if name.startswith(FEATURES)} > LOOKS


async def test_facts_missing_in_redis_are_restored_once(
    world: World, browser: Browser, app: App
) -> None:
    """Facts that Redis has lost are read from SQL and put back; nobody is signed out."""
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    account = await world.account_of("ada.lindqvist")
    for call in (
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
        lambda: browser.authorize(app, prompt="none"),
    ):
        assert await world.redis.delete(f"tb:{{{account}}}:facts") == 1
        with statements(world.sql.engine) as seen:
            answer = await call()
        assert "error" not in answer.headers.get("location", "")
        assert answer.status_code in {200, 303}
        assert seen
        with statements(world.sql.engine) as seen:
            assert (await world.userinfo(tokens["access_token"])).status_code == 200
        assert seen == []


async def test_restored_facts_keep_a_disabled_account_out(
    world: World, browser: Browser, app: App
) -> None:
    """SQL is the truth: losing the marker in Redis does not let a disabled account back in."""
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    await world.sql.accounts.disable(account, "test", world.clock.at)
    await world.redis.delete(f"tb:{{{account}}}:facts")
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
