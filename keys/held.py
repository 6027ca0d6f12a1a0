"""The keys as a process last read them: what signs, what verifies, and for how long that counts.

Two bounds keep every process honest without talking to another:

- it signs only while its last word about revocations is at most twice the polling interval old;
- how long its JWKS may be cached shrinks from the moment it can no longer read new keys.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf

from keys import policy as rules
from keys.clock import SteadyClock
from keys.errors import KeysError, StaleKeyring
from keys.jwks import JwksDocument, max_age
from keys.jws import VerificationKey
from keys.model import RS256, KeyRecord
from keys.policy import Policy
from keys.signer import Signer
from keys.snapshot import EMPTY, Snapshot, expose


class HeldKeys:
    """An immutable snapshot of the key store, and how old it is.

    Args:
        policy: The times to keep.
        clock: Returns the time in UTC epoch seconds.
        algorithms: The algorithms that are on.
    """

    def __init__(
        self, policy: Policy, clock: Callable[[], float], algorithms: Sequence[str]
    ) -> None:
        self._policy = policy
        self._grace = policy.grace
        self._clock = SteadyClock(clock)
        self._algorithms = tuple(algorithms)
        self._snapshot = EMPTY
        self._exposure = expose(EMPTY, self._clock.now, policy)
        self._fault: str | None = "the signing keys are not loaded yet"
        self._read_at = self._clock.now
        self._read = self._confirmed = -inf
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
        until, signer = self._windows.get(alg) or (-inf, None)
        if signer is None or now >= until:
            until, signer = self._windows[alg] = self._window(alg, now)
        return signer

    def _window(self, alg: str, now: float) -> tuple[float, Signer]:
        """Return the signing key and when to look again."""
        records = self._snapshot.records
        record = rules.signing(records, alg, now)
        # The beginning of a key revoked since counts too: it ends the key before it.
        later = (r.signs_from for r in rules.line(records, alg) if r.signs_from > now)
        return min(later, default=inf), self._snapshot.signers[record.kid]

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

    # ── being replaced ─────────────────────────────────────────────────────────────────────

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
