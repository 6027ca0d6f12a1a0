"""The core's services, each handed what it needs: what sign-in, token endpoint and pages call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.app.enrolling import enrolment
from broker.app.manual import manual, with_built_in
from broker.app.origins import Origins
from broker.app.policies import deployment_policy
from broker.app.published import provider_metadata, server_metadata
from broker.app.readiness import Readiness
from broker.app.settings import Settings
from broker.app.stores import Stores
from broker.core import metadata
from broker.core.access import Access
from broker.core.account.pages import AccountPages
from broker.core.assertions import Assertions
from broker.core.client_keys import ClientKeys
from broker.core.community.recheck import Ages, Recheck, Shelves, uncounted
from broker.core.csrf import FormTokens
from broker.core.desk import Desk
from broker.core.device.authorization import DeviceAuthorization
from broker.core.device.person import DevicePages
from broker.core.device.user_codes import UserCodes
from broker.core.dpop import Nonces, Proofs
from broker.core.enrolment import Enrolment
from broker.core.events import DiscordEvents, public_key
from broker.core.federation import CommunityUpstream, Upstream
from broker.core.grants import Counter, GrantType, TokenEndpoint
from broker.core.grants.code import CodeGrant
from broker.core.grants.device import DeviceGrant
from broker.core.grants.exchange import ExchangeGrant
from broker.core.grants.exchange_upstream import UpstreamExchange
from broker.core.grants.exchanges import Exchanges
from broker.core.grants.machine import ClientCredentialsGrant
from broker.core.grants.refresh import RefreshGrant
from broker.core.grants.upstream_token import UpstreamTokens
from broker.core.handles import Handles
from broker.core.interaction import SignIn
from broker.core.introspection import Introspection
from broker.core.logout import Logout
from broker.core.policy.rules import Rulebook
from broker.core.ports import Audit, Clients, Clock, Entropy
from broker.core.pushed import PushedRequests
from broker.core.renewal import Renewal
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
from broker.stores.redis.limits import RedisLimits
from broker.upstream.outbound import Outbound
from broker.web.services import Services
from keys.keyring import Keyring

if TYPE_CHECKING:  # it loads the metrics library
    from broker.app.watching import Watch


@dataclass(frozen=True, slots=True)
class Parts:
    """What services and background work are made of."""

    settings: Settings
    stores: Stores
    keyring: Keyring
    readiness: Readiness
    origins: Origins
    upstreams: dict[str, Upstream]
    clock: Clock
    entropy: Entropy
    watch: "Watch | None"
    outbound: Outbound
    client_keys: ClientKeys
    limits: RedisLimits

    @property
    def clients(self) -> Clients:
        """Who may ask for tokens."""
        return with_built_in(self.settings, self.stores.sql.followed_clients)

    @property
    def audit(self) -> Audit:
        """The audit log; counted, where metrics are wanted."""
        found = self.stores.sql.audit
        return self.watch.audit(found) if self.watch else found


def services(parts: Parts) -> Services:
    """Make everything that the edge calls."""
    issuer, handles = parts.settings.public_issuer, Handles(parts.stores.secrets)
    mint = mint_of(parts, handles)
    renewal = Renewal(parts.stores.sql.authorizations, parts.clock)
    access = access_of(parts, renewal)
    desk, counter = _desk(parts, handles, mint, access), _counter(parts, handles, mint, access)
    devices, user_codes = parts.stores.redis.devices, UserCodes(parts.stores.secrets)
    grants: dict[str, GrantType] = {
        GRANT_CODE: CodeGrant(counter),
        GRANT_REFRESH: RefreshGrant(counter),
        GRANT_DEVICE: DeviceGrant(counter, devices),
        GRANT_CLIENT: ClientCredentialsGrant(counter),
        GRANT_EXCHANGE: Exchanges(
            ExchangeGrant(counter),
            UpstreamExchange(desk, counter, parts.stores.redis.offers(parts.clock)),
            UpstreamTokens(counter, parts.upstreams, renewal),
        ),
    }
    return Services(
        sign_in=SignIn(desk),
        account=AccountPages(desk),
        token=TokenEndpoint(counter, grants, parts.watch.requests.grant if parts.watch else None),
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
        events=_events(parts),
        dpop_nonce=counter.proofs.next_nonce,
        limits=parts.limits,
        observe=parts.watch.requests.request if parts.watch else None,
        manual=manual(parts.settings),
    )


def desk_of(parts: Parts) -> Desk:
    """Return what a sign-in has at hand, for a part that is made of these services."""
    handles = Handles(parts.stores.secrets)
    access = access_of(parts, Renewal(parts.stores.sql.authorizations, parts.clock))
    return _desk(parts, handles, mint_of(parts, handles), access)


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


def _events(parts: Parts) -> DiscordEvents | None:
    """Return what takes Discord's events, where there is a key that proves them."""
    settings = parts.settings
    if not settings.discord_public_key:
        return None
    return DiscordEvents(
        public_key(settings.discord_public_key),
        settings.discord_client_id,
        parts.stores.sql.accounts,
        parts.stores.redis.accounts,
        clock=parts.clock,
        skew=settings.lifetimes.skew,
    )


