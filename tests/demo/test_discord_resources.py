"""The simulated Discord's user endpoints, their errors and their limits."""

import pytest

from broker.demo.discord import Guild, Membership
from broker.demo.discord.cast import ADA, LIGHTHOUSE
from tests.demo.conftest import Discord

MEMBER = f"/users/@me/guilds/{LIGHTHOUSE.id}/member"


async def test_the_profile_is_discords(discord: Discord):
    """Promise: the id is a string of digits; e-mail and `verified` come with their scope."""
    await discord.sign_in()
    me = (await discord.get("/users/@me")).json()
    assert me["id"] == ADA.id
    assert (me["username"], me["discriminator"]) == ("ada.lindqvist", "0")
    assert (me["email"], me["verified"], me["mfa_enabled"]) == ("ada@example.com", True, True)
    assert "bot" not in me
    await discord.sign_in(scope="identify")
    assert not {"email", "verified"} & set((await discord.get("/users/@me")).json())


async def test_people_without_a_display_name_or_email_have_nulls(discord: Discord):
    """Promise: what a person lacks is null, as Discord sends it."""
    await discord.sign_in("dmitri7")
    me = (await discord.get("/users/@me")).json()
    assert (me["global_name"], me["avatar"], me["email"], me["verified"]) == (
        None,
        None,
        None,
        False,
    )


async def test_a_changed_name_is_seen_by_an_old_token(discord: Discord):
    """Promise: the account is the snowflake; names follow at once."""
    await discord.sign_in()
    discord.state.change_person(ADA.id, username="ada2", bot=True)
    me = (await discord.get("/users/@me")).json()
    assert (me["id"], me["username"], me["bot"]) == (ADA.id, "ada2", True)


@pytest.mark.parametrize("header", [None, "Bearer no", "Bot abc", "Bearer", "Basic eDp5"])
async def test_without_a_live_token_everything_is_401(discord: Discord, header: str | None):
    """Promise: the documented body, and no rate-limit bucket for nobody."""
    discord.headers = {"Authorization": header} if header else {}
    for path in ("/users/@me", "/users/@me/guilds", MEMBER, "/oauth2/@me", "/oauth2/userinfo"):
        answer = await discord.get(path)
        assert answer.status_code == 401
        assert answer.json() == {"message": "401: Unauthorized", "code": 0}


@pytest.mark.parametrize("path", ["/users/@me/guilds", MEMBER, "/oauth2/userinfo"])
async def test_a_missing_scope_is_403(discord: Discord, path: str):
    """Promise: each resource asks for its scope."""
    await discord.sign_in(scope="identify")
    answer = await discord.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, 50026)


async def test_a_member_record_has_role_ids_only(discord: Discord):
    """Promise: roles are ids, times are ISO 8601."""
    await discord.sign_in()
    member = (await discord.get(MEMBER)).json()
    assert set(member["roles"]) == set(LIGHTHOUSE.roles)
    assert (member["nick"], member["pending"], member["user"]["id"]) == ("Ada", False, ADA.id)


@pytest.mark.parametrize(
    ("guild", "status", "code"), [("1", 404, 10004), ("x", 400, 50035)], ids=["unknown", "no id"]
)
async def test_a_guild_one_is_not_in_is_unknown(
    discord: Discord, guild: str, status: int, code: int
):
    """Promise: 404 with code 10004, whether the guild exists or not."""
    await discord.sign_in()
    answer = await discord.get(f"/users/@me/guilds/{guild}/member")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_leaving_a_guild_is_seen_at_once(discord: Discord):
    """Promise: membership is what the state says now."""
    await discord.sign_in()
    discord.state.change_person(ADA.id, memberships=())
    assert (await discord.get(MEMBER)).json()["code"] == 10004


async def test_guilds_are_paged_by_id(discord: Discord):
    """Promise: after, before and limit cut the list in order of ids; 200 is the most."""
    for number in range(1, 251):
        discord.state.guilds[str(number)] = Guild(str(number), f"Guild {number}")
    memberships = tuple(Membership(str(number)) for number in range(250, 0, -1))
    discord.state.change_person(ADA.id, memberships=memberships)
    await discord.sign_in()

    async def ids(**params: str) -> list[int]:
        return [
            int(guild["id"]) for guild in (await discord.get("/users/@me/guilds", **params)).json()
        ]

    assert await ids() == list(range(1, 201))
    assert await ids(after="200") == list(range(201, 251))
    assert await ids(after="10", limit="3") == [11, 12, 13]
    assert await ids(before="10", limit="3") == [7, 8, 9]
    assert await ids(after="3", before="6") == [4, 5]


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"after": "-1"}]
)
async def test_bad_paging_is_400(discord: Discord, params: dict[str, str]):
    """Promise: Discord's form error."""
    await discord.sign_in()
    answer = await discord.get("/users/@me/guilds", **params)
    assert (answer.status_code, answer.json()["code"]) == (400, 50035)


