"""Maintenance: makes the keys that are due, erases what is no longer needed.

Any process may do it at any moment, as often as it likes. Each pass is one transaction; of
several that run at once one succeeds, and the others find nothing left to do.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from keys.due import Due, Slot, due_for
from keys.errors import KeyConflict, VaultUnavailable
from keys.model import RS256, Change, Delete, Insert, KeyRecord, Replace
from keys.policy import Policy
from keys.stores import KeyStore
from keys.vault import NewKey, Vault

ATTEMPTS: Final = 16
"""How often an operation reads again after another process was first."""


async def ensure(
    store: KeyStore,
    vault: Vault,
    policy: Policy,
    now: float,
    *,
    algorithms: Sequence[str] = (RS256,),
) -> tuple[KeyRecord, ...]:
    """Do whatever is due, and return the keys as they are then.

    The very first call on an empty store makes a signing key and its successor.

    Args:
        store: Where the keys are.
        vault: Where private halves are made.
        policy: The times to keep.
        now: The moment, in epoch seconds.
        algorithms: The algorithms to look after.

    Raises:
        KeyStoreUnavailable: The store cannot be reached.
        VaultUnavailable: A key is to be made, and what makes keys does not answer.
        KeyRecordCorrupt: A key is to be made, and the ones there are cannot be opened: it would
            be sealed with a secret that the other processes may not have.
        KeyConflict: Other processes were first again and again.
    """
    for _ in range(ATTEMPTS):
        records = await store.all()
        todo = due_for(records, algorithms, now, policy)
        if not todo:
            return records
        try:
            await commit(store, vault, await realise(todo, records, vault))
        except KeyConflict:
            continue
        return await store.all()
    raise KeyConflict("other processes kept changing the keys")


async def realise(todo: Due, records: Sequence[KeyRecord], vault: Vault) -> tuple[Change, ...]:
    """Make the keys that are due, and return the changes that store them.

    Raises:
        KeyRecordCorrupt: A key is to be made, and the ones there are cannot be opened.
        VaultUnavailable: What makes keys does not answer.
    """
    if todo.slots:
        check_all(records, vault)
    made: list[KeyRecord] = []
    for slot in todo.slots:
        predecessor = made[-1].kid if slot.predecessor is None else slot.predecessor
        made.append(record_of(slot, predecessor, await vault.make(slot.alg)))
    return (*todo.changes, *(Insert(record) for record in made))


async def commit(store: KeyStore, vault: Vault, changes: Sequence[Change]) -> None:
    """Store the changes, then destroy the private halves that no record names any more.

    A crash in between leaves some behind; `Vault.sweep` finds them.

    Raises:
        KeyStoreUnavailable, KeyConflict: As for `KeyStore.apply`.
    """
    try:
        await store.apply(*changes)
    except KeyConflict:
        await _discard(vault, [change.record for change in changes if isinstance(change, Insert)])
        raise
    left: dict[str, bytes | None] = {}
    for change in changes:
        left[_after(change).kid] = None if isinstance(change, Delete) else change.record.sealed
    held = [change.expected for change in changes if not isinstance(change, Insert)]
    await _discard(vault, [record for record in held if record.sealed not in left.values()])


def _after(change: Change) -> KeyRecord:
    return change.expected if isinstance(change, Delete) else change.record


async def _discard(vault: Vault, records: Sequence[KeyRecord]) -> None:
    # What counts is done: the keys are stored. What cannot be destroyed now is swept up later.
    with contextlib.suppress(VaultUnavailable):
        await vault.discard([record for record in records if record.sealed is not None])


async def rewrap(store: KeyStore, vault: Vault) -> tuple[str, ...]:
    """Seal every private key with the first secret, and return the `kid` of those that were not.

    Raises:
        KeyStoreUnavailable: The store cannot be reached.
        KeyRecordCorrupt: A key cannot be opened; nothing was changed.
        KeyConflict: Other processes were first again and again.
    """
    for _ in range(ATTEMPTS):
        changes = [
            Replace(record, replace(record, sealed=vault.rewrapped(record)))
            for record in await store.all()
            if record.sealed is not None
        ]
        changes = [change for change in changes if change.record != change.expected]
        if not changes:
            return ()
        try:
            await store.apply(*changes)
        except KeyConflict:
            continue
        return tuple(change.record.kid for change in changes)
    raise KeyConflict("other processes kept changing the keys")


def check_all(records: Sequence[KeyRecord], vault: Vault) -> None:
    """Check that every private half is one this process' secrets open.

    Raises:
        KeyRecordCorrupt: One is not.
    """
    for record in records:
        if record.sealed is not None:
            vault.check(record)


def record_of(slot: Slot, predecessor: str, new: NewKey) -> KeyRecord:
    """Return the record of a new key in its place."""
    return KeyRecord(
        kid=new.kid,
        alg=slot.alg,
        public_jwk=new.public_jwk,
        sealed=new.sealed,
        predecessor=predecessor,
        created_at=slot.created_at,
        ready_at=slot.ready_at,
        signs_from=slot.signs_from,
    )
