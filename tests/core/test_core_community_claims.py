"""What a client is told of its people's communities, and what it is not."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.core.client import Client
from broker.core.community.claims import community_claims
from broker.core.community.model import Community, GuildList, ListedGuild
from broker.core.community.needs import Needs, needs_of
from tests.core.helpers import NOW
from tests.core.policies import (
    GUILD_IDS,
    GUILDS,
    HARBOUR,
    ISLAND,
    KEEPER,
    LIGHTHOUSE,
    MEMBER,
    MUTED,
    ROLES,
    guild,
    policy,
    standing,
    standings,
)

SCOPE = ("openid", "guilds", "roles", "groups")
MAPPING = {
    LIGHTHOUSE: {KEEPER: ["admin", "staff"], MEMBER: ["staff"], "*": ["lit"]},
    HARBOUR: {"*": ["sailor"]},
}
CLIENT = Client(
    "app", "App", scopes=SCOPE, guilds=(HARBOUR, LIGHTHOUSE), role_mapping=MAPPING
)  # fmt: skip


def told(
    *standings: Any, client: Client = CLIENT, scope: tuple[str, ...] = SCOPE, listed: Any = None
) -> dict[str, Any]:
    """The claims, of a person of whom this is known."""
    community = Community({one.guild_id: one for one in standings}, listed)
    return community_claims(scope, client, needs_of(client, ()), community, GUILDS)


def test_a_guild_in_full() -> None:
    """With the operator's names, whole seconds, and the state of screening and time-outs."""
    there = standing(
        LIGHTHOUSE, MUTED, KEEPER, "99", nick="Ada", joined_at=5.9, timed_out_until=NOW + 0.5
    )
    assert told(there, scope=("guilds",)) == {
        "guilds": [
            {
                "id": LIGHTHOUSE,
                "name": "The Lighthouse",
                "nick": "Ada",
                "roles": [
                    {"id": "99"},
                    {"id": KEEPER, "name": "Keeper"},
                    {"id": MUTED, "name": "Muted"},
                ],
                "joined_at": 5,
                "pending": False,
                "timed_out_until": int(NOW),
            }
        ]
    }


def test_a_guild_of_which_little_is_known() -> None:
    """What Discord or the operator did not say is left out, rather than null."""
    client = replace(CLIENT, guilds=(ISLAND,), role_mapping=None)
    assert told(standing(ISLAND, pending=True), client=client, scope=("guilds",)) == {
        "guilds": [{"id": ISLAND, "roles": [], "pending": True}]
    }


def test_roles_are_mapped() -> None:
    """To the app's own, each once and in order, under either name."""
    assert told(standing(LIGHTHOUSE, MEMBER, KEEPER, MUTED), scope=("roles", "groups")) == {
        "roles": ["admin", "lit", "staff"],
        "groups": ["admin", "lit", "staff"],
    }
    assert told(standing(), standing(HARBOUR), scope=("groups",)) == {"groups": ["lit", "sailor"]}


def test_who_is_not_a_member_has_nothing_there() -> None:
    """An empty claim says that it is known; every member's roles are a member's alone."""
    away = standing(member=False)
    assert told(away) == {"guilds": [], "groups": [], "roles": []}


def test_what_was_never_read_is_not_told() -> None:
    """The claim is absent: it is not the same as having nothing."""
    assert told() == {}
    assert told(standing(), scope=("guilds",))["guilds"][0]["id"] == LIGHTHOUSE


def test_what_the_client_is_not_registered_for() -> None:
    """Neither a scope that was taken from it since, nor a guild, nor one that it has mapped."""
    there = standing(LIGHTHOUSE, KEEPER), standing(HARBOUR)
    assert told(*there, client=replace(CLIENT, scopes=("openid", "roles"))).keys() == {"roles"}
    assert told(*there, scope=("openid",)) == {}
    without = replace(CLIENT, guilds=(HARBOUR,))
    assert told(*there, client=without)["roles"] == ["sailor"]
    assert [one["id"] for one in told(*there, client=without)["guilds"]] == [HARBOUR]


def test_a_client_of_many_guilds_is_told_of_membership() -> None:
    """By the person's list; of guilds that are mapped, all there is to know."""
    many = tuple(str(n) for n in range(100, 106))
    client = replace(CLIENT, guilds=(*many, LIGHTHOUSE), role_mapping={LIGHTHOUSE: {"*": ["lit"]}})
    listed = GuildList(NOW, (ListedGuild("103", "Third"), ListedGuild("77", "Foreign")))
    # A record that was read for another client is nobody's to keep fresh for this one.
    other = standing("104", KEEPER)
    found = told(standing(), other, client=client, listed=listed, scope=("guilds", "roles"))
    assert [one["id"] for one in found["guilds"]] == ["103", LIGHTHOUSE]
    assert found["guilds"][0] == {"id": "103", "name": "Third"}
    assert found["roles"] == ["lit"]


