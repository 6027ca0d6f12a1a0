"""Keys made elsewhere: to sign here next, or to be verified with for a while.

Like the operations of `keys.rotation`, each is one compare-and-set transaction.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from keys import policy as rules
from keys.due import tail
from keys.errors import ImportRefused, KeyConflict, NoSigningKey
from keys.making import FreshKey, public_key
from keys.model import Change, Insert, KeyRecord, Replace, genesis, outsider
from keys.outcome import Outcome, describe, span
from keys.policy import Policy
from keys.rotation import Rotation
from keys.upkeep import ATTEMPTS, commit, ensure
from keys.vault import NewKey


async def adopt(tool: Rotation, alg: str, fresh: FreshKey, now: float) -> Outcome:
    """Make a key pair made elsewhere the next to sign.

    It is published at once, and signs at the planned change-over, or once every cache knows it,
    whichever is later. The keys that wait already stay published and sign after it.

    Args:
        tool: The operator's tool.
        alg: The algorithm it is to sign with; one that is on.
        fresh: The key pair.
        now: The moment, in epoch seconds.

    Raises:
        ImportRefused: The algorithm is off, the key is there already or was revoked, or the
            vault takes none.
        NoSigningKey: Nothing signs with the algorithm now; one more key would prolong that.
        KeyStoreUnavailable, KeyRecordCorrupt, KeyConflict: As for `keys.upkeep.ensure`.
    """
    if alg not in tool.algorithms:
        raise ImportRefused(f"{alg} is switched off, so nothing would sign with the key")
    for _ in range(ATTEMPTS):
        records = await _settled(tool, now)
        _refuse_known(fresh.kid, records)
        if rules.current(records, alg, now) is None:
            waits = rules.successor(records, alg, now)
            raise NoSigningKey(None if waits is None else waits.signs_from)
        new = await tool.vault.adopt(alg, fresh)
        changes = _queued(new, alg, records, now, tool.policy)
        try:
            await commit(tool.store, tool.vault, changes)
        except KeyConflict:
            continue
        return await _report_next(tool, alg, fresh.kid, now)
    raise KeyConflict("other processes kept changing the keys")


def _queued(
    new: NewKey, alg: str, records: tuple[KeyRecord, ...], now: float, policy: Policy
) -> tuple[Change, ...]:
    """Put a key before those that wait; each of them signs a period after the one before."""
    heirs = rules.waiting(records, alg, now)
    ready = now + policy.lead
    last = tail(records, alg)
    first = KeyRecord(
        kid=new.kid,
        alg=alg,
        public_jwk=new.public_jwk,
        sealed=new.sealed,
        predecessor=genesis(alg) if last is None else last.kid,
        created_at=now,
        ready_at=ready,
        signs_from=max(ready, *(heir.signs_from for heir in heirs[:1])) if heirs else ready,
    )
    queue = [first]
    for heir in heirs:
        queue.append(replace(heir, signs_from=queue[-1].signs_from + policy.period))
    moved = [Replace(old, later) for old, later in zip(heirs, queue[1:], strict=True)]
    return (*moved, Insert(first))


async def _report_next(tool: Rotation, alg: str, kid: str, now: float) -> Outcome:
    records = await tool.store.all()
    held = next(record for record in records if record.kid == kid)
    order = rules.waiting(records, alg, now)
    after = next((later.kid for one, later in pairwise(order) if one.kid == kid), None)
    follows = f" Key {after} waits on, and signs after it." if after else ""
    return describe(
        "import",
        held,
        records,
        now,
        tool.policy,
        changed=True,
        happened=f"Key {kid} was imported; it is the next to sign with {alg}.{follows}",
        verifiers=(
            f"Verifiers find key {kid} in the JWKS within {span(tool.policy.grace)}; "
            f"every cache knows it in {span(held.ready_at - now)}, before it signs."
        ),
    )


async def trust(
    tool: Rotation, alg: str, public_jwk: dict[str, Any], now: float, until: float
) -> Outcome:
    """Publish a public key made elsewhere, so that what it signed stays good for a while.

    It never signs here. Where it only verifies already, it stays until the later of the two ends.

    Args:
        tool: The operator's tool.
        alg: The algorithm it signed with; it may be one that is off.
        public_jwk: The public key.
        now: The moment, in epoch seconds.
        until: When it leaves the JWKS, in epoch seconds.

    Raises:
        ImportRefused: The key is one of the line, or was revoked.
        KeyRecordCorrupt: It is no public key of that algorithm.
        KeyStoreUnavailable, KeyConflict: As for `keys.upkeep.ensure`.
    """
    kid = str(public_jwk.get("kid", ""))
    named = {name: value for name, value in public_jwk.items() if name != "kid"}
    public_key(kid, alg, named)
    for _ in range(ATTEMPTS):
        records = await _settled(tool, now)
        held = next((record for record in records if record.kid == kid), None)
        if held is None or held.predecessor != outsider(kid) or held.revoked_at is not None:
            _refuse_known(kid, records)
        record = KeyRecord(
            kid, alg, named, None, outsider(kid), now, now, now, verifies_until=until
        )
        change: Change = Insert(record)
        if held is not None:
            record = replace(held, verifies_until=max(until, held.verifies_until or until))
            change = Replace(held, record)
        if record != held:
            try:
                await commit(tool.store, tool.vault, (change,))
            except KeyConflict:
                continue
        return _report_trusted(tool, record, held, await tool.store.all(), now)
    raise KeyConflict("other processes kept changing the keys")


def _report_trusted(
    tool: Rotation,
    record: KeyRecord,
    held: KeyRecord | None,
    records: tuple[KeyRecord, ...],
    now: float,
) -> Outcome:
    ends = record.verifies_until or now
    stays = span(ends - now)
    known = record.created_at + tool.policy.lead - now
    if held is None:
        happened = f"Key {record.kid} was imported; it verifies {record.alg} and never signs here."
    elif record != held:
        happened = f"Key {record.kid} was there to verify; it stays longer now."
    else:
        happened = f"Key {record.kid} is there to verify, and stays as long already."
    seen = f"every cache knows it in {span(known)}" if known > 0 else "every cache knows it"
    outcome = describe(
        "import-public",
        record,
        records,
        now,
        tool.policy,
        changed=record != held,
        happened=happened,
        verifiers=f"Verifiers find it in the JWKS: {seen}, and it stays for {stays}.",
    )
    return replace(outcome, then=f"It leaves the JWKS by itself in {stays}.")


async def _settled(tool: Rotation, now: float) -> tuple[KeyRecord, ...]:
    return await ensure(tool.store, tool.vault, tool.policy, now, algorithms=tool.algorithms)


def _refuse_known(kid: str, records: tuple[KeyRecord, ...]) -> None:
    held = next((record for record in records if record.kid == kid), None)
    if held is None:
        return
    if held.revoked_at is not None:
        raise ImportRefused(f"key {kid} was revoked here; it never comes back")
    raise ImportRefused(f"key {kid} is there already")
