"""What an operator can do to the keys: change over, at once or in order, and revoke.

Each operation is one compare-and-set transaction. It may be repeated, raced by another process
or cut off at any step: the one that comes second reads what the first has done and reports it.

A second channel (see `keys.witness.RevocationWitness`) tells processes cut off from the store
what they must not miss. Its marks are announced *before* the transaction commits.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from keys import policy as rules
from keys.due import due_for
from keys.errors import KeyConflict, KeyNotFound, NoSigningKey, RotationRefused
from keys.model import RS256, KeyRecord, Replace
from keys.outcome import Action, Outcome, describe
from keys.policy import Policy
from keys.stores import KeyStore
from keys.upkeep import ATTEMPTS, commit, ensure, realise
from keys.vault import Vault
from keys.witness import early_mark

Announce = Callable[[str], Awaitable[None]]
"""Publishes a mark in the second channel; it is to be kept for `Policy.hint_retention` or more."""


_HAPPENED: Final[dict[tuple[Action, bool], str]] = {
    ("rotate", True): "The change-over from key {kid} was brought forward.",
    ("rotate", False): "The change-over from key {kid} was under way already.",
    ("rotate-now", True): "Key {kid} stopped signing, and its successor took over.",
    ("rotate-now", False): "The change-over from key {kid} was made a moment ago.",
    ("revoke", True): "Key {kid} was revoked, and its private half erased.",
    ("revoke", False): "Key {kid} had been revoked before.",
}


async def _silence(_mark: str) -> None:
    """Announce nothing: there is no second channel."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The operator's operations on one key store.

    Args:
        store: Where the keys are.
        vault: Where private halves are made.
        policy: The times to keep.
        announce: Publishes a mark in the second channel.
        algorithms: The algorithms that are on.
    """

    store: KeyStore
    vault: Vault
    policy: Policy
    announce: Announce = _silence
    algorithms: tuple[str, ...] = (RS256,)

    async def rotate(self, now: float, alg: str = RS256) -> Outcome:
        """Change over to the published successor as soon as every process can have heard of it.

        Asked again before the change-over it changes nothing.

        Args:
            now: The moment, in epoch seconds.
            alg: The algorithm whose keys are meant.

        Raises:
            NoSigningKey: The signing key was revoked and its successor is not ready.
            KeyStoreUnavailable, KeyRecordCorrupt, KeyConflict: As for `keys.upkeep.ensure`.
        """
        for _ in range(ATTEMPTS):
            records = await self._settled(now)
            signs, heir = self._pair(records, alg, now)
            target = max(now + self.policy.grace + self.policy.skew, heir.ready_at)
            if heir.signs_from <= target:
                return self._report("rotate", signs, records, now, changed=False)
            moved = replace(heir, signs_from=target)
            await self.announce(early_mark(moved))
            try:
                await self.store.apply(Replace(heir, moved))
            except KeyConflict:
                continue
            return self._report("rotate", signs, await self.store.all(), now, changed=True)
        raise KeyConflict("other processes kept changing the keys")

    async def rotate_now(self, now: float, alg: str = RS256) -> Outcome:
        """Change over to the published successor at this instant, and make a new successor.

        Where a change-over was made a moment ago it changes nothing.

        Args:
            now: The moment, in epoch seconds.
            alg: The algorithm whose keys are meant.

        Raises:
            RotationRefused: Caches may not know the successor yet.
            NoSigningKey: Nothing signs, and nothing waits to.
            KeyStoreUnavailable, KeyRecordCorrupt, KeyConflict: As for `keys.upkeep.ensure`.
        """
        for _ in range(ATTEMPTS):
            records = await self._settled(now)
            signs, heir = self._pair(records, alg, now)
            before = self._just_relieved(signs, records, now)
            if before is not None:
                return self._report("rotate-now", before, records, now, changed=False)
            self._refuse_unready(heir, now)
            moved = replace(heir, signs_from=now)
            await self.announce(early_mark(moved))
            try:
                await self._commit(records, Replace(heir, moved), now)
            except KeyConflict:
                continue
            return self._report("rotate-now", signs, await self.store.all(), now, changed=True)
        raise KeyConflict("other processes kept changing the keys")

    async def revoke(self, kid: str, reason: str, now: float) -> Outcome:
        """Put a key out of use for good. Its private half is erased.

        The successor of a signing key signs at once where every cache knows it, else as soon as
        every cache does; until then nothing signs. A revoked successor is made anew. Asked again
        it changes nothing.

        Args:
            kid: The key.
            reason: The operator's words, kept with the key.
            now: The moment, in epoch seconds.

        Raises:
            KeyNotFound: There is no such key.
            KeyStoreUnavailable, KeyRecordCorrupt, KeyConflict: As for `keys.upkeep.ensure`.
        """
        for _ in range(ATTEMPTS):
            records = await self.store.all()
            record = next((r for r in records if r.kid == kid), None)
            if record is None:
                raise KeyNotFound(kid)
            if record.revoked_at is not None:
                await self._settled(now)
                return self._report("revoke", record, await self.store.all(), now, changed=False)
            dead = replace(record, revoked_at=now, revoked_reason=reason, sealed=None)
            await self.announce(kid)
            try:
                await self._commit(records, Replace(record, dead), now)
            except KeyConflict:
                continue
            return self._report("revoke", dead, await self.store.all(), now, changed=True)
        raise KeyConflict("other processes kept changing the keys")

    async def _settled(self, now: float) -> tuple[KeyRecord, ...]:
        return await ensure(self.store, self.vault, self.policy, now, algorithms=self.algorithms)

    async def _commit(self, records: tuple[KeyRecord, ...], change: Replace, now: float) -> None:
        """Store one changed key and all that is due because of it, in one transaction."""
        old, new = change.expected, change.record
        after = tuple(new if record.kid == old.kid else record for record in records)
        todo = due_for(after, self.algorithms, now, self.policy)
        others = await realise(todo, after, self.vault)
        await commit(self.store, self.vault, (change, *others))

    def _pair(
        self, records: tuple[KeyRecord, ...], alg: str, now: float
    ) -> tuple[KeyRecord, KeyRecord]:
        """Return the newest key that began to sign and the one that waits.

        Raises:
            NoSigningKey: Nothing has begun, or nothing waits.
        """
        last = rules.current(records, alg, now) or rules.newest(records, alg, now)
        heir = rules.successor(records, alg, now)
        if last is None or heir is None:
            raise NoSigningKey(None if heir is None else heir.signs_from)
        return last, heir

    def _just_relieved(
        self, signs: KeyRecord, records: tuple[KeyRecord, ...], now: float
    ) -> KeyRecord | None:
        """Return the key that `signs` relieved moments ago, or None where that was longer ago.

        A second operator, or the same one after a lost answer, then hears that it is done.
        """
        if signs.signs_from <= now - self.policy.grace:
            return None
        older = [r for r in rules.line(records, signs.alg) if r.signs_from < signs.signs_from]
        return older[-1] if older else None

    def _refuse_unready(self, heir: KeyRecord, now: float) -> None:
        if now < heir.ready_at:
            raise RotationRefused(
                f"key {heir.kid} is published too recently: a cache may not know it for another "
                f"{heir.ready_at - now:.0f} s",
                possible_at=heir.ready_at,
            )

    def _report(
        self,
        action: Action,
        subject: KeyRecord,
        records: tuple[KeyRecord, ...],
        now: float,
        *,
        changed: bool,
    ) -> Outcome:
        happened = _HAPPENED[action, changed].format(kid=subject.kid)
        return describe(
            action, subject, records, now, self.policy, changed=changed, happened=happened
        )
