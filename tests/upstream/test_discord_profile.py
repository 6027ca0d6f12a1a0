"""What a profile is made of, field by field."""

import pytest

from broker.core.errors import UpstreamRejected
from broker.upstream.discord_profile import profile_of

CDN = "https://cdn.discordapp.com"
USER = {
    "id": "80351110224678912",
    "username": "nelly",
    "discriminator": "0",
    "global_name": "Nelly N.",
    "avatar": "8342729096ea3675442027381ff50dfe",
    "email": "nelly@example.org",
    "verified": True,
    "locale": "en-GB",
    "mfa_enabled": True,
    "some_new_field": {"of": "tomorrow"},
}


def test_a_full_profile():
    """Every documented field finds its place; unknown ones are left alone."""
    profile = profile_of(USER, CDN)
    assert profile.subject == "80351110224678912"
    assert (profile.username, profile.display_name) == ("nelly", "Nelly N.")
    assert (profile.email, profile.email_verified) == ("nelly@example.org", True)
    assert profile.picture == f"{CDN}/avatars/80351110224678912/{USER['avatar']}.png"
    assert profile.locale == "en-GB"
    assert "some_new_field" not in profile.raw


@pytest.mark.parametrize("verified", [False, None, "true", 1, "missing"])
def test_only_a_plain_true_verifies_an_email(verified):
    """`email_verified` is true for `verified: true` and for nothing else."""
    user = {**USER, "verified": verified}
    if verified == "missing":
        del user["verified"]
    assert profile_of(user, CDN).email_verified is False


@pytest.mark.parametrize("email", [None, "", "nobody", 7, "a@b\nBcc: c@d"])
def test_no_usable_email_is_none_and_never_verified(email):
    """A phone-only account signs in without an address."""
    profile = profile_of({**USER, "email": email}, CDN)
    assert (profile.email, profile.email_verified) == (None, False)


@pytest.mark.parametrize(
    "bad", [None, "", 80351110224678912, "0", "12a", "١٢٣", "-1", "18446744073709551616", "1\n"]
)
def test_a_bad_snowflake_is_refused(bad):
    """The identity is the snowflake, so nothing that is not one may become an account."""
    with pytest.raises(UpstreamRejected):
        profile_of({**USER, "id": bad}, CDN)


@pytest.mark.parametrize("flag", ["bot", "system"])
def test_programs_do_not_sign_in(flag):
    """A bot or system account is no person."""
    with pytest.raises(UpstreamRejected, match="program"):
        profile_of({**USER, flag: True}, CDN)


@pytest.mark.parametrize("name", [None, "", 3, "\x00\x1b"])
def test_a_profile_without_a_username_is_refused(name):
    """Half a profile is not written."""
    with pytest.raises(UpstreamRejected):
        profile_of({**USER, "username": name}, CDN)


@pytest.mark.parametrize("name", [None, "", " ", "\x07"])
def test_the_username_stands_in_for_a_missing_display_name(name):
    """There is always something to call the person."""
    assert profile_of({**USER, "global_name": name}, CDN).display_name == "nelly"


def test_names_are_bounded_and_free_of_control_characters():
    """A hostile name cannot fill a page or a log line."""
    profile = profile_of({**USER, "global_name": "a\x1b[2Jb\u0085" + "c" * 500}, CDN)
    assert profile.display_name.startswith("a[2Jb")
    assert len(profile.display_name) == 100


@pytest.mark.parametrize(
    ("avatar", "discriminator", "ending"),
    [
        ("a_8342729096ea3675442027381ff50dfe", "0", "/a_8342729096ea3675442027381ff50dfe.gif"),
        (None, "0", f"/embed/avatars/{(80351110224678912 >> 22) % 6}.png"),
        (None, "1337", "/embed/avatars/2.png"),
        ("../../evil", "0", f"/embed/avatars/{(80351110224678912 >> 22) % 6}.png"),
    ],
)
def test_avatar_addresses(avatar, discriminator, ending):
    """Animated, still, default of both kinds; a hostile hash never shapes the address."""
    user = {**USER, "avatar": avatar, "discriminator": discriminator}
    assert profile_of(user, CDN).picture.endswith(ending)


@pytest.mark.parametrize("locale", [None, "english!", 5, "en-GB\n"])
def test_a_strange_locale_is_left_out(locale):
    """Only language tags pass."""
    assert profile_of({**USER, "locale": locale}, CDN).locale is None
