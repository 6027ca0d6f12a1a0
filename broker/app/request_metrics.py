"""Metrics of requests: how many, how long, what came of them, and what they had to wait for.

As ``broker.app.metrics`` says: labels take few values, all of them ours. A path is one of the route
table, a client one that an operator registered; those that registered themselves are one together.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from broker.core.client import Client
from broker.core.model import AuditEvent
from broker.core.ports import Audit
from broker.core.resting import rest

PREFIX: Final = "token_broker"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"))
UNKNOWN: Final = "unknown"
SELF_REGISTERED: Final = "self-registered"
NOBODY: Final = "none"
BEAT: Final = 5.0  # seconds between two looks at pools

Levels = Callable[[], dict[str, int]]
"""Says how many connections of a pool are in which state."""


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """Of requests.

    Attributes:
        requests: number by ``route``, ``method`` and ``status``.
        seconds: duration by ``route``; what is answered out of prebuilt bytes is not timed.
        grants: answers of the token endpoint by ``grant``, ``client`` and ``outcome``.
        events: audit events by ``kind``.
        connections: connections of a pool by ``store`` and ``state``.
    """

    requests: Counter
    seconds: Histogram
    grants: Counter
    events: Counter
    connections: Gauge

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """Name and describe them."""
        common: dict[str, Any] = {"namespace": PREFIX, "registry": registry}
        return cls(
            Counter(
                "requests",
                "Requests answered; a route is unknown where there is nothing at the address.",
                ("route", "method", "status"),
                **common,
            ),
            Histogram(
                "request_seconds",
                "Time from the first byte of a request to the last of its answer.",
                ("route",),
                buckets=BUCKETS,
                **common,
            ),
            Counter(
                "grants",
                "Answers of the token endpoint: ok, or the error code. The client is one that an "
                "operator registered, self-registered, or none where it was not proven.",
                ("grant", "client", "outcome"),
                **common,
            ),
            Counter(
                "events",
                "What the audit log was told of, by kind: sign_in, sign_in.refused, grant.reused "
                "and the like.",
                ("kind",),
                **common,
            ),
            Gauge(
                "pool_connections",
                "Connections to a store in all processes: in_use, idle, and most, how many there "
                "may be.",
                ("store", "state"),
                multiprocess_mode="livesum",
                **common,
            ),
        )


class RequestWatch:
    """Counts what the edge and the core tell of.

    Args:
        metrics: where to count.
    """

    def __init__(self, metrics: RequestMetrics) -> None:
        self._metrics = metrics
        # Looking labels up costs more than counting does.
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}
        self._grants: dict[tuple[str, str, str], Counter] = {}

    def request(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count a request; ``seconds`` is how long it took, None where that was not measured."""
        route = route or UNKNOWN
        key = route, method if method in METHODS else "other", status
        counter = self._requests.get(key)
        if counter is None:
            counter = self._requests[key] = self._metrics.requests.labels(*key)
        counter.inc()
        if seconds is None:
            return
        histogram = self._seconds.get(route)
        if histogram is None:
            histogram = self._seconds[route] = self._metrics.seconds.labels(route)
        histogram.observe(seconds)

    def grant(self, grant_type: str, client: Client | None, outcome: str) -> None:
        """Count an answer of the token endpoint."""
        key = grant_type or UNKNOWN, _shown(client), outcome
        counter = self._grants.get(key)
        if counter is None:
            counter = self._grants[key] = self._metrics.grants.labels(*key)
        counter.inc()

    async def follow(self, stop: asyncio.Event, pools: Mapping[str, Levels]) -> None:
        """Look at pools, by name of their store, until ``stop`` is set."""
        while not stop.is_set():
            for store, levels in pools.items():
                for state, number in levels().items():
                    self._metrics.connections.labels(store, state).set(number)
            await rest(stop, BEAT)


class CountedAudit:
    """The ``Audit`` port, counted.

    Args:
        audit: where events are kept.
        metrics: where they are counted.
    """

    def __init__(self, audit: Audit, metrics: RequestMetrics) -> None:
        self._audit = audit
        self._events = metrics.events

    async def record(self, *events: AuditEvent) -> None:
        """Count the events, then keep them."""
        for event in events:
            self._events.labels(event.kind).inc()
        await self._audit.record(*events)


def _shown(client: Client | None) -> str:
    if client is None:
        return NOBODY
    return client.client_id if client.registration_digest is None else SELF_REGISTERED
