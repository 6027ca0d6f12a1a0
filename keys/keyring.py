"""The keys a process signs and verifies with; follows the key store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Final

from keys.due import due_for
from keys.errors import KeyRecordCorrupt, KeyStoreUnavailable, StaleKeyring, VaultUnavailable
from keys.held import HeldKeys
from keys.model import RS256, KeyRecord
from keys.policy import Policy
from keys.signer import Signer
from keys.snapshot import EMPTY, take
from keys.stores import KeyStore
from keys.upkeep import ensure
from keys.vault import Vault
from keys.witness import RevocationWitness, announced, is_current

LOOK: Final = 1.5  # seconds that whoever wants a signature waits for the store, where they must
_log: Final = logging.getLogger(__name__)


class Keyring(HeldKeys):
    """The keys of a store, swapped when the store changes.

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
        super().__init__(policy, clock, algorithms)
        self._store = store
        self._vault = vault
        self._witness = witness
        self._trouble: str | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looked = -inf

    # ── signing ────────────────────────────────────────────────────────────────────────────

    async def fresh_signer(self, alg: str = RS256) -> Signer:
        """Return the key that signs now; looks at the store first where the last look is too old.

        So a process that was stopped, or whose machine slept, serves the first who asks, too.

        Raises:
            StaleKeyring: The store could not be followed for too long to sign, nor can it now.
            NoSigningKey: No key may sign at this moment.
        """
        try:
            return self.signer(alg)
        except StaleKeyring:
            await self._look_again()
        return self.signer(alg)

    async def _look_again(self) -> None:
        """Follow the store by one step: one for all who wait, and then none for an interval."""
        if self._looking is None:
            if self._clock.elapsed - self._looked < self._policy.poll_interval:
                return
            self._looked = self._clock.elapsed
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._has_looked)
        await asyncio.wait({self._looking})

    def _has_looked(self, _: "asyncio.Task[None]") -> None:
        self._looking = None

    async def _look(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await self._pass(self.refresh)

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
            await self._pass(step)
            try:
                async with asyncio.timeout_at(following):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _pass(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (KeyStoreUnavailable, VaultUnavailable) as error:
            self._tell(str(error))
        except Exception:  # noqa: BLE001 - whatever happens, the keys must be followed
            _log.exception("signing keys: a pass failed")

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
