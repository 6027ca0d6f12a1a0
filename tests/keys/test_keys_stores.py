"""The store contract, over every store there is."""

import asyncio
import threading
from dataclasses import fields, replace
from typing import get_type_hints

import pytest
from keys_helpers import POLICY, START, KeyDrawer, MemoryKeyStore, entropy, vault
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from keys.errors import KeyConflict, KeyRecordCorrupt, KeyStoreUnavailable
from keys.model import Delete, Insert, KeyRecord, Replace
from keys.rotation import Rotation
from keys.stores.directory import DirectoryKeyStore
from keys.stores.sql import SigningKeyRow, SqlKeyStore
from keys.upkeep import ensure


def record(name: str, predecessor: str, **changes) -> KeyRecord:
    base = KeyRecord(
        kid=name,
        alg="RS256",
        public_jwk={"kty": "RSA", "n": name, "e": "AQAB"},
        sealed=b"\x00sealed\xff",
        predecessor=predecessor,
        created_at=START + 1 / 3,
        ready_at=START + 2 / 3,
        signs_from=START + 1e-6,
    )
    return replace(base, **changes)


def optional() -> dict[str, object]:
    """Return a value for every attribute that a key may lack, whichever there come to be."""
    hints = get_type_hints(KeyRecord)
    names = [field.name for field in fields(KeyRecord) if field.default is None]
    return {name: START + 0.1 if hints[name] == float | None else "lost ✗" for name in names}


async def _create(engine, *, fresh: bool = False) -> None:
    async with engine.begin() as connection:
        table = SigningKeyRow.__table__
        if fresh:
            await connection.run_sync(lambda c: table.drop(c, checkfirst=True))
        await connection.run_sync(table.create)


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "directory",
    ]
)
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryKeyStore()
        return
    if request.param == "directory":
        yield DirectoryKeyStore(request.getfixturevalue("place"), entropy)
        return
    if request.param == "sqlite":
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/keys.db")
    else:
        engine = create_async_engine(_asyncpg(request.getfixturevalue("postgresql_url")))
    await _create(engine, fresh=True)
    yield SqlKeyStore(engine)
    await engine.dispose()


def _asyncpg(url: str) -> str:
    return "postgresql+asyncpg://" + url.split("://", 1)[1]


async def test_what_is_stored_comes_back_exactly(store):
    """Every attribute survives, times to the last bit, NULLs included."""
    first = record("a", "genesis:RS256")
    second = record("b", "a", sealed=None, created_at=START + 1, **optional())
    await store.apply(Insert(first), Insert(second))
    assert await store.all() == (first, second)


async def test_the_oldest_key_comes_first(store):
    """Keys are in the order of their times, not in that of their making."""
    late, early = record("a", "genesis:RS256"), record("b", "a", created_at=START)
    await store.apply(Insert(late))
    await store.apply(Insert(early))
    assert await store.all() == (early, late)


async def test_an_empty_store_has_no_keys(store):
    """A first start is told from a damaged store by an empty answer, not by an error."""
    assert await store.all() == ()


@pytest.mark.parametrize(
    "second", [record("b", "genesis:RS256"), record("a", "a")], ids=["predecessor", "kid"]
)
async def test_a_taken_place_conflicts(store, second):
    """Two keys never follow the same one, and no `kid` is there twice."""
    first = record("a", "genesis:RS256")
    await store.apply(Insert(first))
    with pytest.raises(KeyConflict):
        await store.apply(Insert(second))
    assert await store.all() == (first,)


