"""The composition root: makes every part, hands each what it needs, runs what runs beside."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp

from broker.app.background import Task, clean, delete_accounts, running
from broker.app.branding import look
from broker.app.budgets import SharedBudget
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.origins import Origins
from broker.app.readiness import Readiness
from broker.app.serving import Parts, mint_of, services
from broker.app.settings import Settings
from broker.app.stores import KeyNews, Stores, open_stores
from broker.app.telling import Telling
from broker.app.upstreams import follow, origins, providers, upstreams_of
from broker.core.client_keys import ClientKeys
from broker.core.federation import Upstream
from broker.core.handles import Handles
from broker.core.ports import Clock, Entropy
from broker.core.published_keys import PublishedKeys
from broker.log import structlog
from broker.stores.redis.scripts import Steps
from broker.stores.sql.drain import drain
from broker.upstream.base import BoundedTransport
from broker.upstream.budget import ProcessBudget
from broker.upstream.outbound import Outbound
from broker.upstream.pacing import NoTally, Wire
from broker.web.app import build
from broker.web.edge_config import EdgeConfig
from broker.web.services import Console
from keys.errors import KeyRecordCorrupt, KeysError, KeyStoreUnavailable
from keys.keyring import Keyring

if TYPE_CHECKING:  # they load the libraries of metrics and traces
    from broker.app.tracing import Tracing
    from broker.app.watching import Watch

_log = structlog.get_logger("broker.app")


MakeConsole = Callable[[Parts], Console]
"""Makes the operator console, which is in a layer above this one, out of what there is."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker, ready to serve.

    Attributes:
        web: its ASGI application.
        stores: what it keeps things in.
        keyring: what it signs with.
        readiness: whether it should get requests.
    """

    web: ASGIApp
    stores: Stores
    keyring: Keyring
    readiness: Readiness


@asynccontextmanager
async def compose(
    settings: Settings,
    redis_url: str,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    watch: "Watch | None" = None,
    console: MakeConsole | None = None,
) -> AsyncIterator[Broker]:
    """Make a broker and run what runs beside its requests, until the block ends.

    A store that is out of reach does not keep it from starting: it is not ready until then.

    Args:
        settings: checked before.
        redis_url: the Redis to use: the one configured, or the embedded one.
        clock: time, the machine's unless given.
        entropy: randomness, the machine's unless given.
        watch: measures what goes on, where metrics are wanted.
        console: makes the operator console, where it is wanted.

    Raises:
        Refused: the operator's secret cannot be read.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    tracing = _tracing(settings)
    transport = tracing.transport() if tracing else BoundedTransport()
    make = tracing.steps if tracing else Steps
    try:
        async with open_stores(settings, clock, entropy, redis_url, make_steps=make) as stores:
            if tracing:
                tracing.sql(stores.sql.engine)
            parts = _parts(settings, stores, transport, clock, entropy, watch=watch)
            await _first_look(parts)
            await checkpoint()  # loads what the first call to an upstream would be held up by
            async with running(_beside(parts)):
                made = services(parts)
                if console is not None:
                    made = replace(made, console=console(parts))
                web = build(made, edge_config(settings, parts.upstreams))
                web = tracing.web(web) if tracing else web
                yield Broker(web, stores, parts.keyring, parts.readiness)
    finally:
        await transport.shut()
        if tracing:
            await tracing.shut()


def _tracing(settings: Settings) -> "Tracing | None":
    """Return what writes traces, where they are wanted."""
    if settings.traces == "off":
        return None
    from broker.app.tracing import Tracing  # noqa: PLC0415 - an extra, often not there

    return Tracing(settings.trusted_proxies)


def _parts(
    settings: Settings,
    stores: Stores,
    transport: BoundedTransport,
    clock: Clock,
    entropy: Entropy,
    *,
    watch: "Watch | None",
) -> Parts:
    news = KeyNews(stores.redis.revocations)
    keyring = Keyring(
        stores.keys,
        stores.vault,
        settings.key_policy,
        clock.now,
        news,
        algorithms=settings.algorithms,
    )
    budget = SharedBudget(stores.redis.budget, ProcessBudget(clock))
    wire = Wire(transport, budget, watch.calls() if watch else NoTally())
    outbound = Outbound(settings.outbound_allow)
    return Parts(
        settings,
        stores,
        keyring,
        Readiness(stores, keyring.ready, clock),
        Origins(stores.sql.clients, clock),
        upstreams_of(settings, wire, clock),
        clock,
        entropy,
        watch,
        outbound,
        ClientKeys(PublishedKeys(outbound, clock)),
        stores.redis.limits(settings.limits, clock),
    )


async def _first_look(parts: Parts) -> None:
    """Load the keys; where that fails the process is not ready, and says why."""
    try:
        await parts.keyring.load()
    except (KeyStoreUnavailable, KeyRecordCorrupt) as error:
        _log.error("keys.not_loaded", reason=str(error))
    except KeysError as error:
        _log.warning("keys.not_maintained", reason=str(error))
    await parts.readiness.look_at_schema()


def _beside(parts: Parts) -> dict[str, Task]:
    """Return what runs beside the requests, by name."""
    sql, clock, keyring = parts.stores.sql, parts.clock, parts.keyring
    watch = parts.watch
    mint = mint_of(parts, Handles(parts.stores.secrets))
    telling = Telling(
        parts.stores.redis.notices, sql.followed_clients, mint, parts.outbound, parts.audit
    )
    measuring = (
        watch.tasks(keyring, parts.settings.key_policy, clock, parts.stores.pools) if watch else {}
    )
    return {
        "keys": keyring.follow,
        "clients": sql.followed_clients.follow,
        "apis": sql.followed_apis.follow,
        "guilds": sql.followed_guilds.follow,
        "origins": parts.origins.follow,
        "upstreams": lambda stop: follow(parts.upstreams, stop),
        "schema": parts.readiness.follow_schema,
        "outbox": lambda stop: drain(sql.outbox, parts.stores.carry, stop, clock=clock),
        "logout": telling.run,
        "limits": parts.limits.follow,
        "deletions": lambda stop: delete_accounts(
            sql.own, parts.stores.redis.accounts, clock, stop
        ),
        "housekeeping": lambda stop: clean(sql, parts.settings.audit_lifetime, clock, stop),
        **parts.stores.redis.beside(),
        **measuring,
    }


def edge_config(settings: Settings, upstreams: Mapping[str, Upstream]) -> EdgeConfig:
    """Return the edge's settings."""
    return EdgeConfig(
        issuer=settings.public_issuer,
        secure=settings.public_issuer.startswith("https:"),
        brand=settings.brand_name,
        look=look(settings),
        providers=providers(settings),
        upstream_origins=lambda: origins(settings, upstreams),
        trusted_proxies=settings.trusted_proxies,
        session_lifetime=settings.session_lifetime,
        browser_lifetime=settings.session_lifetime,
    )
