"""Initial access tokens: sealed, and what was put in comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core import tickets
from broker.core.handles import NOBODY, Handle, Handles, Kind
from broker.core.tickets import Ticket
from tests.core.helpers import NOW, OTHER_SECRET, SECRET

HANDLES = Handles([SECRET])
ONE = Ticket("ab" * 16, int(NOW), 7)


@given(
    st.builds(
        Ticket,
        st.binary(min_size=16, max_size=16).map(bytes.hex),
        st.integers(0, 2**40 - 1),
        st.integers(0, tickets.MOST_USES),
        st.booleans(),
    )
)
def test_round_trip(ticket: Ticket) -> None:
    """The moment, the number and the waiver do not touch one another."""
    assert tickets.read(HANDLES, tickets.make(HANDLES, ticket)) == ticket


def test_nothing_else_is_a_ticket() -> None:
    """Not a handle of another kind, nor one of another broker, nor an altered one."""
    text = tickets.make(HANDLES, ONE)
    assert tickets.read(Handles([OTHER_SECRET]), text) is None
    assert tickets.read(HANDLES, text[:-2] + ("AA" if text[-2:] != "AA" else "BB")) is None
    for kind in set(Kind) - {Kind.REGISTRATION}:
        assert tickets.read(HANDLES, HANDLES.make(kind, Handle(NOBODY, "ab" * 16, 1))) is None


@pytest.mark.parametrize("uses", [-1, tickets.MOST_USES + 1])
def test_a_number_of_uses_that_does_not_fit(uses: int) -> None:
    """It is refused, not cut off."""
    with pytest.raises(ValueError, match="uses"):
        tickets.make(HANDLES, Ticket("ab" * 16, int(NOW), uses))
