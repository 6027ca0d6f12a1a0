"""What a serving process does about garbage."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from broker.app import asgi

SIGN_INS = 2_000


class Client:
    """Refers to itself, as the client of an upstream does that every sign-in has of its own."""

    def __init__(self) -> None:
        self.auth = {"client": self}


@pytest.fixture
def older() -> Iterator[list[str]]:
    """Something from before the collector was set as in a process that serves."""
    before = gc.get_threshold()
    something = ["a module, say"]
    asgi._settle()
    yield something
    gc.set_threshold(*before)


@pytest.mark.usefixtures("older")
def test_what_sign_ins_leave_behind_does_not_gather() -> None:
    """Only the collector frees it; called too rarely, it costs every process some megabytes."""
    left = [weakref.ref(Client()) for _ in range(SIGN_INS)]
    assert sum(one() is not None for one in left) < SIGN_INS / 2


def test_the_collector_passes_over_what_was_there_before(older: list[str]) -> None:
    """Modules are looked through before the first request, and not again during any."""
    newer = ["made for a request"]
    seen = {id(one) for one in gc.get_objects()}
    assert id(newer) in seen
    assert id(older) not in seen
