"""Watching: what the broker does is counted around it, how it stands is written down.

`Watch` is made where metrics are wanted, and handed to the composition root; without one, nothing
is counted and the metrics library is not even loaded.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from prometheus_client import CollectorRegistry

from broker.app import metrics as names
from broker.app.background import Task
from broker.app.metrics import KeyMetrics, Metrics
from broker.app.request_metrics import CountedAudit, Levels, RequestWatch
from broker.app.upstream_metrics import CallWatch
from broker.core.community import recheck
from broker.core.ports import Audit, Clock
from broker.core.resting import rest
from broker.core.tokens import Keys
from keys import policy as rules
from keys.errors import NoSigningKey, SigningFailed, StaleKeyring
from keys.jws import VerificationKey
from keys.keyring import Keyring
from keys.model import RS256, KeyRecord
from keys.policy import Policy
from keys.signer import Signer

BEAT: Final = 5.0  # seconds between two looks, where keys are not polled more often
STATES: Final[tuple[rules.State, ...]] = ("next", "signing", "retired", "revoked")


class Watch:
    """Puts the metrics of this process around and beside its parts; new parts go here.

    Attributes:
        registry: what is answered from; empty until there is something true to say.
    """

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()

    @cached_property
    def metrics(self) -> Metrics:
        """What is measured; made when first asked for, since gauges say 0 from then on."""
        return Metrics(self.registry)

    def keys(self, keyring: Keys) -> Keys:
        """Return a keyring, counted, for what mints and judges tokens."""
        return WatchedKeys(keyring, self.metrics.keys)

    def checks(self) -> Callable[[recheck.Outcome], None]:
        """Return what counts the checks of what is known of people's communities."""
        counter = self.metrics.communities.checks
        return lambda outcome: counter.labels(outcome).inc()

    @cached_property
    def requests(self) -> RequestWatch:
        """What the edge and the token endpoint tell of their requests."""
        return RequestWatch(self.metrics.requests)

    def calls(self) -> CallWatch:
        """Return what counts calls to upstreams."""
        return CallWatch(self.metrics.upstreams)

    def audit(self, audit: Audit) -> Audit:
        """Return an audit log, counted."""
        return CountedAudit(audit, self.metrics.requests)

    def tasks(
        self, keyring: Keyring, policy: Policy, clock: Clock, pools: Mapping[str, Levels]
    ) -> dict[str, Task]:
        """Look for the first time; return what has to run beside the requests, by name.

        Args:
            keyring: the keys this process signs with, loaded.
            policy: their times.
            clock: time.
            pools: by store, what tells of its connections.
        """
        watch = KeyWatch(keyring, policy, self.metrics.keys, clock)
        watch.look()
        follow = self.requests.follow
        return {"metrics": watch.follow, "pools": lambda stop: follow(stop, pools)}


class WatchedKeys:
    """What minting needs of a keyring, counted.

    Args:
        keys: the keyring.
        metrics: where to count.
    """

    def __init__(self, keys: Keys, metrics: KeyMetrics) -> None:
        self._keys = keys
        self._metrics = metrics
        self._signers: dict[str, tuple[Signer, Signer]] = {}
        self._stale = metrics.refused.labels(names.STALE)
        self._no_key = metrics.refused.labels(names.NO_KEY)
        self._unknown_access = metrics.unknown_kid.labels(names.ACCESS_TOKEN)
        self._unknown_hint = metrics.unknown_kid.labels(names.ID_TOKEN_HINT)

    async def fresh_signer(self, alg: str = RS256) -> Signer:
        """Return the key that signs now; its signatures are counted.

        Raises:
            keys.errors.StaleKeyring, keys.errors.NoSigningKey: none may.
        """
        try:
            signer = await self._keys.fresh_signer(alg)
        except StaleKeyring:
            self._stale.inc()
            raise
        except NoSigningKey:
            self._no_key.inc()
            raise
        held = self._signers.get(alg)
        if held is None or held[0] is not signer:
            held = self._signers[alg] = signer, _CountedSigner(signer, self._metrics)
        return held[1]

    def key_for(self, kid: str) -> VerificationKey | None:
        """Return the published key of that ``kid``."""
        key = self._keys.key_for(kid)
        if key is None:
            self._unknown_access.inc()
        return key

    def hint_key_for(self, kid: str) -> VerificationKey | None:
        """Return the key, published or retired, that may still judge an ``id_token_hint``."""
        key = self._keys.hint_key_for(kid)
        if key is None:
            self._unknown_hint.inc()
        return key


class _CountedSigner:
    """A signer whose signatures are counted."""

    __slots__ = ("_failed", "_made", "_signer", "alg", "kid")

    def __init__(self, signer: Signer, metrics: KeyMetrics) -> None:
        self.kid: Final = signer.kid
        self.alg: Final = signer.alg
        self._signer = signer
        self._made = metrics.signatures.labels(signer.alg)
        self._failed = metrics.refused.labels(names.FAILED)

    def check(self) -> None:
        self._signer.check()

    async def sign(self, signing_input: bytes) -> bytes:
        try:
            signature = await self._signer.sign(signing_input)
        except SigningFailed:
            self._failed.inc()
            raise
        self._made.inc()
        return signature


class KeyWatch:
    """Writes down how the keyring of this process stands, again and again.

    Args:
        keyring: what is watched.
        policy: its times.
        metrics: where it is written.
        clock: time.
    """

    def __init__(self, keyring: Keyring, policy: Policy, metrics: KeyMetrics, clock: Clock) -> None:
        self._keyring = keyring
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._counted: set[tuple[str, rules.State]] = set()
        for alg in keyring.algorithms:
            metrics.signatures.labels(alg)

    async def follow(self, stop: asyncio.Event) -> None:
        """Look whenever the keys may have been read again, until ``stop`` is set."""
        while not stop.is_set():
            self.look()
            await rest(stop, min(self._policy.poll_interval, BEAT))

    def look(self) -> None:
        """Write down how things stand now."""
        now, records = self._clock.now(), self._keyring.records()
        self._metrics.read.set(self._keyring.read_at)
        self._metrics.ready.set(self._keyring.ready() is None)
        self._count(records, now)
        for alg in self._keyring.algorithms:
            self._time(alg, records, now)

    def _count(self, records: tuple[KeyRecord, ...], now: float) -> None:
        """Count keys by state; of an algorithm that was given up, only while it has some."""
        found = [(r.alg, rules.state(r, records, now, self._policy)) for r in records]
        on = {(alg, state) for alg in self._keyring.algorithms for state in STATES}
        self._counted |= on | {pair for pair in found if pair[1] in STATES}
        for alg, state in self._counted:
            self._metrics.keys.labels(alg, state).set(found.count((alg, state)))

    def _time(self, alg: str, records: tuple[KeyRecord, ...], now: float) -> None:
        """Write the moments of one algorithm; before its first key there is nothing to write."""
        signs = rules.current(records, alg, now) or rules.newest(records, alg, now)
        heir = rules.successor(records, alg, now)
        if signs is not None:
            self._metrics.signs_since.labels(alg).set(signs.signs_from)
        if heir is not None:
            self._metrics.change_over.labels(alg).set(heir.signs_from)
            self._metrics.successor_known.labels(alg).set(heir.ready_at)
        elif signs is not None:
            ends = signs.revoked_at or signs.signs_from + self._policy.period
            self._metrics.change_over.labels(alg).set(ends)
            self._metrics.successor_known.labels(alg).set(float("inf"))