def mint_of(parts: Parts, handles: Handles) -> Mint:
    """Return what makes tokens."""
    keys = parts.watch.keys(parts.keyring) if parts.watch else parts.keyring
    signing = SigningAlgorithms(parts.stores.sql.followed_apis, parts.settings.algorithms)
    issuer, lifetimes = parts.settings.public_issuer, parts.settings.lifetimes
    return Mint(issuer, keys, handles, parts.clock, parts.entropy, lifetimes, signing)


def access_of(parts: Parts, renewal: Renewal) -> Access:
    """Return what judges people, and keeps what is known of their communities fresh."""
    sql, redis, lifetimes = parts.stores.sql, parts.stores.redis, parts.settings.lifetimes
    tells = (one for one in parts.upstreams.values() if isinstance(one, CommunityUpstream))
    recheck = Recheck(
        next(tells, None),
        Shelves(sql.accounts, redis.accounts, redis.turns, renewal, parts.origins.guilds),
        Ages(lifetimes.membership_fresh, lifetimes.membership_stale),
        clock=parts.clock,
        entropy=parts.entropy,
        count=parts.watch.checks() if parts.watch else uncounted,
    )
    return Access(Rulebook(deployment_policy(parts.settings)), sql.followed_guilds, recheck)


def _counter(parts: Parts, handles: Handles, mint: Mint, access: Access) -> Counter:
    """Return what the token endpoint has at hand."""
    sql, redis = parts.stores.sql, parts.stores.redis
    return Counter(
        clients=parts.clients,
        accounts=sql.accounts,
        states=redis.accounts,
        grants=redis.grants,
        audit=parts.audit,
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
        access=access,
        limits=parts.limits,
    )


def _proofs(parts: Parts) -> Proofs:
    """Return what judges DPoP proofs."""
    settings, clock = parts.settings, parts.clock
    nonces = Nonces(parts.stores.secrets, clock) if settings.dpop_nonces else None
    skew = settings.lifetimes.skew
    return Proofs(settings.public_issuer, parts.stores.redis.once, clock, skew, nonces)


def _desk(parts: Parts, handles: Handles, mint: Mint, access: Access) -> Desk:
    """Return what a sign-in has at hand."""
    sql, redis = parts.stores.sql, parts.stores.redis
    return Desk(
        issuer=parts.settings.public_issuer,
        clients=parts.clients,
        accounts=sql.accounts,
        states=redis.accounts,
        sessions=redis.sessions,
        requests=redis.requests,
        audit=parts.audit,
        upstreams=parts.upstreams,
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
        access=access,
        authorizations=sql.authorizations,
        identities=sql.identities,
        own=sql.own,
    )
