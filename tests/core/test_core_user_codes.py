"""User codes: what a device shows, and what people make of it when they type it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.device import user_codes
from broker.core.device.user_codes import ALPHABET, LENGTH, UserCodes, normalised, shown
from tests.core.helpers import OTHER_SECRET, SECRET, Counted

codes = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)
between = st.text(" -_.\u00b7\u2013\u2014\u2010\u2011\u00a0\u200b", max_size=3)


def test_codes_are_hard_to_guess_and_make_no_words() -> None:
    """34 bits or more, no vowel, no digit, nothing twice."""
    assert len(ALPHABET) ** LENGTH > 2**34
    assert not set(ALPHABET) & set("AEIOUY")
    assert set(ALPHABET) <= set(string.ascii_uppercase)
    entropy = Counted()
    made = [user_codes.new(entropy) for _ in range(500)]
    assert len(set(made)) == 500
    assert set("".join(made)) == set(ALPHABET), "every letter occurs"


@given(codes)
def test_a_code_is_a_number(code: str) -> None:
    """Both ways without loss, within what a handle has room for."""
    number = user_codes.number(code)
    assert 0 <= number < 2**64
    assert user_codes.from_number(number) == code


@given(codes, st.data())
def test_typing_does_not_matter(code: str, data: st.DataObject) -> None:
    """Case, width, and whatever stands before, between and behind the letters."""
    typed = data.draw(between)
    for letter in code:
        ways = (letter, letter.lower(), chr(ord(letter) - 0x41 + 0xFF21))
        typed += data.draw(st.sampled_from(ways)) + data.draw(between)
    assert normalised(typed) == (code if len(typed) <= user_codes.LONGEST else None)
    assert normalised(shown(code)) == code


@given(st.text(max_size=100))
def test_whatever_is_typed(typed: str) -> None:
    """The answer is a code or nothing, never an error; and a code stays as it is."""
    found = normalised(typed)
    if found is not None:
        assert len(found) == LENGTH
        assert set(found) <= set(ALPHABET)
        assert normalised(found) == found


@pytest.mark.parametrize(
    "typed", ["", "BCDF-GHJ", "BCDF-GHJKL", "AEIO-UAEI", "BCDF GHJ0", "BCDF<GHJK", "x" * 99]
)
def test_what_is_no_code(typed: str) -> None:
    """Too short, too long, or with letters that no code has."""
    assert normalised(typed) is None


def test_names_tell_nothing_and_outlive_a_change_of_secrets() -> None:
    """A store sees a keyed digest; under a new secret the code of an older one is still found."""
    before, after = UserCodes([SECRET]), UserCodes([OTHER_SECRET, SECRET])
    (name,) = before.names("BCDFGHJK")
    assert len(name) == 32
    assert name in after.names("BCDFGHJK")
    assert after.names("BCDFGHJK")[0] != name
    assert before.names("BCDFGHJL") != (name,)
