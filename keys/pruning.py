"""Removing at once what is past use, and giving up the keys of algorithms that are switched off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keys import policy as rules
from keys.due import due
from keys.errors import KeyConflict
from keys.model import Change, Delete, KeyRecord, Replace
from keys.policy import Policy
from keys.rotation import Rotation
from keys.upkeep import ATTEMPTS, commit


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed.

    Attributes:
        deleted: Keys whose records went: not even an old sign-out hint can need them.
        erased: Keys whose private halves went: no process can sign with them any more.
        given_up: Keys of algorithms that are off: they only verify from now on, and their
            private halves went.
        verifies_until: When the last of those leaves the JWKS, in epoch seconds, or None.
        swept: How many private halves that crashes had left in the vault were destroyed.
    """

    deleted: tuple[str, ...]
    erased: tuple[str, ...]
    given_up: tuple[str, ...]
    verifies_until: float | None
    swept: int = 0

    @property
    def changed(self) -> bool:
        """Whether there was anything to remove."""
        return bool(self.deleted or self.erased or self.given_up or self.swept)


async def prune(tool: Rotation, now: float) -> Pruned:
    """Remove what is past use, in one transaction. Repeating it is harmless.

    The keys of an algorithm that is off are given up. That algorithm has to be off in every
    process: one that has it on still would sign with them, or make new ones.

    Args:
        tool: The operator's tool.
        now: The moment, in epoch seconds.

    Raises:
        KeyStoreUnavailable: The store cannot be reached.
        VaultUnavailable: What holds the private halves does not answer; the keys are pruned.
        KeyConflict: Other processes were first again and again.
    """
    for _ in range(ATTEMPTS):
        records = await tool.store.all()
        changes = past_use(records, tool.algorithms, now, tool.policy)
        try:
            if changes:
                await commit(tool.store, tool.vault, changes)
        except KeyConflict:
            continue
        swept = await tool.vault.sweep(await tool.store.all(), now)
        return replace(summary(changes), swept=swept)
    raise KeyConflict("other processes kept changing the keys")


def past_use(
    records: Sequence[KeyRecord], algorithms: Sequence[str], now: float, policy: Policy
) -> tuple[Change, ...]:
    """Return the changes that pruning makes.

    Args:
        records: Every stored key.
        algorithms: The algorithms that are on.
        now: The moment, in epoch seconds.
        policy: The times that are kept.
    """
    changes: list[Change] = []
    for alg in dict.fromkeys(record.alg for record in records):
        # A key that is to sign earlier is no matter of pruning: maintenance sees to it.
        found = [one for one in due(records, alg, now, policy).changes if _removes(one)]
        if alg not in algorithms:
            gone = {one.expected.kid for one in found if isinstance(one, Delete)}
            found = [one for one in found if isinstance(one, Delete)]
            found += [one for one in give_up(records, alg, now, policy) if _kid(one) not in gone]
        changes += found
    return tuple(changes)


def give_up(
    records: Sequence[KeyRecord], alg: str, now: float, policy: Policy
) -> tuple[Replace, ...]:
    """Return the changes that end the line of an algorithm: its keys only verify from now on.

    Each stays in the JWKS as long as a token it signed until now can live, and no longer than it
    would have anyhow.
    """
    changes = []
    for record in records:
        if record.alg != alg or record.revoked_at is not None or record.verifies_until is not None:
            continue
        leaves = rules.leaves_at(record, records, policy)
        ends = now + policy.overlap if leaves is None else min(leaves, now + policy.overlap)
        changes.append(Replace(record, replace(record, sealed=None, verifies_until=ends)))
    return tuple(changes)


def summary(changes: Sequence[Change]) -> Pruned:
    """Say what these changes remove."""
    replaced = [change for change in changes if isinstance(change, Replace)]
    given_up = [one for one in replaced if one.expected.verifies_until != one.record.verifies_until]
    ends = [one.record.verifies_until or 0.0 for one in given_up]
    return Pruned(
        deleted=tuple(change.expected.kid for change in changes if isinstance(change, Delete)),
        erased=tuple(one.expected.kid for one in replaced if one not in given_up),
        given_up=tuple(one.expected.kid for one in given_up),
        verifies_until=max(ends, default=None),
    )


def _removes(change: Change) -> bool:
    if isinstance(change, Replace):
        return change.record.sealed is None and change.expected.sealed is not None
    return isinstance(change, Delete)


def _kid(change: Replace) -> str:
    return change.expected.kid
