"""JSON as the standard library writes it, whatever writes it here."""

import json
from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.jsontext import encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)  # fmt: skip


class Word(StrEnum):
    """A word of ours."""

    ONE = "one"


@given(VALUES)
def test_it_reads_back(value: object):
    """What was written is read as the same, integers of any length too, without a blank."""
    written = encode(value)
    assert json.loads(written) == value


def test_what_the_fast_way_refuses_is_written_all_the_same():
    """Long integers, deep nesting, enums as names of members."""
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    assert json.loads(encode(deep)) == deep
    assert encode({Word.ONE: 10**40, "한": Word.ONE}) == '{"one":1%s,"한":"one"}'.encode() % (
        b"0" * 40
    )


@dataclass
class Record:
    """A record, which is no JSON."""

    secret: str


@pytest.mark.parametrize("value", [Record("s3cret"), {"a": Record("s3cret")}, {1j: 1}, b"bytes"])
def test_what_is_no_json_is_refused(value: object):
    """Nothing of a record gets out by mistake."""
    with pytest.raises(TypeError):
        encode(value)


def test_half_of_a_pair_is_refused():
    """No UTF-8 has a word for it."""
    with pytest.raises(ValueError, match="surrogates"):
        encode({"a": "\ud800"})
