"""Handles: only we can make them, and each opens as what it was made for."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.handles import LENGTH, NOBODY, Handle, Handles, Kind, derive
from tests.core.helpers import OTHER_SECRET, SECRET

ACCOUNT, ITEM = "a1" * 16, "b2" * 16
HANDLES = Handles([SECRET])
GOOD = HANDLES.make(Kind.REFRESH, Handle(ACCOUNT, ITEM, 7))

ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
generations = st.integers(min_value=0, max_value=2**64 - 1)


@given(st.sampled_from(Kind), ids, ids, generations)
def test_round_trip(kind: Kind, account: str, item: str, generation: int) -> None:
    """What was put in comes out, at one fixed length of URL-safe characters."""
    handle = Handle(account, item, generation)
    text = HANDLES.make(kind, handle)
    assert len(text) == LENGTH
    assert text.replace("-", "").replace("_", "").isalnum()
    assert HANDLES.open(kind, text) == handle


@given(st.sampled_from(Kind), st.sampled_from(Kind))
def test_a_handle_of_one_kind_never_passes_for_another(made: Kind, opened: Kind) -> None:
    """A code is no refresh token, a session cookie no request."""
    text = HANDLES.make(made, Handle(ACCOUNT, ITEM, 7))
    assert (HANDLES.open(opened, text) is not None) is (made is opened)


@given(st.text(max_size=200))
def test_garbage_is_refused(text: str) -> None:
    """Whatever text comes, it is refused without an error."""
    assert HANDLES.open(Kind.REFRESH, text) is None


@given(st.binary(min_size=61, max_size=61))
def test_bytes_of_the_right_size_are_refused(raw: bytes) -> None:
    """The right length and alphabet are no proof."""
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert HANDLES.open(Kind.REFRESH, text) is None


@given(st.integers(0, LENGTH - 1), st.sampled_from("ABCXYZabcxyz0189-_"))
def test_one_changed_character_is_refused(at: int, character: str) -> None:
    """There is one text for a handle: no bit of it can be changed, the padding bits included."""
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    assert (HANDLES.open(Kind.REFRESH, changed) is not None) is (changed == GOOD)


@pytest.mark.parametrize(
    "text",
    ["", GOOD[:-1], GOOD[1:], GOOD + "A", GOOD + "=", GOOD + "==", f" {GOOD}", f"{GOOD}\n",
     GOOD[:-1] + "é", GOOD.replace("-", "+").replace("_", "/")[:-1] + "+"],
)  # fmt: skip
def test_cut_and_padded_handles_are_refused(text: str) -> None:
    """Truncated, extended, padded or in another alphabet: not ours."""
    assert HANDLES.open(Kind.REFRESH, text) is None


def test_a_handle_of_another_secret_is_refused() -> None:
    """Knowing the code of this program makes no handle."""
    assert Handles([OTHER_SECRET]).open(Kind.REFRESH, GOOD) is None


def test_the_first_secret_makes_and_all_open() -> None:
    """While secrets change, handles of the old one work; a dropped one's do not."""
    both = Handles([OTHER_SECRET, SECRET])
    assert both.open(Kind.REFRESH, GOOD) == Handle(ACCOUNT, ITEM, 7)
    made = both.make(Kind.REFRESH, Handle(ACCOUNT, ITEM, 7))
    assert Handles([OTHER_SECRET]).open(Kind.REFRESH, made) is not None
    assert HANDLES.open(Kind.REFRESH, made) is None


def test_handles_are_deterministic_and_show_nothing() -> None:
    """The same handle has the same text, so a refresh token need not be stored; all is sealed."""
    assert HANDLES.make(Kind.REFRESH, Handle(ACCOUNT, ITEM, 7)) == GOOD
    raw = base64.urlsafe_b64decode(GOOD + "==")
    assert bytes.fromhex(ACCOUNT) not in raw
    assert bytes.fromhex(ITEM) not in raw


def test_what_an_earlier_release_has_made_opens() -> None:
    """The form and the derivation are for good: else an update would sign everybody out."""
    assert (
        GOOD == "AVAXYcOrbPH00RfVu9XuUk7Oo_3U51Pxtcn5kUp0DUXweBlA-IWuQk6avLFHOwnIQr1lBt5waBTl1DZcfA"
    )


def test_neighbouring_generations_have_nothing_in_common() -> None:
    """Knowing one refresh token tells nothing of the next."""
    following = HANDLES.make(Kind.REFRESH, Handle(ACCOUNT, ITEM, 8))
    assert following[7:] != GOOD[7:]
    assert sum(a == b for a, b in zip(following[7:], GOOD[7:], strict=True)) < 20


def test_there_is_no_default_secret() -> None:
    """Without a secret there are no handles."""
    with pytest.raises(ValueError, match="secret"):
        Handles([])


def test_each_purpose_has_its_own_key() -> None:
    """RFC 5869: keys of two labels, or of two secrets, have nothing in common."""
    assert len({derive(s, label, 32) for s in (SECRET, OTHER_SECRET) for label in "ab"}) == 4


def test_nobody_is_an_account_that_cannot_be() -> None:
    """Requests under way belong to nobody yet."""
    assert NOBODY == "0" * 32
