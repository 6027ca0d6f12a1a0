"""An installation, looked at from inside: settings, stores, keys, upstreams, the public address.

Each part is judged by itself, so that one that is away hides none of the others.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from broker.app.checks import check_serving
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.problems import Refused
from broker.app.settings import Settings
from broker.app.stores import Stores, open_stores
from broker.app.upstreams import callback, discord_settings, reaching
from broker.doctor.checks import inside, stores_inside
from broker.doctor.examine import examine, unreachable
from broker.doctor.fetching import Fetcher
from broker.doctor.gathering import gather
from broker.doctor.model import Finding, Section, Silence, Trouble, Verdict, fail, ok, warn
from broker.upstream.base import BoundedTransport

CONNECTIONS = 4
PATIENCE = 10.0  # seconds for the public address


async def look(
    settings: Settings, redis_url: str, unknown: Sequence[str], *, outside: bool = True
) -> tuple[Section, ...]:
    """Judge an installation.

    Args:
        settings: as they would be served with.
        redis_url: the Redis to look at.
        unknown: names of BROKER_ variables that set nothing.
        outside: whether to look at the issuer's address as well.
    """
    found = [Section("Settings", (*_settings(settings), *inside.settings(settings, unknown)))]
    found += await _stores(settings, redis_url)
    found.append(Section("Discord", tuple(await _discord(settings))))
    if settings.upstreams:
        found.append(Section("Other upstreams", tuple(await _upstreams(settings))))
    return (*found, *(await _outside(settings) if outside else ()))


def begun(settings: Settings) -> bool:
    """Whether anything is in the data directory: an embedded store is not begun by looking."""
    try:
        return settings.data_dir.is_dir() and any(settings.data_dir.iterdir())
    except PermissionError:
        return True  # whoever opens it says so


async def _stores(settings: Settings, redis_url: str) -> list[Section]:
    """Look at what is kept; an embedded store that was never begun is not begun here."""
    embedded = settings.redis_url is None or settings.database_url is None
    if embedded and not begun(settings):
        state = "is empty" if settings.data_dir.is_dir() else "is not there"
        seen = f"{settings.data_dir} {state} yet: the first start makes what is needed"
        return [Section("Stores", (ok("data directory", seen),))]
    try:
        async with _opened(settings, redis_url) as stores:
            redis = await stores_inside.redis(stores, settings)
            sql = await stores_inside.sql(stores, settings)
            told = [Section("Redis", tuple(redis)), Section("SQL", tuple(sql))]
            if any(one.verdict is Verdict.FAIL for one in sql) or not await stores_inside.fits(
                stores
            ):
                return told
            keys = await stores_inside.keys(stores, settings)
            clients = await stores_inside.clients(stores, settings)
            return [*told, Section("Keys", tuple(keys)), Section("Clients", tuple(clients))]
    except Refused as error:
        return [Section("Stores", tuple(_refused(error)))]


@asynccontextmanager
async def _opened(settings: Settings, redis_url: str) -> AsyncIterator[Stores]:
    async with open_stores(settings, SystemClock(), SystemEntropy(), redis_url) as stores:
        yield stores


def _settings(settings: Settings) -> list[Finding]:
    try:
        check_serving(settings)
    except Refused as error:
        return _refused(error)
    return [ok("rules", "every setting is sound, and they fit together")]


def _refused(error: Refused) -> list[Finding]:
    return [
        fail(
            one.setting.removeprefix("BROKER_").lower(),
            one.reason,
            f"{'set' if one.reason.startswith('not set') else 'change'} {one.setting}",
        )
        for one in error.problems
    ]


async def _discord(settings: Settings) -> list[Finding]:
    if not settings.discord_client_id:
        seen = "none is set: people cannot sign in with Discord"
        return [warn("application", seen, "set BROKER_DISCORD_CLIENT_ID and its secret")]
    transport = BoundedTransport()
    try:
        return await inside.discord(discord_settings(settings), transport)
    finally:
        await transport.shut()


async def _upstreams(settings: Settings) -> list[Finding]:
    async with reaching(settings, SystemClock()) as every:
        told = [await inside.upstream(one, callback(settings, name)) for name, one in every.items()]
        return [finding for findings in told for finding in findings]


async def _outside(settings: Settings) -> tuple[Section, ...]:
    """Look at the public address as services do."""
    clock, issuer = SystemClock(), settings.public_issuer
    fetcher = Fetcher(clock, timeout=PATIENCE, trust=None)
    evidence = await gather(issuer, fetcher, clock.now(), connections=CONNECTIONS)
    reason = unreachable(evidence)
    if reason is None:
        return examine(evidence)
    cure = "start the broker (broker serve), or see why its address does not lead to it"
    end = evidence.discovery.end
    if isinstance(end, Silence) and end.trouble is Trouble.NAME:
        cure = "give the name an address (DNS), or correct BROKER_ISSUER"
    return (Section("Front door", (warn("address", f"{issuer}: {reason}", cure),)),)
