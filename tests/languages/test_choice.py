"""Which language a person gets, and how it says what is not in a catalogue."""

import pytest

from broker.core.texts import Ago, Counted, Day, Listed, Moment, Text, Wait
from broker.web.languages import chosen, speeches, tags

KNOWN = ("en", "ko", "zh-Hant")


@pytest.mark.parametrize(
    ("ui_locales", "accepted", "language"),
    [
        (None, None, "en"),
        (None, "ko", "ko"),
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        (None, "en-GB,ko;q=0.9", "en"),
        (None, "ko;q=0.2, en;q=0.9", "en"),
        (None, "fr, ko;q=0.1", "ko"),
        (None, "ko;q=0", "en"),
        (None, "ko;q=high, fr", "en"),
        (None, "*", "en"),
        ("ko", "en", "ko"),
        ("fr KO-kr en", None, "ko"),
        ("fr de", "ko", "ko"),
        ("zh-hant-tw", None, "zh-Hant"),
        ("zh", None, "en"),
        ("../../ko", None, "en"),
        ("ko.po", None, "en"),
        ("x" * 5000 + " ko", None, "en"),
        ("ko\x00", ",;=,;q", "en"),
    ],
)
def test_a_wish_is_looked_up(ui_locales: str | None, accepted: str | None, language: str):
    """The app's wish counts before the browser's, both by lookup (RFC 4647 §3.4); else English."""
    assert chosen(KNOWN, ui_locales, accepted) == language


def test_english_is_what_stands_in_the_code():
    """Texts are strings: whatever reads strings reads English."""
    text = Text("You are timed out in %(guild)s until %(when)s.", guild="Café", when=Moment(59.5))
    assert text == "You are timed out in Café until 1 January 1970, 00:01 UTC."
    assert speeches()["en"].said(text) is text


def test_texts_are_said_with_their_parts():
    """Names stay; lists, moments and lengths of time are said as the language does it."""
    said = speeches()["ko"].said
    roles = Listed(["Mod", "Staff"], "or")
    text = Text("You need the role %(roles)s in %(guild)s.", roles=roles, guild="Café")
    assert said(text) == "Café 서버에서 Mod 또는 Staff 역할이 필요해요."
    assert said(Moment(1_800_000_000)) == "2027년 1월 15일 오전 8:00 UTC"
    assert said(Day(1_800_000_000)) == "2027년 1월 15일"
    assert [said(Ago(59, "minute")), said(Ago(29, "day"))] == ["59분 전", "29일 전"]
    assert said(Wait(5)) == "5초"
    assert said(Wait(150)) == "3분"
    assert said(Text("Please wait %(wait)s, then try again.", wait=Wait(1))).startswith("1초")


def test_what_is_no_text_of_ours_stays():
    """A name that happens to stand in a catalogue is not translated, nor is it formatted."""
    said = speeches()["ko"].said
    assert said("Cancel") == "Cancel"
    assert said("100% %(x)s") == "100% %(x)s"
    assert said(Text("Cancel")) == "취소"


def test_a_number_decides():
    """What depends on a number is said by the language's own rule."""
    assert Counted("%(count)s app", "%(count)s apps", 1) == "1 app"
    assert Counted("%(count)s app", "%(count)s apps", 3) == "3 apps"
    assert speeches()["ko"].said(Counted("%(count)s app", "%(count)s apps", 3)) == "3 apps"


def test_lengths_of_time_in_english():
    """As people say them."""
    told = {seconds: str(Wait(seconds)) for seconds in (0, 1, 2, 119, 120, 121)}
    assert told == {
        0: "a second",
        1: "a second",
        2: "2 seconds",
        119: "119 seconds",
        120: "2 minutes",
        121: "3 minutes",
    }
    assert Wait(30, minutes=True) == "a minute"


def test_the_languages_are_those_of_the_catalogues():
    """What discovery announces is what pages speak."""
    assert tags() == tuple(speeches()) == ("en", "ko")
