"""Everything that is measured, by name: the one list of metrics.

Several processes serve, and each writes its numbers into files of its own, which the process that
started them adds up when it is asked (see ``broker.app.metrics_server``). That one knows nothing
of the state the others are in. So what changes with time alone is told as a moment, not as an age:
``…_timestamp_seconds`` stays true while nobody writes it, and a process that hangs shows, since
its moments fall behind. Whoever asks subtracts: ``time() - token_broker_…_timestamp_seconds``.

Of gauges, the worst of the living processes is shown (``livemin``, ``livemax``); those of a dead
one are dropped. Counters are added up, those of dead processes included. Labels take few values,
all of them ours: no ``kid``, subject or address, and nothing that a request says.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

from dataclasses import dataclass
from typing import Final, Self

from prometheus_client import CollectorRegistry, Counter, Gauge

from broker.app.request_metrics import RequestMetrics
from broker.app.upstream_metrics import UpstreamMetrics
from broker.core.community import recheck

PREFIX: Final = "token_broker"

ACCESS_TOKEN: Final = "access_token"
ID_TOKEN_HINT: Final = "id_token_hint"
STALE: Final = "stale"
NO_KEY: Final = "no_key"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class KeyMetrics:
    """Of the signing keys; ``alg`` is a JWS algorithm.

    Attributes:
        signs_since: moment by ``alg``.
        change_over: moment by ``alg``.
        successor_known: moment by ``alg``; infinite where there is no successor.
        keys: number by ``alg`` and ``state``.
        read: moment.
        ready: 1 or 0.
        unknown_kid: number by ``where``: `ACCESS_TOKEN` or `ID_TOKEN_HINT`.
        signatures: number by ``alg``.
        refused: number by ``reason``: `STALE`, `NO_KEY` or `FAILED`.
    """

    signs_since: Gauge
    change_over: Gauge
    successor_known: Gauge
    keys: Gauge
    read: Gauge
    ready: Gauge
    unknown_kid: Counter
    signatures: Counter
    refused: Counter

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """Name and describe them; counters whose labels are known begin at 0."""
        made = cls(
            signs_since=_gauge(
                registry,
                "key_signs_since_timestamp_seconds",
                "Moment since which the signing key signs; time() minus this is its age.",
                "livemin",
                "alg",
            ),
            change_over=_gauge(
                registry,
                "key_change_over_timestamp_seconds",
                "Moment of the next change-over: its successor signs from then on. In the past "
                "where it is overdue for want of a successor.",
                "livemin",
                "alg",
            ),
            successor_known=_gauge(
                registry,
                "key_successor_known_timestamp_seconds",
                "Moment from which every cache knows the successor, so that an emergency "
                "change-over disturbs nobody; usually past. +Inf where there is no successor.",
                "livemax",
                "alg",
            ),
            keys=_gauge(
                registry,
                "keys",
                "Signing keys by state, as many as every process knows of. Those next, signing "
                "and retired are in the JWKS.",
                "livemin",
                "alg",
                "state",
            ),
            read=_gauge(
                registry,
                "keyring_read_timestamp_seconds",
                "Moment at which the key store was last read, by the process where that is "
                "longest ago.",
                "livemin",
            ),
            ready=_gauge(
                registry,
                "keyring_ready",
                "Whether every process may sign (1), or one is not ready for want of fresh or "
                "whole keys (0).",
                "livemin",
            ),
            unknown_kid=_counter(
                registry,
                "unknown_kid_requests",
                "Tokens presented to the broker that name a key it does not know: forged, from "
                "elsewhere, or of a revoked or long retired key.",
                "where",
            ),
            signatures=_counter(registry, "signatures", "Signatures made over tokens.", "alg"),
            refused=_counter(
                registry,
                "signing_refused",
                "Times a token was wanted and not signed: keyring not followed (stale), no key "
                "may sign (no_key), what holds the key did not sign (failed).",
                "reason",
            ),
        )
        for where in (ACCESS_TOKEN, ID_TOKEN_HINT):
            made.unknown_kid.labels(where)
        for reason in (STALE, NO_KEY, FAILED):
            made.refused.labels(reason)
        return made


@dataclass(frozen=True, slots=True)
class CommunityMetrics:
    """Of what is known of people's guilds and roles.

    Attributes:
        checks: number by ``outcome``, as ``broker.core.community.recheck.Outcome`` has them.
    """

    checks: Counter

    @classmethod
    def make(cls, registry: CollectorRegistry) -> Self:
        """Name and describe them; they begin at 0."""
        made = cls(
            checks=_counter(
                registry,
                "membership_checks",
                "Times that what is known of a person's guilds was too old: it was read again "
                "(read), Discord did not answer and what was last known counts (last_known) or is "
                "too old (unavailable), the person has to sign in again (lost).",
                "outcome",
            )
        )
        for outcome in recheck.Outcome:
            made.checks.labels(outcome)
        return made


class Metrics:
    """The metrics of one process. A group of metrics is an attribute; new groups go here.

    Where ``PROMETHEUS_MULTIPROC_DIR`` was set before this module was loaded, their values are in
    files of that directory, else in memory.

    Args:
        registry: where they are registered.

    Attributes:
        processes: the processes that serve.
        keys: the signing keys.
        requests: requests, and what came of them.
        communities: what is known of people's guilds and roles.
        upstreams: calls to upstreams.
    """

    __slots__ = ("communities", "keys", "processes", "requests", "upstreams")

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processes: Final = _gauge(
            registry, "processes", "Processes that serve requests.", "livesum"
        )
        self.keys: Final = KeyMetrics.make(registry)
        self.requests: Final = RequestMetrics.make(registry)
        self.communities: Final = CommunityMetrics.make(registry)
        self.upstreams: Final = UpstreamMetrics.make(registry)
        self.processes.set(1)


def _gauge(
    registry: CollectorRegistry, name: str, text: str, over_processes: str, *labels: str
) -> Gauge:
    return Gauge(
        name,
        text,
        labels,
        namespace=PREFIX,
        registry=registry,
        multiprocess_mode=over_processes,  # type: ignore[arg-type] # one of its literals
    )


def _counter(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, namespace=PREFIX, registry=registry)
