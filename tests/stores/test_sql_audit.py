"""The audit log: events that happen together are written together, and none takes others along."""

import asyncio

import pytest

from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.stores.sql.facade import SqlStores
from tests.pace import until
from tests.stores.sql_fixtures import NOW, another, clock, migrated_url, stores
from tests.stores.test_sql_clients import Statements

__all__ = ["another", "clock", "migrated_url", "stores"]

MANY = 300


def _event(number: int, kind: str = "token.exchanged") -> AuditEvent:
    return AuditEvent(kind, NOW + number, "client", None, "app", {"number": number})


async def _kept(stores: SqlStores) -> list[object]:
    return sorted([entry.event.detail["number"] async for entry in stores.audit.each()])


async def test_events_that_happen_together_are_written_together(stores: SqlStores) -> None:
    """In a few transactions, however many there are; each is kept when its caller goes on."""
    seen = Statements(stores)
    await asyncio.gather(*(stores.audit.record(_event(number)) for number in range(MANY)))
    assert len([text for text in seen.texts if text.startswith("INSERT")]) <= 1 + MANY // 100
    assert await _kept(stores) == list(range(MANY))


async def test_one_that_cannot_be_kept_takes_no_other_with_it(stores: SqlStores) -> None:
    """Each of the others is; the one that cannot says so to its own caller."""
    bad = AuditEvent("bad", NOW, "client", detail={"number": {1, 2}})  # no JSON
    events = [_event(0), bad, _event(1), _event(2)]
    found = await asyncio.gather(
        *(stores.audit.record(event) for event in events), return_exceptions=True
    )
    assert [isinstance(one, Exception) for one in found] == [False, True, False, False]
    assert await _kept(stores) == [0, 1, 2]


async def test_nobody_waits_twice_for_sql_that_does_not_answer(
    stores: SqlStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came while others were waiting is refused with them; the next one is kept."""
    tries, over = 0, asyncio.Event()

    async def out_of_reach(work: object) -> None:
        nonlocal tries
        tries += 1
        await over.wait()
        raise StoreUnavailable(private="gone")

    with monkeypatch.context() as patched:
        patched.setattr(stores.audit._units, "write", out_of_reach)
        first = asyncio.create_task(stores.audit.record(_event(0)))
        await until(lambda: tries)
        second = asyncio.create_task(stores.audit.record(_event(1)))
        asyncio.get_running_loop().call_later(0.05, over.set)
        found = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(one) for one in found] == [StoreUnavailable] * 2
    assert found[0] is not found[1]
    assert tries == 1
    await stores.audit.record(_event(2))
    assert await _kept(stores) == [2]


async def test_what_nobody_waits_for_is_kept_too(stores: SqlStores) -> None:
    """Callers that went away leave their events; closing waits for them."""
    tasks = [asyncio.create_task(stores.audit.record(_event(number))) for number in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stores.audit.settle()
    assert await _kept(stores) == list(range(5))
