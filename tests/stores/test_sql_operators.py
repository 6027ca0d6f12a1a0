"""Operators: a printed code makes one passkey, and a passkey's count never goes back."""

import asyncio
from dataclasses import replace

import pytest

from broker.core.operators import Passkey, code_digest, new_code
from broker.stores.sql.errors import NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import ADA, BOB, NOW, Counted, another, clock, migrated_url, stores

__all__ = ["another", "clock", "migrated_url", "stores"]

CODE = "ABCDE-FGHJK-LMNPQ-RSTUV"


async def operator(stores: SqlStores, profile=ADA) -> Passkey:
    """Somebody who has a code; returns the passkey that is to be."""
    account_id, _ = await stores.accounts.sign_in(profile, now=NOW)
    await stores.operators.grant(account_id, CODE, until=NOW + 900, now=NOW)
    return Passkey(account_id.encode(), account_id, b"cose", 0, "Laptop", NOW + 1)


async def kinds(stores: SqlStores) -> list[str]:
    return [entry.event.kind for entry in await stores.audit.page()]


async def test_a_code_makes_one_passkey(stores: SqlStores) -> None:
    """However it is typed; a second time, and for two at once, it is void."""
    key = await operator(stores)
    typed = " abcde fghjk-lmnpq rstuv "
    twice = [replace(key, credential_id=bytes((n,))) for n in range(2)]
    done = await asyncio.gather(*(stores.operators.enrol(one, typed, now=NOW + 1) for one in twice))
    assert sorted(done) == [False, True]
    assert not await stores.operators.enrol(key, CODE, now=NOW + 1)
    found = await stores.operators.get(key.account_id)
    assert found is not None
    assert [one.name for one in found.passkeys] == ["Laptop"]
    assert (found.since, found.code_until) == (NOW, None)
    assert (await kinds(stores)).count("operator.enrolled") == 1


async def test_a_code_is_for_its_account_and_its_time(stores: SqlStores) -> None:
    """Another's, a wrong, a late one and one that was replaced make nothing."""
    key = await operator(stores)
    other, _ = await stores.accounts.sign_in(BOB, now=NOW)
    assert not await stores.operators.enrol(replace(key, account_id=other), CODE, now=NOW)
    assert not await stores.operators.enrol(key, CODE[:-1] + "W", now=NOW)
    assert not await stores.operators.enrol(key, "", now=NOW)
    assert not await stores.operators.enrol(key, CODE, now=NOW + 900)
    await stores.operators.grant(key.account_id, "ANOTHER", until=NOW + 900, now=NOW + 1)
    assert not await stores.operators.enrol(key, CODE, now=NOW + 2)
    assert await stores.operators.enrol(key, "another", now=NOW + 2)


async def test_counts_never_go_back(stores: SqlStores) -> None:
    """The same count twice tells of a copy; those who never count say 0 each time."""
    key = await operator(stores)
    assert await stores.operators.enrol(key, CODE, now=NOW + 1)
    assert await stores.operators.used(key, 0, now=NOW + 2)
    assert await stores.operators.used(key, 0, now=NOW + 3)
    assert await stores.operators.used(key, 7, now=NOW + 4)
    for count in (7, 6, 0):
        assert not await stores.operators.used(key, count, now=NOW + 5)
    found = await stores.operators.get(key.account_id)
    assert found is not None
    assert (found.passkeys[0].sign_count, found.passkeys[0].last_used_at) == (7, NOW + 4)
    assert not await stores.operators.used(replace(key, account_id="0" * 32), 9, now=NOW + 6)


async def test_the_role_goes_with_its_passkeys(stores: SqlStores) -> None:
    """Granted anew nobody gets in with an old passkey."""
    key = await operator(stores)
    assert await stores.operators.enrol(key, CODE, now=NOW + 1)
    await stores.operators.revoke(key.account_id, now=NOW + 2)
    assert await stores.operators.get(key.account_id) is None
    assert await stores.operators.list() == ()
    with pytest.raises(NotFound):
        await stores.operators.revoke(key.account_id, now=NOW + 3)
    await stores.operators.grant(key.account_id, CODE, until=NOW + 900, now=NOW + 4)
    (found,) = await stores.operators.list()
    assert (found.passkeys, found.since) == ((), NOW + 4)
    assert not await stores.operators.used(key, 1, now=NOW + 5)
    with pytest.raises(NotFound):
        await stores.operators.grant("0" * 32, CODE, until=NOW, now=NOW)


def test_codes_are_long_and_only_their_digest_is_kept() -> None:
    """Four groups of five letters that nobody mixes up; how they are typed does not matter."""
    entropy = Counted()
    code, other = new_code(entropy), new_code(entropy)
    assert code != other
    assert [len(group) for group in code.split("-")] == [5, 5, 5, 5]
    assert not set(code) & set("01OI")
    assert code_digest(code) == code_digest(code.lower().replace("-", " "))
    assert code_digest(code) != code_digest(other)
