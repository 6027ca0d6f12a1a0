"""Other people's sign-in, as the core sees it: profiles, their tokens, what they tell later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from broker.core.community.model import Community
from broker.core.community.needs import Needs
from broker.core.model import Profile


@dataclass(frozen=True, slots=True)
class UpstreamAuthorization:
    """What an upstream lets us do for a person; no part of it shows in a log.

    Attributes:
        access_token: for the upstream's API.
        refresh_token: for a newer one, or None. Discord's are good once.
        scope: what was granted, which may be less than was asked for.
        expires_at: of the access token, UTC seconds; None where the upstream does not say.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scope: tuple[str, ...]
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What came of a trip upstream.

    Attributes:
        profile: who it is.
        authorization: what we may do for that person from now on, or None where the upstream gives
            nothing worth keeping.
        auth_time: when the person authenticated there, UTC seconds; 0 where the upstream should
            have said so and did not, None for one that never does.
    """

    profile: Profile
    authorization: UpstreamAuthorization | None = None
    auth_time: float | None = None


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose an upstream's access token is, and to which application it was issued.

    Attributes:
        application: client id of the application, at the upstream.
        scope: what the token may do.
        expires_at: UTC seconds, or None where the upstream does not say.
    """

    application: str
    scope: tuple[str, ...]
    expires_at: float | None


class Upstream(Protocol):
    """Somebody else's sign-in: Discord, GitHub, an OpenID provider.

    Attributes:
        name: in our addresses and in SQL: ``discord``.
        title: as people read it: ``Discord``.
    """

    name: str
    title: str

    async def authorization_url(
        self, *, state: str, verifier: str, prompt: str, login_hint: str, needs: Needs
    ) -> str:
        """Return where to send the browser.

        Args:
            state: binds the answer to this trip (RFC 6749 §10.12).
            verifier: PKCE code verifier; a nonce, where one is sent, is derived from it.
            prompt: ``none``: pass through where it was approved before; ``consent``: ask.
            login_hint: who is expected, or empty.
            needs: what has to be known; no scope is asked for but what that takes.

        Raises:
            UpstreamUnavailable: its discovery document was never read, and cannot be now.
        """
        ...

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        ...

    async def fetch(self, *, code: str, verifier: str) -> SignedIn:
        """Exchange the code and read the profile.

        Raises:
            UpstreamUnavailable: it did not answer in time, is over its limits or failed.
            UpstreamRejected: the code is not good, or the answer makes no sense.
        """
        ...


@runtime_checkable
class IssuerUpstream(Upstream, Protocol):
    """An upstream that has an issuer, which its answers may name (RFC 9207): OpenID providers."""

    async def answered(self, issuer: str | None) -> bool:
        """Whether a callback that names this issuer, or none, can be its answer (RFC 9207 §2.4).

        Raises:
            UpstreamUnavailable: its discovery document was never read, and cannot be now.
        """
        ...


class Telling(Protocol):
    """As much of an upstream as it takes to keep fresh what is known of its people.

    Attributes:
        name: in our addresses and in SQL.
    """

    name: str

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        ...

    async def community(
        self, access_token: str, needs: Needs, *, waiting: bool = False
    ) -> Community:
        """Read the standings and the list that are needed, as of now.

        Args:
            access_token: the person's.
            needs: which.
            waiting: whether a person waits for it, as at a sign-in: that goes before what only
                keeps what is known fresh.

        Raises:
            UpstreamUnavailable: no sound answer in time; nothing partial is returned.
            AuthorizationLost: the token is not good any more.
        """
        ...

    async def renew(self, refresh_token: str) -> UpstreamAuthorization:
        """Spend a refresh token.

        Raises:
            UpstreamUnavailable: no answer came; the token may be spent.
            AuthorizationLost: it was refused.
        """
        ...


@runtime_checkable
class CommunityUpstream(Upstream, Telling, Protocol):
    """An upstream that goes on telling of its people after they have signed in: Discord.

    Attributes:
        application: our client id there; its tokens name the application they were issued to.
    """

    application: str

    async def owner(self, access_token: str) -> TokenOwner:
        """Return to which application a token was issued.

        Raises:
            UpstreamUnavailable: no sound answer in time.
            AuthorizationLost: the token is not good.
        """
        ...

    async def profile(self, access_token: str) -> Profile:
        """Read the profile of a token's person.

        Raises:
            UpstreamUnavailable: no sound answer in time.
            UpstreamRejected: the answer makes no sense, or it is no person's account.
            AuthorizationLost: the token is not good.
        """
        ...

    async def revoke(self, token: str) -> None:
        """Give an authorization back, as far as that can be done now; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class KeptAuthorization:
    """An authorization as kept in SQL.

    Attributes:
        authorization: opened.
        version: grows each time it is replaced.
        lost: whether it was refused since: its person has to sign in again.
    """

    authorization: UpstreamAuthorization
    version: int
    lost: bool = False


class Authorizations(Protocol):
    """What upstreams let us do, sealed, one an identity (SQL).

    An upstream's refresh token may be good once: whoever wants to spend one takes the lease first,
    and keeps the new authorization before using it.
    """

    async def keep(
        self,
        account_id: str,
        upstream: str,
        authorization: UpstreamAuthorization,
        *,
        now: float,
        version: int | None = None,
    ) -> bool:
        """Replace what is kept for the account's identity at the upstream; ends a lease.

        Whoever has renewed a version names it: what a sign-in has put in its place since stays.
        Returns whether it was kept; it is not where the account has no identity there (any more).
        """
        ...

    async def get(self, account_id: str, upstream: str) -> KeptAuthorization | None:
        """Return what is kept, or None."""
        ...

    async def lease(
        self, account_id: str, upstream: str, *, version: int, now: float, seconds: float
    ) -> bool:
        """Take the right to renew this version for so long; False where another has it."""
        ...

    async def lose(self, account_id: str, upstream: str, *, version: int, now: float) -> None:
        """Mark this version as refused; a newer one stays as it is."""
        ...

    async def forget(self, account_id: str, upstream: str) -> None:
        """Remove what is kept; idempotent."""
        ...