async def test_counts_come_when_asked_for(discord: Discord):
    """Promise: approximate counts need `with_counts`."""
    await discord.sign_in()
    plain = (await discord.get("/users/@me/guilds")).json()[0]
    counted = (await discord.get("/users/@me/guilds", with_counts="true")).json()[0]
    assert "approximate_member_count" not in plain
    assert counted["approximate_member_count"] > 0


async def test_a_token_says_whose_it_is(discord: Discord):
    """Promise: `/oauth2/@me` names the application, the scopes and the end."""
    await discord.sign_in(scope="identify")
    answer = (await discord.get("/oauth2/@me")).json()
    application = discord.state.applications["1001"]
    assert answer["application"]["id"] == "1001"
    assert answer["application"]["verify_key"] == application.verify_key
    assert len(bytes.fromhex(application.verify_key)) == 32
    assert answer["scopes"] == ["identify"]
    assert answer["expires"] == "2027-01-22T08:00:00+00:00"
    assert answer["user"]["id"] == ADA.id


async def test_userinfo_has_the_standard_claims(discord: Discord):
    """Promise: OpenID Connect's names, and a picture that can be fetched."""
    await discord.sign_in()
    claims = (await discord.get("/oauth2/userinfo")).json()
    assert (claims["sub"], claims["email_verified"]) == (ADA.id, True)
    picture = await discord.client.get(claims["picture"])
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


async def test_limits_count_per_token_and_route(discord: Discord):
    """Promise: headers count down, 429 says how long, another token or route has its own."""
    await discord.sign_in()
    for left in (4, 3, 2, 1, 0):
        answer = await discord.get(MEMBER)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "5"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["x-ratelimit-reset-after"] == "300.000"
        assert answer.headers["x-ratelimit-reset"] == "1800000300.000"
    discord.clock.seconds += 0.5
    refused = await discord.get(MEMBER)
    assert refused.status_code == 429
    assert refused.json() == {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": 299.5,
        "global": False,
    }
    assert refused.headers["retry-after"] == "300"
    assert refused.headers["x-ratelimit-scope"] == "user"
    assert "x-ratelimit-global" not in refused.headers
    assert (await discord.get("/users/@me")).status_code == 200
    first = dict(discord.headers)
    await discord.sign_in("ben_okafor")
    assert (await discord.get(MEMBER)).status_code == 200
    discord.headers = first
    discord.clock.seconds += 299.5
    assert (await discord.get(MEMBER)).status_code == 200


async def test_a_global_limit_covers_all_routes(discord: Discord):
    """Promise: over the global limit every route answers 429 and says that it is global."""
    from broker.demo.discord import Limit

    discord.state.limits.everything = Limit(2, 1)
    await discord.sign_in()
    await discord.get("/users/@me")
    await discord.get("/users/@me/guilds")
    refused = await discord.get("/oauth2/@me")
    assert (refused.status_code, refused.json()["global"]) == (429, True)
    assert refused.headers["x-ratelimit-global"] == "true"
    assert refused.headers["x-ratelimit-scope"] == "global"
    discord.clock.seconds += 1
    assert (await discord.get("/oauth2/@me")).status_code == 200


async def test_unknown_paths_and_methods_have_discords_bodies(discord: Discord):
    """Promise: 404 and 405 are JSON too."""
    answer = await discord.get("/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"message": "404: Not Found", "code": 0})
    answer = await discord.client.get(f"{discord.origin}/api/oauth2/token")
    assert (answer.status_code, answer.json()["code"]) == (405, 0)


@pytest.mark.parametrize("path", ["/avatars/1/a_1f.gif?size=64", "/embed/avatars/3.png"])
async def test_pictures_are_at_the_paths_of_the_cdn(discord: Discord, path: str):
    """Promise: a picture is the same bytes each time, without any token."""
    first = await discord.client.get(discord.origin + path)
    assert first.content == (await discord.client.get(discord.origin + path)).content
    assert first.content.startswith(b"\x89PNG")
