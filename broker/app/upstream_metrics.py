"""Metrics of the calls to upstreams: how many, what came of them, how long they waited.

As ``broker.app.metrics`` says: labels take few values, all of them ours.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry, Counter

from broker.core.budget import Why
from broker.upstream.pacing import Outcome

PREFIX: Final = "token_broker"


@dataclass(frozen=True, slots=True)
class UpstreamMetrics:
    """Of the calls to upstreams.

    Attributes:
        calls: number by ``upstream``, ``call`` (a word for a path, such as ``token``) and
            ``outcome``.
        declined: number by ``upstream`` and ``reason``.
        waits: number by ``upstream``.
        waited: seconds by ``upstream``.
    """

    calls: Counter
    declined: Counter
    waits: Counter
    waited: Counter

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """Name and describe them."""
        common: dict[str, Any] = {"namespace": PREFIX, "registry": registry}
        return cls(
            Counter(
                "upstream_calls",
                "Calls sent to upstreams by what came of them: ok, refused (4xx), limited (429), "
                "failed (5xx), unanswered.",
                ("upstream", "call", "outcome"),
                **common,
            ),
            Counter(
                "upstream_calls_declined",
                "Calls not sent: their turn would have come too late (queue), refusals were so "
                "many that our address could be blocked (refusals), their token was refused a "
                "short while ago (dead).",
                ("upstream", "reason"),
                **common,
            ),
            Counter("upstream_waits", "Calls that waited for their turn.", ("upstream",), **common),
            Counter(
                "upstream_waiting_seconds",
                "Seconds that calls waited for their turn, all together.",
                ("upstream",),
                **common,
            ),
        )


class CallWatch:
    """``broker.upstream.pacing.Tally``, as metrics.

    Args:
        metrics: where to count.
    """

    def __init__(self, metrics: UpstreamMetrics) -> None:
        self._metrics = metrics

    def called(self, upstream: str, route: str, outcome: Outcome) -> None:
        """Count a call that was sent."""
        self._metrics.calls.labels(upstream, route, outcome).inc()

    def waited(self, upstream: str, seconds: float) -> None:
        """Count a wait for a turn."""
        self._metrics.waits.labels(upstream).inc()
        self._metrics.waited.labels(upstream).inc(seconds)

    def declined(self, upstream: str, why: Why) -> None:
        """Count a call that was not made."""
        self._metrics.declined.labels(upstream, why).inc()
