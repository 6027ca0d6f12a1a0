"""APIs: edits are versioned and remembered, and every process follows the whole table."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from broker.core.apis import Api
from broker.core.errors import StoreUnavailable
from broker.stores.sql import engine
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import (
    APP,
    NOW,
    SECRETS,
    Counted,
    Hands,
    another,
    clock,
    migrated_url,
    stores,
)
from tests.stores.test_sql_clients import Statements

__all__ = ["another", "clock", "migrated_url", "stores"]

ORDERS = Api("https://orders.example", "Orders", "ES256", ("orders:read",), 120, ("orders-api",))
PLAIN = Api("plain", "Plain")


async def test_every_field_comes_back(stores: SqlStores) -> None:
    """A registration is read as it was written, whatever field is set."""
    same = [f.name for f in fields(Api) if getattr(ORDERS, f.name) == getattr(PLAIN, f.name)]
    assert same == []
    for api in (PLAIN, ORDERS):
        added = await stores.apis.add(api, now=NOW)
        assert (added.api, added.version, added.created_at, added.updated_at) == (api, 1, NOW, NOW)
        assert await stores.apis.get(api.identifier) == added
    assert [record.api for record in await stores.apis.list()] == [ORDERS, PLAIN]


async def test_an_identifier_is_registered_once(another: Callable[[], SqlStores]) -> None:
    """Of two operators who add it at once, the second is told."""
    adding = (each.apis.add(ORDERS, now=NOW) for each in (another(), another()))
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(a).__name__ for a in answers) == ["AlreadyExists", "ApiRecord"]
    with pytest.raises(AlreadyExists, match="registered already"):
        await another().apis.add(ORDERS, now=NOW)


async def test_edits_name_the_version_they_were_made_from(stores: SqlStores) -> None:
    """Of two operators who edit one API at once, the second is told; each edit is remembered."""
    added = await stores.apis.add(ORDERS, now=NOW)
    wanted = replace(ORDERS, access_token_signed_response_alg="PS256")
    edited = await stores.apis.edit(wanted, version=added.version, now=NOW + 1)
    assert (edited.api, edited.version, edited.updated_at) == (wanted, 2, NOW + 1)
    with pytest.raises(EditConflict):
        await stores.apis.edit(ORDERS, version=added.version, now=NOW + 2)
    assert await stores.apis.edit(wanted, version=2, now=NOW + 3) == edited
    (entry,) = await stores.audit.page(AuditFilter(kind="api.edited"))
    fields_changed = ["access_token_signed_response_alg"]
    assert entry.event.detail == {"api": ORDERS.identifier, "fields": fields_changed}


async def test_a_removed_api_is_gone(stores: SqlStores) -> None:
    """And may be registered again; who did what is remembered."""
    await stores.apis.add(ORDERS, now=NOW)
    removed = await stores.apis.remove(ORDERS.identifier, now=NOW + 1)
    assert removed.api == ORDERS
    assert await stores.apis.get(ORDERS.identifier) is None
    for call in (
        stores.apis.remove(ORDERS.identifier, now=NOW),
        stores.apis.edit(ORDERS, version=1, now=NOW),
    ):
        with pytest.raises(NotFound):
            await call
    await stores.apis.add(ORDERS, now=NOW + 2)
    kinds = [entry.event.kind for entry in await stores.audit.page(AuditFilter(kind="api."))]
    assert kinds == ["api.added", "api.removed", "api.added"]


async def test_a_long_identifier(stores: SqlStores) -> None:
    """As long as an address may be, in the index of either database."""
    api = Api("https://long.example/" + "0123456789abcdef" * 123, "Long")
    await stores.apis.add(api, now=NOW)
    assert (await stores.followed_apis.registered())[api.identifier] == api


async def test_a_reading_that_tells_nothing_new_changes_nothing(stores: SqlStores) -> None:
    """What was worked out for the records stays good: they are the same objects until an edit."""
    followed = stores.followed_apis
    await stores.apis.add(ORDERS, now=NOW)
    first = await followed.registered()
    await followed.read()
    assert await followed.registered() is first
    await stores.apis.remove(ORDERS.identifier, now=NOW)
    await followed.read()
    assert await followed.registered() == {}


async def test_they_are_read_once(stores: SqlStores, clock: Hands) -> None:
    """Callers at the same time share a reading; while something follows, none asks again."""
    await stores.apis.add(ORDERS, now=NOW)
    seen = Statements(stores)
    found = await asyncio.gather(*(stores.followed_apis.registered() for _ in range(20)))
    assert found == [{ORDERS.identifier: ORDERS}] * 20
    assert len(seen.texts) == 1
    stop = asyncio.Event()
    task = asyncio.create_task(stores.followed_apis.follow(stop))
    while len(seen.texts) < 3:
        await asyncio.sleep(0.01)
    clock.at += 1000
    before = len(seen.texts)
    for _ in range(100):
        assert await stores.followed_apis.registered()
    assert len(seen.texts) == before
    stop.set()
    await task


async def test_edits_of_other_processes_are_followed(
    another: Callable[[], SqlStores], clock: Hands
) -> None:
    """Within an interval, a removal included."""
    one, two = another(), another()
    stop = asyncio.Event()
    task = asyncio.create_task(one.followed_apis.follow(stop))

    async def until(wanted: dict[str, Api]) -> None:
        async with asyncio.timeout(10):
            while await one.followed_apis.registered() != wanted:
                await asyncio.sleep(0.01)

    await two.apis.add(ORDERS, now=NOW)
    await until({ORDERS.identifier: ORDERS})
    changed = replace(ORDERS, access_token_signed_response_alg="EdDSA")
    await two.apis.edit(changed, version=1, now=NOW)
    await until({ORDERS.identifier: changed})
    await two.apis.remove(ORDERS.identifier, now=NOW)
    await until({})
    stop.set()
    await task


@pytest.mark.parametrize(
    "names", [{"resources": (ORDERS.identifier,)}, {"audience": ORDERS.identifier}], ids=list
)
async def test_a_client_is_not_known_before_its_api(
    another: Callable[[], SqlStores], clock: Hands, names: dict[str, Any]
) -> None:
    """Else its tokens would be signed as for an API that nobody registered, for an interval."""
    one, two = another(), another()
    assert await one.followed_apis.registered() == {}
    await two.apis.add(ORDERS, now=NOW)
    await two.clients.add(replace(APP, **names), now=NOW)
    assert await one.followed_clients.find(APP.client_id) is not None
    assert await one.followed_apis.registered() == {ORDERS.identifier: ORDERS}


async def test_without_a_follower_a_reading_counts_for_an_interval(
    stores: SqlStores, clock: Hands
) -> None:
    """So that a command sees what it has just done."""
    assert await stores.followed_apis.registered() == {}
    await stores.apis.add(ORDERS, now=NOW)
    assert await stores.followed_apis.registered() == {}
    clock.at += 0.1
    assert await stores.followed_apis.registered() == {ORDERS.identifier: ORDERS}


async def test_apis_never_read_are_not_taken_for_none(tmp_path: Path, clock: Hands) -> None:
    """A token signed otherwise than its API wants would be refused there: 503 is better."""
    away = SqlStores(engine.create(f"sqlite:///{tmp_path}/none/x.db"), Counted(), clock, SECRETS)
    with pytest.raises(StoreUnavailable):
        await away.followed_apis.registered()
    await away.close()
