"""What is worked out once for a client: anew when it or an API was edited."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from broker.core.apis import Api
from broker.core.client import Client
from broker.core.errors import InvalidTarget
from broker.core.per_client import PerClient

CLIENT = Client("app", "App")
APIS: Mapping[str, Api] = {}


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, client: Client, apis: Mapping[str, Api]) -> str:
        self.done += 1
        return f"{client.name} {len(apis)}"


def test_what_was_worked_out_is_kept() -> None:
    """For the same client, the same APIs and the same of whatever else it depends on."""
    kept, work = PerClient[str](), Work()
    assert {kept.of(CLIENT, APIS, (), work) for _ in range(3)} == {"App 0"}
    assert work.done == 1
    kept.of(CLIENT, APIS, ("https://api.example",), work)
    kept.of(replace(CLIENT, client_id="other"), APIS, (), work)
    assert work.done == 3


def test_an_edit_counts_at_once() -> None:
    """An edited client is another object, and so are the APIs when one of them was edited."""
    kept, work = PerClient[str](), Work()
    kept.of(CLIENT, APIS, (), work)
    assert kept.of(replace(CLIENT, name="Edited"), APIS, (), work) == "Edited 0"
    assert kept.of(CLIENT, {"a": Api("a", "A")}, (), work) == "App 1"
    assert kept.of(CLIENT, APIS, (), work) == "App 0"


def test_a_refusal_is_not_kept() -> None:
    """It is worked out again, and raised again."""
    kept: PerClient[str] = PerClient()

    def refuse(*_: object) -> str:
        raise InvalidTarget

    for _ in range(2):
        with pytest.raises(InvalidTarget):
            kept.of(CLIENT, APIS, (), refuse)
    assert kept.of(CLIENT, APIS, (), Work()) == "App 0"


def test_a_bounded_number_is_kept() -> None:
    """However many clients there are, and however they order their resources."""
    kept, work = PerClient[str](size=2), Work()
    for number in range(3):
        kept.of(CLIENT, APIS, number, work)
    assert len(kept._kept) == 2
    kept.of(CLIENT, APIS, 0, work)
    assert work.done == 4
