"""The outbox and the audit log: nothing committed is lost, whoever dies."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from broker.core.model import AuditEvent
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.drain import drain, drain_once
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import OutboxItem
from tests.stores.sql_fixtures import ADA, NOW, Hands, another, clock, migrated_url, stores

__all__ = ["another", "clock", "migrated_url", "stores"]


async def _fill(stores: SqlStores, times: int) -> str:
    account_id, _ = await stores.accounts.sign_in(ADA, now=NOW)
    for _ in range(times):
        await stores.accounts.sign_out(account_id, NOW)
    return account_id


async def test_an_item_is_held_by_one_taker(another: Callable[[], SqlStores]) -> None:
    """Takers at the same time get different items, and together all of them."""
    takers = [another(), another(), another()]
    await _fill(takers[0], 12)
    taken = await asyncio.gather(*(t.outbox.claim(5, NOW) for t in takers for _ in range(2)))
    numbers = [item.number for items in taken for item in items]
    later = await takers[0].outbox.claim(12, NOW)
    numbers += [item.number for item in later]
    assert len(numbers) == len(set(numbers)) == 12


async def test_what_a_dead_taker_held_comes_back(another: Callable[[], SqlStores]) -> None:
    """A crash between the commit and Redis is made good by another process."""
    dying, living = another(), another()
    await _fill(dying, 1)
    (lost,) = await dying.outbox.claim(10, NOW)
    assert await living.outbox.claim(10, NOW + 29) == ()
    (found,) = await living.outbox.claim(10, NOW + 31)
    assert (found.number, found.attempts) == (lost.number, 2)
    await living.outbox.done(found.number, NOW + 31)
    assert await living.outbox.claim(10, NOW + 999) == ()
    assert await living.outbox.waiting() == ()


async def test_a_failed_item_is_tried_again_later(stores: SqlStores, clock: Hands) -> None:
    """Each failure waits longer; the log of it stays with the item until it succeeds."""
    await _fill(stores, 1)
    seen: list[float] = []

    async def failing(_item: OutboxItem) -> None:
        seen.append(clock.now() - NOW)
        raise ConnectionError("Redis is away")

    for _ in range(100):
        await drain_once(stores.outbox, failing, clock=clock)
        clock.at += 0.5
    assert seen == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    assert len(await stores.outbox.waiting()) == 1


async def test_one_bad_item_holds_no_other_up(stores: SqlStores, clock: Hands) -> None:
    """The item that fails is put aside and the next is carried on."""
    await _fill(stores, 3)
    first, *others = await stores.outbox.waiting()
    carried: list[int] = []

    async def handler(item: OutboxItem) -> None:
        if item.number == first.number:
            raise ValueError("bad")
        carried.append(item.number)

    await drain_once(stores.outbox, handler, clock=clock)
    assert carried == [item.number for item in others]


async def test_two_drains_carry_everything(another: Callable[[], SqlStores], clock: Hands) -> None:
    """Both together handle each item, though one of them is cut off in the middle."""
    one, two = another(), another()
    await _fill(one, 20)
    wanted = {item.number for item in await one.outbox.waiting()}
    finished: Counter[int] = Counter()
    begun = asyncio.Event()

    async def stuck(_item: OutboxItem) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def handler(item: OutboxItem) -> None:
        finished[item.number] += 1

    stop = asyncio.Event()
    cut_off = asyncio.create_task(drain(one.outbox, stuck, stop, clock=clock, interval=0.01))
    await begun.wait()
    other = asyncio.create_task(drain(two.outbox, handler, stop, clock=clock, interval=0.01))
    cut_off.cancel()
    async with asyncio.timeout(10):
        while await two.outbox.waiting():
            clock.at += 5
            await asyncio.sleep(0.02)
    stop.set()
    await other
    assert set(finished) == wanted


async def test_a_drain_stops_between_items_and_gives_back(stores: SqlStores, clock: Hands) -> None:
    """Shutting down waits for one item at the most; the rest is free for others at once."""
    await _fill(stores, 3)
    stop = asyncio.Event()

    async def handler(_item: OutboxItem) -> None:
        stop.set()

    await asyncio.wait_for(drain(stores.outbox, handler, stop, clock=clock), 2)
    assert len(await stores.outbox.claim(10, clock.now())) == 2


async def test_finished_items_are_pruned_and_numbers_not_used_again(stores: SqlStores) -> None:
    """Only what is done goes; a slow taker's number never names a newer item."""
    account_id = await _fill(stores, 2)
    first, second = await stores.outbox.waiting()
    await stores.outbox.done(second.number, NOW + 1)
    assert await stores.outbox.prune(NOW + 1) == 0
    assert await stores.outbox.prune(NOW + 2) == 1
    await stores.accounts.sign_out(account_id, NOW)
    left = [item.number for item in await stores.outbox.waiting()]
    assert left[0] == first.number
    assert left[1] > second.number


async def test_the_audit_log_is_read_in_pages_and_filtered(stores: SqlStores) -> None:
    """Newest first, without gaps, by account, client, kind and time."""
    for n in range(6):
        kind = "grant.reused" if n % 2 else "session.ended"
        detail = {"n": n, "device": "a\0b"}
        await stores.audit.record(AuditEvent(kind, NOW + n, "client", f"a{n % 3}", "app", detail))
    read: list[int] = []
    before = None
    while part := await stores.audit.page(limit=4, before=before):
        read += [entry.event.detail["n"] for entry in part]
        before = part[-1].number
    assert read == [5, 4, 3, 2, 1, 0]

    async def numbers(**wanted: object) -> list[int]:
        return [e.event.detail["n"] for e in await stores.audit.page(AuditFilter(**wanted))]

    assert await numbers(account_id="a1") == [4, 1]
    assert await numbers(client_id="app", kind="grant.") == [5, 3, 1]
    assert await numbers(kind="grant.reused", since=NOW + 3) == [5, 3]
    assert await numbers(kind="grant") == []
    assert await numbers(until=NOW + 2) == [1, 0]


async def test_old_events_are_pruned(stores: SqlStores, monkeypatch: pytest.MonkeyPatch) -> None:
    """By age, in batches, to the last one."""
    monkeypatch.setattr("broker.stores.sql.audit.BATCH", 2)
    for n in range(7):
        await stores.audit.record(AuditEvent("x.y", NOW + n, "system"))
    assert await stores.audit.prune(NOW + 5) == 5
    assert [entry.event.at for entry in await stores.audit.page()] == [NOW + 6, NOW + 5]
