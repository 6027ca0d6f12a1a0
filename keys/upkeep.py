"""Maintenance: makes the keys that are due, erases what is no longer needed.

Any process may do it at any moment, as often as it likes. Each pass is one transaction; of
several that run at once one succeeds, and the others find nothing left to do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from keys.due import Due, Slot, due
from keys.errors import KeyConflict
from keys.making import FreshKey, KeyFactory, generate
from keys.model import RS256, Change, Insert, KeyRecord, Replace
from keys.policy import Policy
from keys.sealing import Sealer
from keys.stores import KeyStore

ALGORITHMS: Final = (RS256,)
ATTEMPTS: Final = 16
"""How often an operation reads again after another process was first."""


async def ensure(
    store: KeyStore,
    sealer: Sealer,
    policy: Policy,
    now: float,
    *,
    factory: KeyFactory = generate,
    algorithms: Sequence[str] = ALGORITHMS,
) -> tuple[KeyRecord, ...]:
    """Do whatever is due, and return the keys as they are then.

    The very first call on an empty store makes a signing key and its successor.

    Args:
        store: Where the keys are.
        sealer: Seals new private halves.
        policy: The times to keep.
        now: The moment, in epoch seconds.
        factory: Makes key pairs; called before the transaction begins.
        algorithms: The algorithms to look after.

    Raises:
        KeyStoreUnavailable: The store cannot be reached.
        KeyRecordCorrupt: A key is to be made, and the ones there are cannot be opened: it would
            be sealed with a secret that the other processes may not have.
        KeyConflict: Other processes were first again and again.
    """
    for alg in algorithms:
        await _settle(store, sealer, policy, now, factory=factory, alg=alg)
    return await store.all()


async def _settle(
    store: KeyStore, sealer: Sealer, policy: Policy, now: float, *, factory: KeyFactory, alg: str
) -> None:
    for _ in range(ATTEMPTS):
        records = await store.all()
        todo = due(records, alg, now, policy)
        if not todo:
            return
        try:
            await store.apply(*await realise(todo, records, sealer, factory))
        except KeyConflict:
            continue
        return
    raise KeyConflict("other processes kept changing the keys")


async def realise(
    todo: Due, records: Sequence[KeyRecord], sealer: Sealer, factory: KeyFactory
) -> tuple[Change, ...]:
    """Make the keys that are due, and return the changes that store them.

    Raises:
        KeyRecordCorrupt: A key is to be made, and the ones there are cannot be opened.
    """
    if todo.slots:
        _open_all(records, sealer)
    made: list[KeyRecord] = []
    for slot in todo.slots:
        predecessor = made[-1].kid if slot.predecessor is None else slot.predecessor
        made.append(_fill(slot, predecessor, await factory(), sealer))
    return (*todo.changes, *(Insert(record) for record in made))


async def rewrap(store: KeyStore, sealer: Sealer) -> tuple[str, ...]:
    """Seal every private key with the first secret, and return the `kid` of those that were not.

    Raises:
        KeyStoreUnavailable: The store cannot be reached.
        KeyRecordCorrupt: A key cannot be opened; nothing was changed.
        KeyConflict: Other processes were first again and again.
    """
    for _ in range(ATTEMPTS):
        changes = [
            Replace(record, replace(record, sealed=sealer.rewrap(record.kid, record.sealed)))
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


def _open_all(records: Sequence[KeyRecord], sealer: Sealer) -> None:
    for record in records:
        if record.sealed is not None:
            sealer.open(record.kid, record.sealed)


def _fill(slot: Slot, predecessor: str, fresh: FreshKey, sealer: Sealer) -> KeyRecord:
    return KeyRecord(
        kid=fresh.kid,
        alg=slot.alg,
        public_jwk=fresh.public_jwk,
        sealed=sealer.seal(fresh.kid, fresh.private),
        predecessor=predecessor,
        created_at=slot.created_at,
        ready_at=slot.ready_at,
        signs_from=slot.signs_from,
    )
