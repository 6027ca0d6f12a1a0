"""The composition root: makes every part, hands each what it needs, runs what runs beside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp

from broker.app.background import Task, clean, running
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.enrolling import enrolment
from broker.app.origins import Origins
from broker.app.pauses import SharedPauses
from broker.app.published import provider_metadata, server_metadata
from broker.app.readiness import Readiness
from broker.app.settings import Settings
from broker.app.stores import KeyNews, Stores, open_stores
from broker.app.telling import Telling
from broker.core import metadata
from broker.core.assertions import Assertions
from broker.core.client_keys import ClientKeys
from broker.core.csrf import FormTokens
from broker.core.desk import Desk
from broker.core.device.authorization import DeviceAuthorization
from broker.core.device.person import DevicePages
from broker.core.device.user_codes import UserCodes
from broker.core.dpop import Nonces, Proofs
from broker.core.enrolment import Enrolment
from broker.core.federation import Upstream
from broker.core.grants import Counter, GrantType, TokenEndpoint
from broker.core.grants.code import CodeGrant
from broker.core.grants.device import DeviceGrant
from broker.core.grants.exchange import ExchangeGrant
from broker.core.grants.machine import ClientCredentialsGrant
from broker.core.grants.refresh import RefreshGrant
from broker.core.handles import Handles
from broker.core.interaction import SignIn
from broker.core.introspection import Introspection
from broker.core.logout import Logout
from broker.core.ports import Clock, Entropy
from broker.core.published_keys import PublishedKeys
from broker.core.pushed import PushedRequests
from broker.core.request_objects import RequestObjects
from broker.core.signing import SigningAlgorithms
from broker.core.tokeninfo import TokenInfo
from broker.core.tokens import Mint
from broker.core.vocabulary import (
    GRANT_CLIENT,
    GRANT_CODE,
    GRANT_DEVICE,
    GRANT_EXCHANGE,
    GRANT_REFRESH,
)
from broker.stores.sql.drain import drain
from broker.upstream.base import BoundedTransport
from broker.upstream.discord import Discord, DiscordSettings
from broker.upstream.outbound import Outbound
from broker.web.app import build
from broker.web.services import EdgeConfig, Services
from keys.errors import KeyRecordCorrupt, KeysError, KeyStoreUnavailable
from keys.keyring import Keyring

if TYPE_CHECKING:  # it loads the metrics library
    from broker.app.watching import Watch

_log = structlog.get_logger("broker.app")


@dataclass(frozen=True, slots=True)
class Parts:
    """What services and background work are made of."""

    settings: Settings
    stores: Stores
    keyring: Keyring
    readiness: Readiness
    origins: Origins
    upstream: Upstream
    clock: Clock
    entropy: Entropy
    watch: "Watch | None"
    outbound: Outbound
    client_keys: ClientKeys


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
) -> AsyncIterator[Broker]:
    """Make a broker and run what runs beside its requests, until the block ends.

    A store that is out of reach does not keep it from starting: it is not ready until then.

    Args:
        settings: checked before.
        redis_url: the Redis to use: the one configured, or the embedded one.
        clock: time, the machine's unless given.
        entropy: randomness, the machine's unless given.
        watch: measures what goes on, where metrics are wanted.

    Raises:
        Refused: the operator's secret cannot be read.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    transport = BoundedTransport()
    try:
        async with open_stores(settings, clock, entropy, redis_url) as stores:
            parts = _parts(settings, stores, transport, clock, entropy, watch=watch)
            await _first_look(parts)
            async with running(_beside(parts)):
                web = build(_services(parts), edge_config(settings))
                yield Broker(web, stores, parts.keyring, parts.readiness)
    finally:
        await transport.shut()


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
    pauses = SharedPauses(stores.redis.client, f"{settings.redis_prefix}:", clock)
    outbound = Outbound(settings.outbound_allow)
    return Parts(
        settings,
        stores,
        keyring,
        Readiness(stores, keyring.ready, clock),
        Origins(stores.sql.clients, clock),
        Discord(discord_settings(settings), transport, clock, pauses),
        clock,
        entropy,
        watch,
        outbound,
        ClientKeys(PublishedKeys(outbound, clock)),
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


def _services(parts: Parts) -> Services:
    """Make the core's services."""
    issuer, handles = parts.settings.public_issuer, Handles(parts.stores.secrets)
    mint = _mint(parts, handles)
    desk, counter = _desk(parts, handles, mint), _counter(parts, handles, mint)
    devices, user_codes = parts.stores.redis.devices, UserCodes(parts.stores.secrets)
    grants: dict[str, GrantType] = {
        GRANT_CODE: CodeGrant(counter),
        GRANT_REFRESH: RefreshGrant(counter),
        GRANT_DEVICE: DeviceGrant(counter, devices),
        GRANT_CLIENT: ClientCredentialsGrant(counter),
        GRANT_EXCHANGE: ExchangeGrant(counter),
    }
    return Services(
        sign_in=SignIn(desk),
        token=TokenEndpoint(counter, grants),
        pushed=PushedRequests(desk, counter),
        token_info=TokenInfo(counter),
        introspection=Introspection(counter),
        logout=Logout(desk, mint),
        device_authorization=DeviceAuthorization(counter, devices, user_codes, issuer),
        device=DevicePages(desk, user_codes, parts.stores.redis.guesses(parts.clock)),
        jwks=parts.keyring.jwks,
        ready=parts.readiness.checks,
        openid_configuration=metadata.encoded(provider_metadata(parts.settings)),
        authorization_server=metadata.encoded(server_metadata(parts.settings)),
        allowed_origins=parts.origins.allows,
        entropy=parts.entropy,
        registration=_enrolment(parts, handles),
        dpop_nonce=counter.proofs.next_nonce,
    )


def _enrolment(parts: Parts, handles: Handles) -> Enrolment | None:
    """Return what lets clients register themselves, where that is on."""
    return enrolment(
        parts.settings,
        parts.stores.sql,
        parts.stores.redis,
        handles=handles,
        outbound=parts.outbound,
        clock=parts.clock,
        entropy=parts.entropy,
        changed=parts.origins.forget,
    )


def _mint(parts: Parts, handles: Handles) -> Mint:
    """Return what makes tokens."""
    keys = parts.watch.keys(parts.keyring) if parts.watch else parts.keyring
    signing = SigningAlgorithms(parts.stores.sql.followed_apis, parts.settings.algorithms)
    issuer, lifetimes = parts.settings.public_issuer, parts.settings.lifetimes
    return Mint(issuer, keys, handles, parts.clock, parts.entropy, lifetimes, signing)


def _counter(parts: Parts, handles: Handles, mint: Mint) -> Counter:
    """Return what the token endpoint has at hand."""
    sql, redis = parts.stores.sql, parts.stores.redis
    return Counter(
        clients=sql.followed_clients,
        accounts=sql.accounts,
        states=redis.accounts,
        grants=redis.grants,
        audit=sql.audit,
        handles=handles,
        mint=mint,
        clock=parts.clock,
        entropy=parts.entropy,
        lifetimes=parts.settings.lifetimes,
        assertions=Assertions(
            parts.settings.public_issuer,
            sql.followed_clients,
            parts.client_keys,
            redis.once,
            clock=parts.clock,
            skew=parts.settings.lifetimes.skew,
        ),
        proofs=_proofs(parts),
    )


def _proofs(parts: Parts) -> Proofs:
    """Return what judges DPoP proofs."""
    settings, clock = parts.settings, parts.clock
    nonces = Nonces(parts.stores.secrets, clock) if settings.dpop_nonces else None
    skew = settings.lifetimes.skew
    return Proofs(settings.public_issuer, parts.stores.redis.once, clock, skew, nonces)


def _desk(parts: Parts, handles: Handles, mint: Mint) -> Desk:
    """Return what a sign-in has at hand."""
    sql, redis = parts.stores.sql, parts.stores.redis
    return Desk(
        issuer=parts.settings.public_issuer,
        clients=sql.followed_clients,
        accounts=sql.accounts,
        states=redis.accounts,
        sessions=redis.sessions,
        requests=redis.requests,
        audit=sql.audit,
        upstreams={parts.upstream.name: parts.upstream},
        handles=handles,
        forms=FormTokens(parts.stores.secrets),
        clock=parts.clock,
        entropy=parts.entropy,
        lifetimes=parts.settings.lifetimes,
        hint_subject=mint.hint_subject,
        signing=mint.signing,
        request_objects=RequestObjects(
            parts.settings.public_issuer,
            parts.client_keys,
            parts.clock,
            parts.settings.lifetimes.skew,
        ),
        devices=redis.devices,
    )


def _beside(parts: Parts) -> dict[str, Task]:
    """Return what runs beside the requests, by name."""
    sql, clock, keyring = parts.stores.sql, parts.clock, parts.keyring
    watch = parts.watch
    mint = _mint(parts, Handles(parts.stores.secrets))
    telling = Telling(
        parts.stores.redis.notices, sql.followed_clients, mint, parts.outbound, sql.audit
    )
    measuring = watch.tasks(keyring, parts.settings.key_policy, clock) if watch else {}
    return {
        "keys": keyring.follow,
        "clients": sql.followed_clients.follow,
        "apis": sql.followed_apis.follow,
        "origins": parts.origins.follow,
        "schema": parts.readiness.follow_schema,
        "outbox": lambda stop: drain(sql.outbox, parts.stores.carry, stop, clock=clock),
        "logout": telling.run,
        "housekeeping": lambda stop: clean(sql, parts.settings.audit_lifetime, clock, stop),
        **measuring,
    }


def discord_settings(settings: Settings) -> DiscordSettings:
    """Return how to reach Discord, and as whom."""
    return DiscordSettings(
        client_id=settings.discord_client_id,
        client_secret=settings.discord_client_secret.get_secret_value(),
        redirect_uri=f"{settings.public_issuer}/login/discord/callback",
        authorize_url=settings.discord_authorize_url,
        api_url=settings.discord_api_url.rstrip("/"),
        cdn_url=settings.discord_cdn_url.rstrip("/"),
        timeout=settings.discord_timeout,
    )


def edge_config(settings: Settings) -> EdgeConfig:
    """Return the edge's settings."""
    return EdgeConfig(
        issuer=settings.public_issuer,
        secure=settings.public_issuer.startswith("https:"),
        brand=settings.brand_name,
        upstream_origins=(_origin(settings.discord_authorize_url),),
        trusted_proxies=settings.trusted_proxies,
        session_lifetime=settings.session_lifetime,
        browser_lifetime=settings.session_lifetime,
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
