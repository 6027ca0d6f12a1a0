"""Redis, SQL and the signing keys, as this installation reaches them."""

import time
from typing import Any

from sqlalchemy import text

from broker.app.clock import SystemClock
from broker.app.registration import faults
from broker.app.settings import Settings
from broker.app.stores import Stores
from broker.core.errors import BrokerError, StoreUnavailable
from broker.doctor.model import Finding, fail, ok, warn
from broker.stores.redis import health
from broker.stores.sql import schema
from keys.errors import KeysError
from keys.plan import plan
from keys.risks import Risk, look_at_seals

SLOW = 0.02  # seconds for a round trip
OLDEST_REDIS = (6, 2)
MOST_TOLD = 20  # clients whose registration is not sound
WORST = ("no-keys", "nothing-signs", "unopenable", "overdue", "revoked-trusted")


async def redis(stores: Stores, settings: Settings) -> list[Finding]:
    """Judge Redis: whether it answers, never evicts, is new, near, keeps, and has its replicas."""
    fault = await health(stores.redis.client)
    if fault is not None:
        return [fail("Redis", fault, _back("Redis", "BROKER_REDIS_URL", settings.redis_url))]
    client: Any = stores.redis.client
    began = time.perf_counter()
    await client.ping()
    took = time.perf_counter() - began
    info = await client.info()
    info = next(iter(info.values())) if "redis_version" not in info else info
    found = [_version(info), _near("round trip", took)]
    found.append(_persistence(info, embedded=settings.redis_url is None))
    if settings.redis_replicas:
        have = int(info.get("connected_slaves", 0))
        wanted = settings.redis_replicas
        found.append(
            ok("replicas", f"{have} are connected, endings wait for {wanted}")
            if have >= wanted
            else fail(
                "replicas",
                f"{have} are connected, endings wait for {wanted}",
                "add replicas, or lower BROKER_REDIS_REPLICAS: sign-outs fail until then",
            )
        )
    return found


def _back(store: str, setting: str, address: object) -> str:
    """Return what brings a store back: one of the operator's, or our own."""
    if address is None:
        return "see the data directory: its disk, its owner, and whose files are in it"
    return f"start {store}, or correct {setting}"


def _version(info: dict[str, Any]) -> Finding:
    version = str(info.get("redis_version", "0"))  # Valkey tells which one it is compatible with
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts < OLDEST_REDIS:
        return fail("version", f"Redis {version}", "6.2 or newer is needed")
    if valkey := info.get("valkey_version"):
        return ok("version", f"Valkey {valkey}, as Redis {version}")
    return ok("version", f"Redis {version}")


def _near(name: str, took: float) -> Finding:
    seen = f"{took * 1000:.1f} ms"
    if took > SLOW:
        return warn(name, seen, "every token costs one: bring the store nearer")
    return ok(name, seen)


def _persistence(info: dict[str, Any], *, embedded: bool) -> Finding:
    if embedded or int(info.get("aof_enabled", 0)):
        return ok("persistence", "appendonly is on: what was acknowledged survives a crash")
    return warn(
        "persistence",
        "appendonly is off: after a crash people sign in again, and endings may be lost",
        "appendonly yes, appendfsync always (or everysec, which may lose a second)",
    )


async def sql(stores: Stores, settings: Settings) -> list[Finding]:
    """Judge SQL: whether it answers, its schema, and its clock."""
    try:
        began = time.perf_counter()
        await stores.sql.ping()
        took = time.perf_counter() - began
        known = await schema.status(stores.sql.engine)
    except StoreUnavailable as error:
        cure = _back("the database", "BROKER_DATABASE_URL", settings.database_url)
        return [fail("SQL", error.private or error.public, cure)]
    except BrokerError as error:
        return [fail("SQL", error.public, "see BROKER_DATABASE_URL")]
    kind = stores.sql.engine.dialect.name
    found = [ok("database", f"{kind}, {took * 1000:.1f} ms")]
    found.append(_schema(known, embedded=settings.database_url is None))
    if kind == "postgresql":
        found.append(await _clock(stores, settings))
    return found


def _schema(known: schema.SchemaStatus, *, embedded: bool) -> Finding:
    seen = f"at {known.current or 'nothing'}, this version wants {known.head}"
    if known.newer and known.usable:
        cure = "expected while an upgrade is under way; else install the newer version here too"
        return warn("schema", f"{seen}: made by a newer version, and usable", cure)
    if known.newer:
        return fail("schema", f"{seen}: made by a newer version", "install that version here too")
    if known.usable:
        return ok("schema", f"at {known.current}, as this version wants it")
    if embedded:
        return ok("schema", f"{seen}: brought up to date at the next start")
    return fail("schema", seen, "broker db upgrade")


async def fits(stores: Stores) -> bool:
    """Whether the schema is one that this version can read."""
    return (await schema.status(stores.sql.engine)).usable


async def _clock(stores: Stores, settings: Settings) -> Finding:
    """Compare PostgreSQL's clock with this machine's."""
    async with stores.sql.engine.connect() as connection:
        asked = text("SELECT extract(epoch FROM clock_timestamp())")
        theirs = float((await connection.execute(asked)).scalar_one())
    apart = abs(theirs - SystemClock().now())
    seen = f"{apart:.1f} s apart from the database's"
    if apart > settings.clock_skew / 2:
        return fail("clock", seen, "keep time by NTP on both: tokens and keys go by it")
    return ok("clock", seen)


async def keys(stores: Stores, settings: Settings) -> list[Finding]:
    """Judge the signing keys: whether one signs, and what is at risk."""
    try:
        records = await stores.keys.all()
    except KeysError as error:
        return [fail("keys", str(error), "see the store they are in")]
    if not records:
        return [ok("keys", "none yet: the first start makes them")]
    now, seals = SystemClock().now(), look_at_seals(records, stores.vault)
    policy = settings.key_policy
    found = plan(records, settings.algorithms, now, policy, policy.period, seals=seals)
    if not found.risks:
        return [ok("keys", "one signs, its successor is known to every cache")]
    return [_risk(one) for one in found.risks]


def _risk(risk: Risk) -> Finding:
    seen = f"{risk.kind.replace('-', ' ')}: {risk.alg}{f' {risk.kid[:8]}' if risk.kid else ''}"
    told = fail if risk.kind in WORST else warn
    return told("keys", seen, "broker keys plan says more")


async def clients(stores: Stores, settings: Settings) -> list[Finding]:
    """Judge each registration by the settings of today: it was sound by those of its last edit.

    A policy for everybody, for one, counts with each client's own.
    """
    every = [one.client for one in await stores.sql.clients.list() if not one.client.disabled]
    unsound = [(client, wrong) for client in every for wrong in faults(client, settings)[:1]]
    if not unsound:
        return [ok("registrations", f"sound by the settings of today: {len(every)}")]
    told = [
        warn(
            client.client_id,
            f"by the settings of today its {wrong.field} would be refused: {wrong.reason}",
            f"broker clients edit {client.client_id}, or change the settings back",
        )
        for client, wrong in unsound[:MOST_TOLD]
    ]
    if len(unsound) > MOST_TOLD:
        told.append(warn("more", f"{len(unsound) - MOST_TOLD} others", "see to these first"))
    return told
