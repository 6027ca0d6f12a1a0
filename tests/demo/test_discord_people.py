"""What happens to people in the guilds of the simulated Discord."""

import pytest

from broker.demo.discord import SimulatedDiscord
from broker.demo.discord.cast import ADA, BEN, CHIYO, GREENHOUSE, LIGHTHOUSE
from tests.demo.conftest import Discord

MEMBER = f"/users/@me/guilds/{LIGHTHOUSE.id}/member"
KEEPER_ROLE, MEMBER_ROLE = LIGHTHOUSE.roles


async def roles(discord: Discord) -> set[str]:
    return set((await discord.get(MEMBER)).json()["roles"])


async def test_a_role_can_be_taken_and_given(discord: Discord):
    """Promise: the member record says at once what was done, once, whatever is done twice."""
    await discord.sign_in()
    for _ in range(2):
        discord.state.take_role(ADA.id, LIGHTHOUSE.id, KEEPER_ROLE)
    assert await roles(discord) == {MEMBER_ROLE}
    for _ in range(2):
        discord.state.give_role("ada.lindqvist", LIGHTHOUSE.id, KEEPER_ROLE)
    assert (await discord.get(MEMBER)).json()["roles"] == [MEMBER_ROLE, KEEPER_ROLE]
    assert discord.state.person(ADA.id).membership(GREENHOUSE.id) is not None


async def test_a_person_can_be_kicked_and_join_again(discord: Discord):
    """Promise: unknown guild at once; who joins anew has nothing of before."""
    await discord.sign_in()
    for _ in range(2):
        discord.state.kick(ADA.id, LIGHTHOUSE.id)
    answer = await discord.get(MEMBER)
    assert (answer.status_code, answer.json()["code"]) == (404, 10004)
    discord.state.join(ADA.id, LIGHTHOUSE.id, pending=True)
    member = (await discord.get(MEMBER)).json()
    assert (member["roles"], member["nick"], member["pending"]) == ([], None, True)
    assert member["joined_at"] == "2027-01-15T08:00:00.000000+00:00"


async def test_a_member_can_be_changed_and_timed_out(discord: Discord):
    """Promise: any field of the record; a time-out counts from now."""
    await discord.sign_in()
    discord.state.set_member(ADA.id, LIGHTHOUSE.id, nick="\u202eאדה", flags=1)
    discord.state.time_out(ADA.id, LIGHTHOUSE.id, 60)
    member = (await discord.get(MEMBER)).json()
    assert (member["nick"], member["flags"]) == ("\u202eאדה", 1)
    assert member["communication_disabled_until"] == "2027-01-15T08:01:00.000000+00:00"
    discord.state.time_out(ADA.id, LIGHTHOUSE.id, None)
    assert (await discord.get(MEMBER)).json()["communication_disabled_until"] is None


async def test_a_deleted_guild_is_unknown_to_those_who_were_in_it(discord: Discord):
    """Promise: 404 with code 10004, and no line of it in anybody's list."""
    await discord.sign_in()
    discord.state.delete_guild(LIGHTHOUSE.id)
    assert (await discord.get(MEMBER)).json()["code"] == 10004
    listed = (await discord.get("/users/@me/guilds")).json()
    assert [guild["id"] for guild in listed] == [GREENHOUSE.id]
    assert discord.state.person(BEN.id).memberships == ()


async def test_a_new_guild_has_members(discord: Discord):
    """Promise: a guild made in a test is as good as those of the cast."""
    guild = discord.state.add_guild("Harbour", roles={"7": "Pilot"})
    discord.state.join(CHIYO.id, guild.id, roles=("7",))
    await discord.sign_in("chiyo")
    member = (await discord.get(f"/users/@me/guilds/{guild.id}/member")).json()
    assert (member["roles"], member["user"]["id"]) == (["7"], CHIYO.id)
    assert [person.id for person, _ in discord.state.members(guild.id)] == [CHIYO.id]


async def test_a_person_can_be_in_more_guilds_than_a_page_has(discord: Discord):
    """Promise: all of them are listed, in pages of 200."""
    made = discord.state.add_guilds(CHIYO.id, 201)
    await discord.sign_in("chiyo")
    first = [guild["id"] for guild in (await discord.get("/users/@me/guilds")).json()]
    rest = (await discord.get("/users/@me/guilds", after=first[-1])).json()
    assert [*first, *(guild["id"] for guild in rest)] == [guild.id for guild in made]


async def test_fields_nobody_documented_and_nulls_go_over_the_wire(discord: Discord):
    """Promise: `more` adds to the documented object, or takes the place of a field."""
    discord.state.change_person(ADA.id, more={"clan": {"tag": "x"}, "locale": None})
    discord.state.set_member(ADA.id, LIGHTHOUSE.id, more={"roles": None, "unusual_dm": None})
    await discord.sign_in()
    me, member = (await discord.get("/users/@me")).json(), (await discord.get(MEMBER)).json()
    assert (me["clan"], me["locale"]) == ({"tag": "x"}, None)
    assert (member["roles"], member["unusual_dm"]) == (None, None)


@pytest.mark.parametrize(
    "slip",
    [
        lambda d: d.give_role("nobody", LIGHTHOUSE.id, KEEPER_ROLE),
        lambda d: d.give_role(ADA.id, "1", KEEPER_ROLE),
        lambda d: d.give_role(ADA.id, LIGHTHOUSE.id, "1"),
        lambda d: d.take_role(ADA.id, LIGHTHOUSE.id, "1"),
        lambda d: d.give_role(CHIYO.id, LIGHTHOUSE.id, KEEPER_ROLE),
        lambda d: d.set_member(CHIYO.id, LIGHTHOUSE.id, nick="x"),
        lambda d: d.kick(ADA.id, "1"),
        lambda d: d.join(ADA.id, "1"),
        lambda d: d.delete_guild("1"),
        lambda d: d.change_person("1", verified=False),
        lambda d: d.deauthorize("1", "1001"),
    ],
)
def test_a_name_that_is_nobodys_is_an_error(slip):
    """Promise: a typing error in a test does not pass for a change that had no effect."""
    with pytest.raises(LookupError):
        slip(SimulatedDiscord())