@pytest.mark.parametrize(
    "change",
    [
        {"signs_from": START + 9},
        {"ready_at": START + 9},
        {"sealed": None},
        {"sealed": b"other"},
        *({name: value} for name, value in optional().items()),
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_change_compares_everything_that_can_change(store, change):
    """An update or deletion on an outdated reading conflicts, whichever column has changed."""
    first = record("a", "genesis:RS256")
    await store.apply(Insert(first))
    await store.apply(Replace(first, replace(first, **change)))
    with pytest.raises(KeyConflict):
        await store.apply(Replace(first, replace(first, signs_from=1.0)))
    with pytest.raises(KeyConflict):
        await store.apply(Delete(first))
    assert await store.all() == (replace(first, **change),)


async def test_one_conflict_undoes_the_whole_transaction(store):
    """Changes are made all together or not at all."""
    first = record("a", "genesis:RS256")
    await store.apply(Insert(first))
    with pytest.raises(KeyConflict):
        await store.apply(
            Replace(first, replace(first, sealed=None)),
            Insert(record("b", "a")),
            Delete(record("c", "b")),
        )
    assert await store.all() == (first,)


async def test_a_key_can_be_changed_twice_in_one_transaction(store):
    """Changes of one transaction see each other, in order."""
    first = record("a", "genesis:RS256")
    await store.apply(Insert(first))
    moved = replace(first, signs_from=START + 5)
    await store.apply(Replace(first, moved), Replace(moved, replace(moved, sealed=None)))
    assert (await store.all())[0] == replace(moved, sealed=None)


async def test_deleted_keys_are_gone(store):
    """A pruned row leaves nothing behind."""
    first = record("a", "genesis:RS256")
    await store.apply(Insert(first))
    await store.apply(Delete(first))
    assert await store.all() == ()


async def test_a_place_becomes_free_with_its_key(store):
    """A key can be put in the place of another in one transaction."""
    first, second = record("a", "genesis:RS256"), record("b", "genesis:RS256")
    await store.apply(Insert(first))
    await store.apply(Delete(first), Insert(second))
    assert await store.all() == (second,)


async def test_of_writers_that_race_for_a_place_one_wins(store):
    """Twelve writers follow the same key: one of them does, eleven read that they lost."""
    await store.apply(Insert(record("a", "genesis:RS256")))
    made = await asyncio.gather(
        *(store.apply(Insert(record(f"b{n}", "a"))) for n in range(12)), return_exceptions=True
    )
    assert made.count(None) == 1
    assert [type(outcome) for outcome in made].count(KeyConflict) == 11
    assert [r.kid for r in await store.all() if r.predecessor == "a"] == [f"b{made.index(None)}"]


async def test_writers_that_do_not_meet_lose_nothing(store):
    """Twelve writers change different keys at once: every change is there afterwards."""
    keys = [record(f"{n:02d}", f"import:{n}", created_at=START + n) for n in range(12)]
    await store.apply(*map(Insert, keys))
    await asyncio.gather(*(store.apply(Replace(k, replace(k, sealed=None))) for k in keys))
    assert await store.all() == tuple(replace(k, sealed=None) for k in keys)


async def test_first_starts_that_race_make_one_pair(store):
    """Twelve processes that start at once on an empty store end with one signing key, one next."""
    factory = KeyDrawer()
    seen = await asyncio.gather(
        *(ensure(store, vault(factory=factory), POLICY, START) for _ in range(12))
    )
    assert len(await store.all()) == 2
    assert {tuple(r.kid for r in records) for records in seen} == {
        tuple(r.kid for r in await store.all())
    }


async def test_rotations_that_race_make_one_key(store):
    """Six operators rotate at once: one change-over, one new key, and nobody gets an error."""
    factory = KeyDrawer()
    before = await ensure(store, vault(factory=factory), POLICY, START)
    tool = Rotation(store, vault(factory=factory), POLICY)
    outcomes = await asyncio.gather(*(tool.rotate_now(START + 10) for _ in range(6)))
    after = await store.all()
    assert len(after) == 3
    assert [outcome.changed for outcome in outcomes].count(True) == 1
    assert {outcome.signing for outcome in outcomes} == {before[1].kid}


async def test_revocations_that_race_make_one_key(store):
    """Six operators revoke the signing key at once: one revocation, one new successor."""
    factory = KeyDrawer()
    before = await ensure(store, vault(factory=factory), POLICY, START)
    tool = Rotation(store, vault(factory=factory), POLICY)
    outcomes = await asyncio.gather(
        *(tool.revoke(before[0].kid, f"operator {n}", START + 10) for n in range(6))
    )
    assert len(await store.all()) == 3
    assert [outcome.changed for outcome in outcomes].count(True) == 1


async def test_engines_of_several_processes_make_one_pair(tmp_path):
    """The same race with an engine each, as separate processes have, over one SQLite file."""
    engines = [create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/keys.db") for _ in range(6)]
    await _create(engines[0])
    factory = KeyDrawer()
    await asyncio.gather(
        *(ensure(SqlKeyStore(e), vault(factory=factory), POLICY, START) for e in engines)
    )
    records = await SqlKeyStore(engines[0]).all()
    assert [r.predecessor for r in records] == ["genesis:RS256", records[0].kid]
    for engine in engines:
        await engine.dispose()


@pytest.mark.parametrize("public", ["no JSON", "[]", "7"])
async def test_a_row_that_is_no_key_is_named(tmp_path, public):
    """It is damage, and says so; never a store out of reach, which would pass by itself."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/keys.db")
    await _create(engine)
    await SqlKeyStore(engine).apply(Insert(record("a", "genesis:RS256")))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE signing_key SET public_jwk = :p"), {"p": public})
    with pytest.raises(KeyRecordCorrupt):
        await SqlKeyStore(engine).all()
    await engine.dispose()


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:////nowhere/at/all/keys.db", "postgresql+asyncpg://127.0.0.1:1/x"]
)
async def test_a_database_out_of_reach_is_named(url):
    """No error of SQLAlchemy or a driver leaves the store."""
    before = set(threading.enumerate())
    engine = create_async_engine(url)
    with pytest.raises(KeyStoreUnavailable):
        await SqlKeyStore(engine).all()
    with pytest.raises(KeyStoreUnavailable):
        await SqlKeyStore(engine).apply(Insert(record("a", "genesis:RS256")))
    await engine.dispose()
    await _workers_ended(before)


async def _workers_ended(before: set[threading.Thread]) -> None:
    """Wait for the threads of connections that never opened: aiosqlite stops them by itself."""
    for thread in set(threading.enumerate()) - before:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


async def test_a_missing_table_is_named(tmp_path):
    """A database without the table counts as a store that cannot be used."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    with pytest.raises(KeyStoreUnavailable):
        await SqlKeyStore(engine).all()
    await engine.dispose()
