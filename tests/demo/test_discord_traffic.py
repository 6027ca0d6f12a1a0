"""How the simulated Discord counts, limits and shuts out, and is told to from elsewhere."""

import pytest

from broker.demo.discord import Application, Ban, Fault, Limit, SimulatedDiscord, serve
from broker.demo.discord.cast import ADA, LIGHTHOUSE
from tests.demo.conftest import REDIRECT, Discord

ME, TOKEN = "/users/@me", "/oauth2/token"
MEMBER_ROUTE = "/users/@me/guilds/{guild_id}/member"
MEMBER = f"/users/@me/guilds/{LIGHTHOUSE.id}/member"


async def test_requests_and_answers_are_counted_by_route(discord: Discord):
    """Promise: what was asked, what was answered, and how often that was 429."""
    await discord.sign_in(scope="identify guilds.members.read")
    discord.state.limits.limits[MEMBER_ROUTE] = Limit(1, 300)
    for _ in range(3):
        await discord.get(MEMBER)
    await discord.get("/users/@me/guilds")
    traffic = discord.state.traffic
    assert traffic.calls[MEMBER_ROUTE] == discord.state.calls[MEMBER_ROUTE] == 3
    assert traffic.answers[MEMBER_ROUTE, 200] == 1
    assert traffic.limited == {MEMBER_ROUTE: 2}
    assert traffic.answers["/users/@me/guilds", 403] == 1


async def test_a_shared_limit_covers_all_tokens(discord: Discord):
    """Promise: 429 of scope `shared`, with the shared bucket's headers, whoever used it up."""
    discord.state.limits.shared[ME] = Limit(2, 10)
    await discord.sign_in()
    await discord.get(ME)
    await discord.sign_in("ben_okafor")
    await discord.get(ME)
    refused = await discord.get(ME)
    assert (refused.status_code, refused.json()["global"]) == (429, False)
    assert refused.headers["x-ratelimit-scope"] == "shared"
    assert refused.headers["x-ratelimit-limit"] == "2"
    assert refused.headers["retry-after"] == "10"
    discord.clock.seconds += 10
    assert (await discord.get(ME)).status_code == 200


async def test_a_limit_over_everything_covers_the_token_endpoint_too(discord: Discord):
    """Promise: one address' calls together; answered as global."""
    discord.state.limits.together = Limit(2, 1)
    await discord.sign_in()
    assert (await discord.get(ME)).status_code == 200
    refused = await discord.redeem("x")
    assert (refused.status_code, refused.json()["global"]) == (429, True)
    assert refused.headers["x-ratelimit-global"] == "true"
    discord.clock.seconds += 1
    assert (await discord.redeem("x")).status_code == 400


async def test_the_token_endpoint_can_be_limited_for_an_application(discord: Discord):
    """Promise: headers on a good answer; a refusal leaves the code unspent."""
    discord.state.limits.limits[TOKEN] = Limit(1, 60)
    first, second = await discord.code(), await discord.code()
    good = await discord.redeem(first)
    assert good.headers["x-ratelimit-remaining"] == "0"
    assert (await discord.redeem(second)).status_code == 429
    discord.clock.seconds += 60
    assert (await discord.redeem(second)).status_code == 200


@pytest.mark.parametrize("kind", ["user", "global"])
async def test_too_many_invalid_requests_shut_an_address_out(discord: Discord, kind: str):
    """Promise: 401, 403 and 429 count; then everything is Cloudflare's page, for a while."""
    traffic = discord.state.traffic
    traffic.ban = Ban(requests=3, seconds=600, lasts=900)
    await discord.sign_in(scope="identify")
    good = dict(discord.headers)
    assert (await discord.get("/users/@me/guilds")).status_code == 403
    discord.state.misbehave(ME, Fault("rate_limited", times=1, scope=kind))
    assert (await discord.get(ME)).status_code == 429
    assert traffic.invalid("127.0.0.1") == 2
    assert (await discord.get("/nowhere")).status_code == 404
    assert (await discord.get(ME)).status_code == 200
    discord.headers = {}
    assert (await discord.get(ME)).status_code == 401
    discord.headers = good
    for answer in (await discord.get(ME), await discord.redeem("x")):
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("text/html")
        assert "1015" in answer.text
    assert (await discord.client.get(discord.authorize_url())).status_code == 200
    discord.clock.seconds += 899
    assert (await discord.get(ME)).status_code == 429
    discord.clock.seconds += 1
    assert (await discord.get(ME)).status_code == 200


async def test_invalid_requests_are_forgotten_with_their_window(discord: Discord):
    """Promise: so many in ten minutes, not in a lifetime."""
    discord.state.traffic.ban = Ban(requests=2, seconds=600)
    assert (await discord.get(ME)).status_code == 401
    discord.clock.seconds += 600
    assert (await discord.get(ME)).status_code == 401
    assert (await discord.get(ME)).status_code == 401
    assert (await discord.get(ME)).status_code == 429
    discord.state.traffic.forgive()
    assert (await discord.get(ME)).status_code == 401