def test_needs() -> None:
    """The least that the claims and the policies take."""
    plain = Client("app", "App", scopes=("openid", "profile"), guilds=(LIGHTHOUSE,))
    assert needs_of(plain, ()) == Needs()
    assert not needs_of(plain, ()).membership
    assert needs_of(plain, [guild(HARBOUR)]) == Needs((HARBOUR,))
    assert needs_of(plain, [guild(HARBOUR), guild()]) == Needs((LIGHTHOUSE, HARBOUR))
    assert needs_of(plain, [policy(email_verified=True)]) == Needs(email=True)
    assert needs_of(replace(plain, scopes=("openid", "email")), ()) == Needs(email=True)
    assert needs_of(replace(plain, scopes=("openid", "guilds")), ()) == Needs((LIGHTHOUSE,))
    assert needs_of(replace(CLIENT, scopes=("openid", "groups")), ()).standings == (
        LIGHTHOUSE, HARBOUR,
    )  # fmt: skip
    assert needs_of(replace(CLIENT, scopes=("openid",)), ()) == Needs()


def test_needs_of_many_guilds() -> None:
    """Discord is never asked for more than five member records; the list says the rest."""
    many = tuple(str(n) for n in range(100, 105))
    client = Client("app", "App", scopes=("openid", "guilds"), guilds=many)
    assert needs_of(client, ()) == Needs(many)
    assert needs_of(client, [guild("104")]) == Needs(many)
    assert needs_of(client, [guild("99")]) == Needs(("99",), listing=True)
    more = replace(client, guilds=(*many, "105"))
    assert needs_of(more, ()) == Needs(listing=True)
    assert needs_of(more, [guild("102")]) == Needs(("102",), listing=True)
    assert needs_of(more, ()).membership


@st.composite
def clients(draw: st.DrawFn) -> Client:
    """Clients with any registration."""
    names = st.lists(st.sampled_from(["admin", "staff", "lit"]), max_size=2)
    of_role = st.dictionaries(ROLES | st.just("*"), names, max_size=3)
    return Client(
        "app",
        "App",
        scopes=tuple(draw(st.lists(st.sampled_from(SCOPE), unique=True))),
        guilds=tuple(draw(st.lists(GUILD_IDS, unique=True))),
        role_mapping=draw(st.none() | st.dictionaries(GUILD_IDS, of_role, max_size=3)),
    )


@st.composite
def communities(draw: st.DrawFn) -> Community:
    """Anything that may be known of a person."""
    read = [draw(standings(one)) for one in draw(st.lists(GUILD_IDS, unique=True))]
    listed = [ListedGuild(one, "Listed") for one in draw(st.lists(GUILD_IDS, unique=True))]
    some = draw(st.none() | st.just(GuildList(NOW, tuple(listed))))
    return Community({one.guild_id: one for one in read}, some)


NEEDS = st.builds(Needs, st.lists(GUILD_IDS, unique=True).map(tuple), st.booleans())
SCOPES = st.lists(st.sampled_from([*SCOPE, "profile"]), unique=True)


@given(SCOPES, clients(), NEEDS, communities())
def test_nobody_is_told_of_a_guild_of_others(
    scope: list[str], client: Client, needs: Needs, community: Community
) -> None:
    """Only of guilds that it is registered for, by roles that it has mapped, in granted scopes."""
    found = community_claims(scope, client, needs, community, GUILDS)
    assert found.keys() <= set(scope) & set(client.scopes) & {"guilds", "roles", "groups"}
    ids = [one["id"] for one in found.get("guilds", ())]
    assert set(ids) <= set(client.guilds)
    mapped = {
        name
        for guild_id, of in (client.role_mapping or {}).items()
        if guild_id in client.guilds
        and guild_id in needs.standings
        and guild_id in community.standings
        and community.standings[guild_id].member
        for role, names in of.items()
        if role in ("*", *community.standings[guild_id].roles)
        for name in names
    }
    for word in ("roles", "groups"):
        assert found.get(word, sorted(mapped)) == sorted(mapped)


@given(SCOPES, clients(), NEEDS, communities(), st.randoms())
def test_the_order_is_always_the_same(
    scope: list[str], client: Client, needs: Needs, community: Community, chance: Any
) -> None:
    """So that a token changes only where what it says does."""
    found = community_claims(scope, client, needs, community, GUILDS)
    ids = [int(one["id"]) for one in found.get("guilds", ())]
    assert ids == sorted(set(ids))
    items = [
        (one, replace(of, roles=tuple(chance.sample(of.roles, len(of.roles)))))
        for one, of in community.standings.items()
    ]
    chance.shuffle(items)
    same = Community(dict(items), community.listed)
    guilds = tuple(chance.sample(client.guilds, len(client.guilds)))
    other = replace(client, guilds=guilds)
    again = community_claims(chance.sample(scope, len(scope)), other, needs, same, GUILDS)
    assert found == again
    assert list(found) == list(again)
