"""GitHub as its documentation describes it."""

from urllib.parse import parse_qs, urlsplit

import pytest

from broker.core.community.needs import Needs
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from tests.upstream.fake_github import ADA
from tests.upstream.far import far_github


@pytest.fixture
async def far(transport):
    async with far_github(transport) as found:
        yield found


async def test_the_profile(far):
    """The number is the identity; the address is the primary one, not the one on show."""
    profile = (await far.fetch()).profile
    assert (profile.subject, profile.username) == ("583231", "ada")
    assert profile.picture == ADA["avatar_url"]
    assert profile.email == "ada@example.com"


async def test_without_a_name_there_is_the_login(far):
    """GitHub's ``name`` may be null."""
    far.github.whom = "ben"
    assert (await far.fetch()).profile.display_name == "ben"


async def test_the_address_on_show_is_not_taken(far):
    """Nobody has verified it; without the scope the addresses are not even asked for."""
    profile = (await far.fetch(Needs())).profile
    assert (profile.email, profile.email_read) == (None, False)
    assert far.strange.calls["/api/v3/user/emails"] == 0


async def test_a_person_who_granted_less(far):
    """GitHub lets people grant fewer scopes: the sign-in goes on, and what is lacking is told."""
    far.github.granted = ""
    profile = (await far.fetch()).profile
    assert (profile.email, profile.email_read) == (None, False)
    assert far.upstream.lacks((), Needs(email=True))
    assert not far.upstream.lacks(("user",), Needs(email=True))


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        [{"email": "a@example.com", "primary": True, "verified": False}],
        [{"email": "a@example.com", "primary": False, "verified": True}],
        [{"email": "a@example.com", "primary": 1, "verified": "true"}],
        [{"email": None, "primary": True, "verified": True}],
        ["a@example.com", None],
        {"email": "a@example.com"},
    ],
)
async def test_only_a_verified_primary_address_counts(far, addresses):
    """Anything else is no address."""
    far.github.addresses = addresses
    profile = (await far.fetch()).profile
    assert (profile.email, profile.email_verified, profile.email_read) == (None, False, True)


@pytest.mark.parametrize("type_", ["Bot", "Organization", "Mannequin", None])
async def test_programs_do_not_sign_in(far, type_):
    """The person reads what is wrong."""
    far.github.people["ada"]["type"] = type_
    with pytest.raises(UpstreamRejected, match="not to a person"):
        await far.fetch()


@pytest.mark.parametrize("number", [None, 0, -1, "583231", 1.5, True, 2**63])
async def test_a_bad_number_is_refused(far, number):
    """It is the identity, so nothing that is not one may become an account."""
    far.github.people["ada"]["id"] = number
    with pytest.raises(UpstreamRejected):
        await far.fetch()


async def test_the_prompt(far):
    """GitHub's own word for asking which account."""
    assert "prompt" not in parse_qs(urlsplit(await far.url()).query)
    asked = parse_qs(urlsplit(await far.url(prompt="consent", login_hint="ada")).query)
    assert (asked["prompt"], asked["login"]) == (["select_account"], ["ada"])


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (403, {"retry-after": "61"}, 61),
        (429, {"retry-after": "7"}, 7),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000090"}, 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 5),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}, 3600),
    ],
)
async def test_its_limits(far, status, headers, seconds):
    """They are told with 403 as well; one person's do not silence the others."""
    far.ticking.stop()
    far.github.limited = (status, headers)
    with pytest.raises(UpstreamUnavailable) as caught:
        await far.fetch()
    assert caught.value.retry_after == seconds
    far.github.limited = None
    await far.fetch()


async def test_a_wrong_secret_names_the_setting_to_the_operator_alone(transport):
    """GitHub says it with status 200 and a word of its own."""
    async with far_github(transport, client_secret="wrong") as far:
        with pytest.raises(UpstreamRejected) as caught:
            await far.fetch()
    assert "BROKER_UPSTREAMS" in caught.value.private
    assert "BROKER" not in caught.value.public