async def test_refusals_of_a_shared_limit_count_for_nothing(discord: Discord):
    """Promise: what others used up shuts nobody out."""
    discord.state.traffic.ban = Ban(requests=1)
    discord.state.misbehave(ME, Fault("rate_limited", times=3, scope="shared"))
    await discord.sign_in()
    for _ in range(3):
        assert (await discord.get(ME)).status_code == 429
    assert (await discord.get(ME)).status_code == 200


async def test_limits_and_bans_can_be_set_from_the_start(discord: Discord):
    """Promise: the constructor takes what the attributes show."""
    state = SimulatedDiscord(
        limits={}, shared={ME: Limit(1, 1)}, together=Limit(9, 1), ban=Ban(requests=5)
    )
    state.add_application(Application("1001", "s3cret", (REDIRECT,)))
    assert (state.limits.together, state.limits.shared) == (Limit(9, 1), {ME: Limit(1, 1)})
    async with serve(state) as origin:
        there = Discord(state, origin, discord.client, discord.clock)
        for _ in range(5):
            await there.get(ME)
        assert (await there.get(ME)).status_code == 429


async def test_a_list_is_spoiled_entry_by_entry(discord: Discord):
    """Promise: `missing` and `replaced` reach into the guild list."""
    await discord.sign_in()
    route = "/users/@me/guilds"
    discord.state.misbehave(route, Fault("missing", times=1, fields=("name",)))
    assert all("name" not in guild for guild in (await discord.get(route)).json())
    discord.state.misbehave(route, Fault("replaced", times=1, fields=("name",)))
    assert all(guild["name"] is None for guild in (await discord.get(route)).json())


async def test_another_process_can_do_what_a_test_does(discord: Discord):
    """Promise: people, guilds, members, scopes and authorizations, by JSON."""

    async def pull(name: str, /, **fields: object) -> dict:
        answer = await discord.client.post(f"{discord.origin}/_simulator/{name}", json=fields)
        assert answer.status_code in {200, 204}, answer.text
        return answer.json() if answer.content else {}

    guild = (await pull("guilds", name="Harbour", roles={"7": "Pilot"}))["id"]
    person = (await pull("people", username="eva", email="eva@example.com"))["id"]
    await pull("people", id=person, global_name="Eva")
    await pull("members", action="join", person=person, guild=guild, roles=["7"])
    await pull("members", action="set_member", person="eva", guild=guild, nick="E")
    await discord.sign_in("eva")
    path = f"/users/@me/guilds/{guild}/member"
    member = (await discord.get(path)).json()
    assert (member["roles"], member["nick"], member["user"]["global_name"]) == (["7"], "E", "Eva")
    await pull("members", action="take_role", person=person, guild=guild, role_id="7")
    assert (await discord.get(path)).json()["roles"] == []
    await pull("members", action="kick", person=person, guild=guild)
    assert (await discord.get(path)).status_code == 404
    await pull("withhold", scopes=["email"])
    assert (await discord.sign_in("eva", scope="identify email"))["scope"] == "identify"
    assert await pull("deauthorize", person=person, client_id="1001") == {"event": False}
    assert (await discord.get(ME)).status_code == 401
    await pull("guilds", delete=guild)
    assert guild not in discord.state.guilds
    seen = (await discord.client.get(f"{discord.origin}/_simulator/traffic")).json()
    assert seen["calls"][ME] == 1
    assert seen["answers"][ME] == {"401": 1}
    assert seen["limited"] == {}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("members", {"action": "kick", "person": "nobody", "guild": LIGHTHOUSE.id}),
        ("members", {"action": "kick", "person": ADA.id}),
        ("members", {"action": "delete_guild", "person": ADA.id, "guild": LIGHTHOUSE.id}),
        ("members", {"action": "set_member", "person": ADA.id, "guild": LIGHTHOUSE.id, "x": 1}),
        ("people", {"global_name": "x"}),
        ("guilds", {"delete": "1"}),
        ("deauthorize", {"person": ADA.id}),
        ("withhold", {}),
        ("events", {"client_id": "7", "url": "http://127.0.0.1:9/"}),
        ("events", {"client_id": "1001", "url": "https://login.example.com/"}),
        ("events", {"client_id": "1001", "url": "http://127.0.0.1:9/"}),
    ],
)
async def test_mistakes_are_told(discord: Discord, name: str, fields: dict[str, object]):
    """Promise: 400 with the reason; no other type than JSON is read."""
    url = f"{discord.origin}/_simulator/{name}"
    answer = await discord.client.post(url, json=fields)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (await discord.client.post(url, data={"x": "1"})).status_code == 415
