"""What the tests of policies and communities share: a guild with roles, and people in it."""

from typing import Any

from hypothesis import strategies as st

from broker.core.community.model import Community, Standing
from broker.core.community.registry import Guild
from broker.core.community.snowflakes import EPOCH
from broker.core.model import Facts
from broker.core.policy.model import Policy
from broker.core.policy.reading import read
from tests.core.helpers import NOW

LIGHTHOUSE, HARBOUR, ISLAND = "613425648685547541", "613425648685547551", "613425648685547561"
KEEPER, MEMBER, MUTED = "613425648685547542", "613425648685547543", "613425648685547544"
GUILDS = {
    LIGHTHOUSE: Guild(
        LIGHTHOUSE,
        "The Lighthouse",
        "https://discord.gg/light",
        {KEEPER: "Keeper", MEMBER: "Member", MUTED: "Muted"},
    ),
    HARBOUR: Guild(HARBOUR, "Harbour"),
}
DAY = 86400


def born(at: float, number: int = 0) -> str:
    """The id of an account made at that moment."""
    return str((int((at - EPOCH) * 1000) << 22) + number)


ADA = born(NOW - 1000 * DAY)


def standing(guild_id: str = LIGHTHOUSE, *roles: str, **more: Any) -> Standing:
    """A member with these roles, unless told otherwise."""
    return Standing(
        guild_id, more.pop("read_at", NOW), more.pop("member", True), roles=roles, **more
    )


def facts(*standings: Standing, person: str | None = ADA, **claims: Any) -> Facts:
    """What is known of a person: there, with these claims."""
    return Facts(
        1,
        "sub",
        claims=claims,
        identities={} if person is None else {"discord": person},
        community=Community({one.guild_id: one for one in standings}),
    )


def policy(**document: Any) -> Policy:
    """The policy that a document says."""
    return read(document)


def guild(guild_id: str = LIGHTHOUSE, **asked: Any) -> Policy:
    """A policy about one guild."""
    return policy(guilds=[{"id": guild_id, **asked}])


# Few of each, so that they meet.
ROLES = st.sampled_from([KEEPER, MEMBER, MUTED])
GUILD_IDS = st.sampled_from([LIGHTHOUSE, HARBOUR, ISLAND])
PEOPLE = st.sampled_from([ADA, born(NOW - 2 * DAY), born(NOW - 40 * DAY)])
_SOME_ROLES = st.lists(ROLES, unique=True, max_size=3)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """One entry of a policy's guilds, in agreement with itself."""
    no_role = draw(_SOME_ROLES)
    return {
        "id": draw(GUILD_IDS),
        "any_role": [one for one in draw(_SOME_ROLES) if one not in no_role],
        "all_roles": [one for one in draw(_SOME_ROLES) if one not in no_role],
        "no_role": no_role,
        "not_pending": draw(st.booleans()),
        "not_timed_out": draw(st.booleans()),
    }


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents that can be read."""
    allow, deny = draw(st.sets(PEOPLE)), draw(st.sets(PEOPLE))
    document: dict[str, Any] = {"deny": sorted(deny - allow)}
    if draw(st.integers(0, 9)) == 0 and allow:
        return document | {"allow": sorted(allow), "only_allowed": True}
    document["guilds"] = draw(st.lists(entries(), max_size=4))
    document["match"] = draw(st.sampled_from(["all", "any"])) if document["guilds"] else "all"
    document["account_age"] = draw(st.sampled_from([0, DAY, "30d"]))
    document["email_verified"] = draw(st.booleans())
    if document["guilds"] or document["account_age"] or document["email_verified"]:
        document["allow"] = sorted(allow)
    return document


@st.composite
def standings(draw: st.DrawFn, guild_id: str) -> Standing:
    """Anything that may have been read of a person in a guild."""
    if not draw(st.booleans()):
        return Standing(guild_id, NOW, member=False)
    return Standing(
        guild_id,
        NOW,
        member=True,
        nick=draw(st.none() | st.text(max_size=8)),
        roles=tuple(draw(_SOME_ROLES)),
        joined_at=draw(st.none() | st.floats(0, NOW)),
        pending=draw(st.booleans()),
        timed_out_until=draw(st.none() | st.sampled_from([NOW - 60, NOW, NOW + 60])),
    )


@st.composite
def people(draw: st.DrawFn) -> Facts:
    """Anybody."""
    read_of = draw(st.sets(GUILD_IDS))
    return facts(
        *(draw(standings(one)) for one in sorted(read_of)),
        person=draw(st.none() | PEOPLE),
        **draw(
            st.sampled_from([{}, {"email": "a@b.c"}, {"email": "a@b.c", "email_verified": True}])
        ),
    )
