"""A Redis client from an address: single server, Sentinel or Cluster."""

from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from broker.without import without

# Where the extra otel is installed, 60 modules would come along for metrics that are never asked.
with without("opentelemetry"):
    from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.connection import URL_QUERY_ARGUMENT_PARSERS as PARSERS
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisClusterException, RedisError
    from redis.maint_notifications import MaintNotificationsConfig

    from broker.stores.redis.sentinels import Primary, Sentinels

Client = Redis | RedisCluster
"""What the stores speak to; answers are text, nothing is retried."""

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What goes wrong with a client."""

SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")
BEHIND: Final = 4.0  # time-outs behind the deadline, which knows when the process stood still
HANGING: Final = 0.6  # of the time-out for connecting, after which a cluster's node is given up
SILENT: Final = 0.3  # of that, after which a Sentinel is
CLUSTER: Final = ("redis+cluster", "rediss+cluster")
SINGLE: Final = ("redis", "rediss", "unix")
TLS: Final = frozenset(
    f"ssl_{word}"
    for word in (
        "ca_certs", "ca_data", "ca_path", "cert_reqs", "certfile", "check_hostname", "ciphers",
        "exclude_verify_flags", "include_verify_flags", "keyfile", "min_version", "password",
    )
)  # fmt: skip
TLS_OF_CLUSTERS: Final = TLS - {"ssl_ca_path", "ssl_password"}  # their client has no others
TO_SENTINELS: Final = frozenset({"sentinel_user", "sentinel_password", "sentinel_ssl"})


def connect(url: str, *, pool_size: int = 64, timeout: float = 1.5) -> Client:
    """Return a client that has not connected yet.

    Args:
        url: ``redis://``, ``rediss://`` (TLS) or ``unix://``;
            ``redis+sentinel://[user:password@]host:port,host:port/service[/db]``;
            ``redis+cluster://[user:password@]host:port,host:port``. ``rediss+…`` speaks TLS,
            to Sentinels too, by the same ``ssl_…`` words; ``sentinel_ssl=no`` where those do not.
            ``sentinel_user`` and ``sentinel_password`` are theirs, none but those are shown them.
        pool_size: connections at the most (to each node of a cluster).
        timeout: seconds for connecting. Answers have no time-out of their own, but for those of
            a cluster (it would cost a task each): ``Steps`` and ``health`` bring one deadline for
            all of a step, and where there is one server alone it is that for connecting, too.

    Raises:
        ValueError: for an address of another kind, one without a host, or with a word about TLS
            or Sentinels that means nothing.
    """
    parts = urlsplit(url)
    options = _options(timeout)
    if parts.scheme in SENTINEL:
        return _sentinel(parts, options, pool_size)
    if parts.scheme in CLUSTER:
        return _cluster(parts, options, pool_size)
    if parts.scheme in SINGLE:
        options["socket_connect_timeout"] *= BEHIND
        pool = BlockingConnectionPool.from_url(
            url, max_connections=pool_size, timeout=timeout * BEHIND, **options
        )
        return Redis.from_pool(pool)
    kinds = ", ".join((*SINGLE, *SENTINEL, *CLUSTER))
    raise ValueError(f"a Redis address begins with one of {kinds}, not {parts.scheme!r}")


def _options(timeout: float) -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_timeout": None,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        # Else every new connection asks for them, and the pool no longer looks whether a
        # connection brings an answer that nobody asked for.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "driver_info": None,  # nor is the library's name told, in two commands more
    }


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    """Return the (host, port) pairs of an address that names several."""
    hosts = []
    for item in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{item}")
        if not one.hostname:
            raise ValueError("a Redis address must name its hosts")
        hosts.append((one.hostname, one.port or port))
    return hosts


def _credentials(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return _shown(unquote(user), unquote(password)) | _tls(parts)


def _shown(user: str, password: str) -> dict[str, Any]:
    """Return who a server is told that it speaks to."""
    found = {"username": user, "password": password}
    return {key: value for key, value in found.items() if value}


def _tls(parts: SplitResult) -> dict[str, Any]:
    """Return how TLS is spoken, or nothing where it is not.

    Raises:
        ValueError: it says something that nobody knows, which would be taken for what it is not.
    """
    if not parts.scheme.startswith("rediss"):
        return {}
    found = _words(parts, "ssl_", TLS_OF_CLUSTERS if parts.scheme in CLUSTER else TLS)
    try:
        read = {name: PARSERS.get(name, str)(value) for name, value in found.items()}
    except (TypeError, ValueError):
        raise ValueError("a Redis address has an ssl_ word of an unknown value") from None
    return {"ssl": True, **read}


def _words(parts: SplitResult, kind: str, known: frozenset[str]) -> dict[str, str]:
    """Return what an address says after its question mark of one kind."""
    found = {name: value for name, value in parse_qsl(parts.query) if name.startswith(kind)}
    if unknown := sorted(found.keys() - known):
        raise ValueError(f"a Redis address knows no {unknown[0]!r} but {', '.join(sorted(known))}")
    return found


def _sentinel(parts: SplitResult, options: dict[str, Any], pool_size: int) -> Redis:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel address must name the service: …/service")
    opened = options | _credentials(parts) | {"db": int(database or 0)}
    # A Sentinel that hangs is passed by, well within the deadline of a step.
    patience = dict.fromkeys(
        ("socket_timeout", "socket_connect_timeout"), options["socket_connect_timeout"] * SILENT
    )
    sentinels = Sentinels(_hosts(parts, 26379), options | patience | _to_sentinels(parts))
    pool = Primary(service, sentinels, max_connections=pool_size, **opened)
    return Redis.from_pool(pool)


def _to_sentinels(parts: SplitResult) -> dict[str, Any]:
    """Return what is said to Sentinels: nothing of the servers' user, whom they do not know."""
    said, tls = _words(parts, "sentinel_", TO_SENTINELS), _tls(parts)
    usual = "yes" if tls else "no"
    spoken = said.get("sentinel_ssl", usual)
    if spoken not in {usual, "no"}:
        raise ValueError("sentinel_ssl in a Redis address is no, or with rediss+sentinel yes")
    shown = _shown(said.get("sentinel_user", ""), said.get("sentinel_password", ""))
    return shown if spoken == "no" else shown | tls


def _cluster(parts: SplitResult, options: dict[str, Any], pool_size: int) -> RedisCluster:
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, 6379)]
    # Here answers have a time-out: only by it does the client hear that a node hangs, and looks
    # who serves its slots now. It is well within the deadline of a step.
    patience = {"socket_timeout": options["socket_connect_timeout"] * HANGING}
    return RedisCluster(
        startup_nodes=nodes,
        max_connections=pool_size,
        **_credentials(parts),
        **(options | patience),
    )
