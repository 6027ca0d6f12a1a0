"""Parameters as they came: nothing is guessed, nothing is taken twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import InvalidRequest
from broker.core.parameters import Parameters
from broker.core.vocabulary import MAX_PARAMETER
from tests.core.helpers import params


def test_one_returns_the_value() -> None:
    """A parameter given once is returned as it came."""
    assert params(state="a b+c").one("state") == "a b+c"


def test_a_parameter_without_a_value_counts_as_omitted() -> None:
    """RFC 6749 §3.1: an empty value is no value, and does not count as a repetition."""
    found = params(("state", ""), ("state", "x"))
    assert found.one("state") == "x"
    assert params(state="").one("state") is None
    assert "state" not in params(state="")


def test_a_parameter_given_twice_is_refused_even_with_the_same_value() -> None:
    """RFC 6749 §3.1: request parameters must not be included more than once."""
    with pytest.raises(InvalidRequest):
        params(("state", "x"), ("state", "x")).one("state")


def test_many_keeps_the_order_and_drops_repetitions() -> None:
    """RFC 8707 §2: ``resource`` may repeat."""
    found = params(("resource", "b"), ("resource", "a"), ("resource", "b"))
    assert found.many("resource") == ("b", "a")


def test_words_are_split_at_spaces_without_repetitions() -> None:
    """RFC 6749 §3.3: a list of space-delimited words, whose order says nothing."""
    assert params(scope="openid email openid").words("scope") == ("openid", "email")
    assert params().words("scope") == ()


def test_repeated_names_the_first_known_repetition() -> None:
    """Only names that mean something to us count as repeated; unknown ones are ignored."""
    found = params(("x", "1"), ("x", "2"), ("b", "1"), ("b", "2"))
    assert found.repeated(("a", "b")) == "b"
    assert found.repeated(("a",)) is None


def test_a_value_put_in_place_of_two_stands_alone() -> None:
    """What takes the place of a parameter that was given twice is given once; others stay."""
    found = params(("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")).joined("x", "3")
    assert (found.one("x"), found.many("y")) == ("3", ("1", "2"))
    assert found.repeated(("x", "y")) == "y"


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b", "\x7f", "\u2028", "\u202e", "\x85"])
def test_control_characters_are_refused(bad: str) -> None:
    """No line break, NUL, or character that turns text around gets further than here."""
    with pytest.raises(InvalidRequest):
        params(state=bad).one("state")
    with pytest.raises(InvalidRequest):
        params(resource=bad).many("resource")


def test_the_longest_value_passes_and_one_more_character_does_not() -> None:
    """Values are bounded, so that nothing we store or send back grows without limit."""
    assert params(state="x" * MAX_PARAMETER).one("state")
    with pytest.raises(InvalidRequest):
        params(state="x" * (MAX_PARAMETER + 1)).one("state")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=5)), max_size=8))
def test_one_is_total(pairs: list[tuple[str, str]]) -> None:
    """Whatever comes, the answer is the one value, None, or InvalidRequest."""
    found = Parameters(pairs)
    given_values = [value for name, value in pairs if name == "a" and value]
    try:
        value = found.one("a")
    except InvalidRequest:
        assert len(given_values) > 1 or not given_values[0].isprintable()
    else:
        assert [value] == (given_values or [None])


def test_whose_request_it_is_is_worked_out_for_who_wants_to_know() -> None:
    """Not before it is asked; and as well after a parameter was replaced."""
    asked: list[str] = []

    def asker() -> str:
        asked.append("once")
        return "192.0.2.1"

    found = Parameters((("a", "b"),), asker)
    assert asked == []
    assert found.joined("a", "c").asker() == found.asker() == "192.0.2.1"
    assert Parameters(()).asker() == ""
