"""What Discord says of people in guilds, judged field by field."""

import pytest

from broker.core.community.model import ListedGuild, Standing
from broker.core.errors import UpstreamUnavailable
from broker.upstream.discord_members import guilds_of, moment, standing_of

GUILD = "613425648685547541"
KEEPER, MEMBER = "613425648685547542", "613425648685547543"
RECORD = {
    "avatar": None,
    "communication_disabled_until": None,
    "flags": 0,
    "joined_at": "2024-03-01T12:00:00.250000+00:00",
    "nick": "Ada",
    "pending": False,
    "roles": [KEEPER, MEMBER],
    "user": {"id": "175928847299117063", "username": "ada.lindqvist"},
    "mute": False,
    "deaf": False,
}


def read(**changes):
    return standing_of(RECORD | changes, GUILD, 5.0)


def test_a_member_record():
    """Each field in our own terms; whatever else is in there is left alone."""
    assert read(something={"new": [1]}, permissions="8") == Standing(
        GUILD,
        5.0,
        member=True,
        nick="Ada",
        roles=(KEEPER, MEMBER),
        joined_at=1709294400.25,
        pending=False,
        timed_out_until=None,
    )


def test_the_least_that_a_record_may_have():
    """What Discord may leave out, or send as null, is not known; roles it always sends."""
    least = standing_of({"roles": []}, GUILD, 5.0)
    assert least == Standing(GUILD, 5.0, member=True)
    assert read(nick=None, joined_at=None, pending=None, roles=[]) == least


@pytest.mark.parametrize(
    "roles",
    [None, {}, KEEPER, [None], [5], ["keeper"], ["-1"], ["0"], ["99999999999999999999"],
     [[KEEPER]], [KEEPER, ""], [KEEPER] * 1001],
)  # fmt: skip
def test_roles_that_make_no_sense(roles):
    """Access may hang on each of them, so half a list is none: nothing is guessed."""
    with pytest.raises(UpstreamUnavailable):
        read(roles=roles)
    with pytest.raises(UpstreamUnavailable):
        standing_of({key: value for key, value in RECORD.items() if key != "roles"}, GUILD, 5.0)


def test_roles_named_twice_are_one():
    """In the order of the answer."""
    assert read(roles=[MEMBER, KEEPER, MEMBER]).roles == (MEMBER, KEEPER)


@pytest.mark.parametrize("value", ["2030-01-01T00:00:00+00:00", "2030-01-01T01:00:00+01:00"])
def test_a_time_out(value):
    """Until when, whatever the zone; one that is over is told as it is."""
    assert read(communication_disabled_until=value).timed_out_until == 1893456000
    assert read(communication_disabled_until="2020-01-01T00:00:00Z").timed_out_until == 1577836800


@pytest.mark.parametrize("value", ["", "soon", 1893456000, True, [], "2030-13-01T00:00:00Z"])
def test_a_time_out_that_makes_no_sense(value):
    """It is not taken for none."""
    with pytest.raises(UpstreamUnavailable):
        read(communication_disabled_until=value)


@pytest.mark.parametrize("value", [True, "false", 1, 0, [], {}])
def test_pending_is_anything_but_a_plain_no(value):
    """Who may not have passed the screening has not."""
    assert read(pending=value).pending is True


@pytest.mark.parametrize(
    ("nick", "kept"),
    [
        ("דנה הקטנה", "דנה הקטנה"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("\ud800x", "x"),
        ("  ", None),
        ("", None),
        (5, None),
        (["Ada"], None),
        ("x" * 100_000, "x" * 100),
    ],
)
def test_nicknames(nick, kept):
    """Right-to-left ones stay, control characters do not, and nothing is endless."""
    assert read(nick=nick).nick == kept


@pytest.mark.parametrize("value", [None, 5, "", "yesterday", "9" * 5000, "0000-00-00T00:00:00Z"])
def test_no_moment(value):
    """Whatever is no date and time is none."""
    assert moment(value) is None
    assert read(joined_at=value).joined_at is None


def test_the_ends_of_time():
    """Moments that no clock of ours can say are none, and nothing breaks."""
    for value in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        found = moment(value)
        assert found is None or isinstance(found, float)


def test_a_list_of_guilds():
    """Id, name and whether it is the person's own; the rest is left alone."""
    page = [
        {"id": GUILD, "name": "The Lighthouse", "owner": True, "features": ["A"] * 50},
        {"id": "5", "name": None, "owner": None},
        {"id": "6", "name": "\u202eesrever", "owner": "yes"},
    ]
    assert guilds_of(page) == (
        ListedGuild(GUILD, "The Lighthouse", owner=True),
        ListedGuild("5", "5"),
        ListedGuild("6", "\u202eesrever"),
    )


@pytest.mark.parametrize(
    "page", [None, {}, "[]", 5, [None], [[]], [{}], [{"id": 5}], [{"id": "x"}], [{"id": None}]]
)
def test_a_list_that_makes_no_sense(page):
    """Half a list would make somebody no member of what is missing."""
    with pytest.raises(UpstreamUnavailable):
        guilds_of(page)
