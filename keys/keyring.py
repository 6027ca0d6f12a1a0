"""The keys a process signs and verifies with; follows the key store.

Two bounds keep every process honest without talking to another:

- it signs only while its last word about revocations is at most twice the polling interval old;
- how long its JWKS may be cached shrinks from the moment it can no longer read new keys.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from keys import policy as rules
from keys.clock import SteadyClock
from keys.due import due_for
from keys.errors import (
    KeyRecordCorrupt,
    KeysError,
    KeyStoreUnavailable,
    StaleKeyring,
    VaultUnavailable,
)
from keys.jwks import JwksDocument, max_age
from keys.jws import VerificationKey
from keys.model import RS256, KeyRecord
from keys.policy import Policy
from keys.signer import Signer
from keys.snapshot import EMPTY, Snapshot, expose, take
from keys.stores import KeyStore
from keys.upkeep import ensure
from keys.vault import Vault
from keys.witness import RevocationWitness, announced, is_current

_log: Final = logging.getLogger(__name__)
_FOREVER: Final = float("inf")


class Keyring:
    """An immutable snapshot of the key store, swapped when the store changes.

    Args:
        store: Where the keys are.
        vault: Where private halves are made and used.
        policy: The times to keep.
        clock: Returns the time in UTC epoch seconds.
        witness: A second channel for revocations, asked when the store cannot be reached.
        algorithms: The algorithms that are on.
    """

    def __init__(
        self,
        store: KeyStore,
        vault: Vault,
        policy: Policy,
        clock: Callable[[], float],
        witness: RevocationWitness | None = None,
        *,
        algorithms: Sequence[str] = (RS256,),
    ) -> None:
        self._store = store
        self._vault = vault
        self._policy = policy
        self._grace = policy.grace
        self._clock = SteadyClock(clock)
        self._witness = witness
        self._algorithms = tuple(algorithms)
        self._snapshot = EMPTY
        self._exposure = expose(EMPTY, self._clock.now, policy)
        self._fault: str | None = "the signing keys are not loaded yet"
        self._trouble: str | None = None
        self._read_at = self._clock.now
        self._read = self._confirmed = -_FOREVER
        self._windows: dict[str, tuple[float, Signer]] = {}

    # ── signing ────────────────────────────────────────────────────────────────────────────

    def signer(self, alg: str = RS256) -> Signer:
        """Return the key that signs now.

        Raises:
            StaleKeyring: This process has not followed its store for too long to sign.
            NoSigningKey: No key may sign at this moment.
        """
        now = self._clock.tick()
        if self._clock.elapsed - self._confirmed > self._grace:
            raise StaleKeyring("the key store has not been followed for too long to sign")
        until, signer = self._windows.get(alg) or (-_FOREVER, None)
        if signer is None or now >= until:
            until, signer = self._windows[alg] = self._window(alg, now)
        return signer

    def _window(self, alg: str, now: float) -> tuple[float, Signer]:
        """Return the signing key and when to look again."""
        records = self._snapshot.records
        record = rules.signing(records, alg, now)
        # The beginning of a key revoked since counts too: it ends the key before it.
        later = (r.signs_from for r in rules.line(records, alg) if r.signs_from > now)
        return min(later, default=_FOREVER), self._snapshot.signers[record.kid]

    # ── verifying ──────────────────────────────────────────────────────────────────────────

    def verification_keys(self) -> Mapping[str, VerificationKey]:
        """Return the keys of the JWKS, by `kid`."""
        return self._exposure.verifying

    def key_for(self, kid: str) -> VerificationKey | None:
        """Return the key that verifies tokens of this `kid`, or None where none of ours does.

        Raises:
            StaleKeyring: There is none, but this process was cut off long enough to have missed
                a new key.
        """
        key = self._exposure.verifying.get(kid)
        if key is None and self._age() > self._policy.cache_lifetime + self._grace:
            raise StaleKeyring("a key made since the key store was last read may be missing")
        return key

    def hint_key_for(self, kid: str) -> VerificationKey | None:
        """Return the key that may have signed an `id_token_hint`, long retired ones included."""
        return self._exposure.hinting.get(kid)

    def jwks(self) -> tuple[JwksDocument, int]:
        """Return the JWKS and how long it may be cached, in seconds.

        Raises:
            StaleKeyring: The keys were never loaded.
        """
        if self._snapshot is EMPTY:
            raise StaleKeyring("the signing keys are not loaded yet")
        return self._exposure.document, max_age(self._age(), self._policy)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that are on."""
        return self._algorithms

    @property
    def read_at(self) -> float:
        """When the store was last read, in epoch seconds; the time of the start before that."""
        return self._read_at

    def records(self) -> tuple[KeyRecord, ...]:
        """Return the keys as last read."""
        return self._snapshot.records

    def ready(self) -> str | None:
        """Return why this process should get no requests, or None where it should."""
        if self._fault is not None:
            return self._fault
        try:
            for alg in self._algorithms:
                if alg == RS256 or self._has_begun(alg):
                    self.signer(alg).check()
        except KeysError as error:
            return str(error)
        return None

    def _has_begun(self, alg: str) -> bool:
        """Tell whether an algorithm was ever signed with; one just switched on waits at first."""
        return rules.newest(self._snapshot.records, alg, self._clock.now) is not None

    def _age(self) -> float:
        self._clock.tick()
        return self._clock.elapsed - self._read

    # ── following ──────────────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Read the keys for the first time; on an empty store, make the first pair.

        Raises:
            KeyRecordCorrupt: A key cannot be used; no new one is made in its place.
            KeyStoreUnavailable: The store cannot be reached.
            VaultUnavailable: What holds the private halves does not answer.
        """
        await self._adopt(*await self._read_store())
        await self.maintain()

    async def refresh(self) -> None:
        """Follow the store by one step. A store out of reach or a corrupt key changes no key."""
        began = self._begin()
        try:
            reading = await self._read_store()
        except KeyStoreUnavailable as error:
            await self._ask_witness(error)
            return
        except KeyRecordCorrupt as error:
            self._accuse(error)
            return
        try:
            await self._adopt(*reading)
        except (KeyRecordCorrupt, VaultUnavailable) as error:
            self._accuse(error)
            if self._signs_as(reading[0]):
                self._confirmed = began

    async def maintain(self) -> None:
        """Make, erase and prune what is due; reads the store again where anything was.

        Raises:
            KeysError: It could not be done now; the next pass tries again.
        """
        now = self._clock.tick()
        records = self._snapshot.records
        if due_for(records, self._algorithms, now, self._policy):
            await ensure(self._store, self._vault, self._policy, now, algorithms=self._algorithms)
            await self._adopt(*await self._read_store())

    async def follow(self, stop: asyncio.Event) -> None:
        """Poll the store and do what is due, until `stop` is set; no error ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every_interval(self.refresh, stop))
            group.create_task(self._every_interval(self.maintain, stop))

    async def _every_interval(
        self, step: Callable[[], Awaitable[None]], stop: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            following = loop.time() + self._policy.poll_interval
            try:
                await step()
            except (KeyStoreUnavailable, VaultUnavailable) as error:
                self._tell(str(error))
            except Exception:  # noqa: BLE001 - whatever happens, the keys must be followed
                _log.exception("signing keys: a pass failed")
            try:
                async with asyncio.timeout_at(following):
                    await stop.wait()
            except TimeoutError:
                continue

    # ── one step ───────────────────────────────────────────────────────────────────────────

    def _begin(self) -> float:
        self._clock.tick()
        return self._clock.elapsed

    async def _read_store(self) -> tuple[tuple[KeyRecord, ...], float, float]:
        """Return the keys, and when the reading began (epoch seconds, elapsed seconds)."""
        elapsed, now = self._begin(), self._clock.now
        try:
            async with asyncio.timeout(self._policy.poll_interval / 2):
                return await self._store.all(), now, elapsed
        except TimeoutError:
            raise KeyStoreUnavailable("the key store does not answer in time") from None

    async def _adopt(self, records: tuple[KeyRecord, ...], now: float, elapsed: float) -> None:
        snapshot = self._snapshot
        if records != snapshot.records:
            snapshot = await take(records, now, self._vault, snapshot)
        if elapsed < self._read:  # a later reading was adopted meanwhile
            return
        if snapshot is not self._snapshot:
            self._swap(snapshot)
        self._expose(now)
        self._read_at, self._read, self._confirmed = now, elapsed, max(elapsed, self._confirmed)
        self._fault = None
        self._tell(None)

    def _accuse(self, error: KeyRecordCorrupt | VaultUnavailable) -> None:
        """Be not ready, and say why, until the store is in order."""
        self._fault = str(error)
        self._tell(self._fault)

    def _tell(self, trouble: str | None) -> None:
        """Log trouble once when it begins and once when it is over."""
        if trouble and trouble != self._trouble:
            _log.warning("signing keys: %s", trouble)
        elif self._trouble and not trouble:
            _log.info("signing keys: the key store is followed again")
        self._trouble = trouble

    def _swap(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._windows = {}

    def _expose(self, read_at: float) -> None:
        self._exposure = expose(self._snapshot, read_at, self._policy)

    def _signs_as(self, fresh: tuple[KeyRecord, ...]) -> bool:
        """Tell whether the keys in use sign by the store's latest word too."""
        now = self._clock.now
        held = self._snapshot.records
        for alg in self._algorithms:
            ours, theirs = rules.current(held, alg, now), rules.current(fresh, alg, now)
            if ours is None or theirs is None or ours.kid != theirs.kid:
                return False
        return True

    async def _ask_witness(self, error: KeyStoreUnavailable) -> None:
        """Learn of revocations while the store is out of reach."""
        if self._witness is None or self._snapshot is EMPTY:
            self._tell(f"{error}")
            return
        began = self._begin()
        try:
            async with asyncio.timeout(self._policy.poll_interval / 2):
                marks = await self._witness.revoked_kids()
        except (KeyStoreUnavailable, TimeoutError):
            self._tell(f"{error}, and no witness answers")
            return
        now, held = self._clock.tick(), self._snapshot
        gone = announced(held.as_read, marks)
        if gone - held.announced:
            held = held.revoking(gone, now)
            self._swap(held)
            self._expose(self._read_at)
        if is_current(held, marks, now, self._read_at, self._policy):
            self._confirmed = began
