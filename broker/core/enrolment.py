"""Clients that register themselves: RFC 7591, RFC 7592, OpenID Connect Dynamic Registration 1.0.

Such a client is never first-party, always uses PKCE, and gets no more than what is safe in
anybody's hands; what an operator gave it since, it keeps when it edits itself.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from broker.core import redirects, registration, tickets
from broker.core import vocabulary as v
from broker.core.client import Client, ClientSecret
from broker.core.clients import digest
from broker.core.enrolled import Admission, Admissions, Enrolled, Records
from broker.core.errors import (
    InvalidClientMetadata,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    OutboundError,
    TooManyRequests,
    Unavailable,
)
from broker.core.handles import Handles
from broker.core.pkce import encode
from broker.core.ports import Clients, Clock, Entropy, Outbound
from broker.core.tickets import Ticket

GRANT_TYPES: Final = (v.GRANT_CODE, v.GRANT_REFRESH, v.GRANT_DEVICE)
WITH_SECRET: Final = (v.AUTH_BASIC, v.AUTH_POST)
SECTOR_LIMIT: Final = 65536  # bytes
ATTEMPTS: Final = 4  # at an edit, while others edit the same client

# What the answer says and a client's own edit must not (RFC 7592 §2.2).
OURS: Final = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
_NO_DIGEST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Answers ``/register`` and ``/register/{client_id}``.

    Attributes:
        issuer: ours.
        open: whether anybody may register; else a ticket is needed.
        clients: as followed.
        records: as kept.
        admissions: counts.
        judge: raises for what may not be registered.
        outbound: fetches sector documents.
        handles: opens tickets.
        clock: time.
        entropy: makes identifiers, secrets and tokens.
    """

    issuer: str
    open: bool
    clients: Clients
    records: Records
    admissions: Admissions
    judge: Callable[[Client], None]
    outbound: Outbound
    handles: Handles
    clock: Clock
    entropy: Entropy

    async def admit(self, token: str | None, address: str) -> Admission:
        """Let somebody register a client, before anything of what they send is read.

        Args:
            token: the initial access token, or None.
            address: whose request it is.

        Raises:
            TooManyRequests: registration is open, and this address has asked too often.
            MissingToken: a token is needed.
            InvalidToken: it is not ours, or has expired.
            StoreUnavailable: Redis is out of reach.
        """
        if self.open:
            wait = await self.admissions.attempt(address)
            if wait:
                raise TooManyRequests(wait)
            return Admission(None)
        if token is None:
            raise MissingToken
        ticket = tickets.read(self.handles, token)
        if ticket is None or ticket.expires_at <= self.clock.now():
            raise InvalidToken("The initial access token is invalid or expired")
        return Admission(ticket)

    async def register(self, given: Mapping[str, Any], admission: Admission) -> dict[str, Any]:
        """Register a client (RFC 7591 §3.1) and return what it is told (§3.2.1).

        Raises:
            InvalidRedirectUri: one cannot be registered.
            InvalidClientMetadata: anything else cannot.
            InvalidToken: the ticket is used up or revoked.
            StoreUnavailable: a store is out of reach.
        """
        token, client_id = encode(self.entropy.token(32)), self.entropy.token(12).hex()
        pkce = admission.ticket is None or admission.ticket.pkce
        blank = Client(client_id, "", require_pkce=pkce, registration_digest=digest(token))
        client, secret = self._described(given, blank)
        await self._check_sector(client)
        if admission.ticket is not None:
            await self._spend(admission.ticket)
        return self._told(await self.records.add(client), token, secret)

    async def read(self, client_id: str, token: str | None) -> dict[str, Any]:
        """Return a client's registration to itself (RFC 7592 §2.1).

        Raises:
            MissingToken, InvalidToken: it is not this client's token, or there is no such client.
            StoreUnavailable: SQL is out of reach.
        """
        return self._told(await self._own(client_id, token), token or "", None)

    async def change(
        self, client_id: str, token: str | None, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Replace a client's registration as it asks (RFC 7592 §2.2); what it omits is unset.

        Raises:
            MissingToken, InvalidToken: it is not this client's token, or there is no such client.
            InvalidRequest: it names what only we say.
            InvalidRedirectUri, InvalidClientMetadata: it cannot be registered so.
            StoreUnavailable: SQL is out of reach.
            Unavailable: others kept changing the same client.
        """
        for _ in range(ATTEMPTS):
            own = await self._own(client_id, token)
            client, secret = self._edited(given, own.client)
            if _sector_of(client) != _sector_of(own.client):
                await self._check_sector(client)
            done = await self.records.edit(client, own.version)
            if done is not None:
                return self._told(done, token or "", secret)
        raise Unavailable(private=f"client {client_id} is changed all the time")

    async def remove(self, client_id: str, token: str | None) -> None:
        """Remove a client for good (RFC 7592 §2.3); none of its tokens works here any more.

        Raises:
            MissingToken, InvalidToken: it is not this client's token, or there is no such client.
            StoreUnavailable: SQL is out of reach.
        """
        own = await self._own(client_id, token)
        if not await self.records.remove(own.client.client_id):
            raise InvalidToken(private="removed at the same time")

    async def _own(self, client_id: str, token: str | None) -> Enrolled:
        """Return the client whose registration access token this is, as it is now."""
        if token is None:
            raise MissingToken
        known = await self.clients.find(client_id)  # so that guesses do not reach SQL
        if _holds(known, token):
            record = await self.records.get(client_id)
            if record is not None and _holds(record.client, token):
                return record
        raise InvalidToken(private="no such client, or not its registration access token")

    def _edited(self, given: Mapping[str, Any], own: Client) -> tuple[Client, str | None]:
        if given.get("client_id") != own.client_id:
            raise InvalidClientMetadata("client_id: must be the client's (RFC 7592 §2.2)")
        named = next((name for name in OURS if name in given), None)
        if named is not None:
            raise InvalidRequest(f"{named} must not be sent (RFC 7592 §2.2)")
        secret = given.get("client_secret")
        if secret is not None and not _current(own, secret, self.clock.now()):
            raise InvalidClientMetadata("client_secret: is not the current one (RFC 7592 §2.2)")
        return self._described(given, own)

    def _described(self, given: Mapping[str, Any], own: Client) -> tuple[Client, str | None]:
        """Return the client as it asks to be, within bounds and judged, and any new secret."""
        client = bounded(registration.read(given, like=own), own)
        client, secret = self._with_secret(client)
        self.judge(client)
        return client, secret

    def _with_secret(self, client: Client) -> tuple[Client, str | None]:
        if client.auth_method not in WITH_SECRET:
            return replace(client, secrets=()), None
        if client.secrets:
            return client, None
        secret = encode(self.entropy.token(32))
        kept = ClientSecret(digest(secret), self.clock.now())
        return replace(client, secrets=(kept,)), secret

    async def _check_sector(self, client: Client) -> None:
        """The document lists all redirect URIs (Dynamic Registration §5)."""
        if client.sector_identifier_uri is None:
            return
        try:
            listed = (
                await self.outbound.get_json(client.sector_identifier_uri, limit=SECTOR_LIMIT)
            ).value
        except OutboundError as error:
            reason = f"cannot be read: {error.public}"
            raise registration.wrong("sector_identifier_uri", reason) from error
        if not isinstance(listed, list) or any(uri not in listed for uri in client.redirect_uris):
            reason = "must hold a JSON list that names every redirect URI"
            raise registration.wrong("sector_identifier_uri", reason)

    async def _spend(self, ticket: Ticket) -> None:
        if not await self.admissions.spend(ticket, now=self.clock.now()):
            raise InvalidToken("The initial access token is used up or revoked")

    def _told(self, record: Enrolled, token: str, secret: str | None) -> dict[str, Any]:
        """Return a registration as its client reads it (RFC 7591 §3.2.1, RFC 7592 §3)."""
        client = record.client
        told = registration.document(client)
        for member in registration.MEMBERS:
            if member.operator and member is not registration.IDENTIFIER:
                told.pop(member.name, None)
        told["client_id_issued_at"] = int(record.created_at)
        if secret is not None:
            told["client_secret"] = secret
        if client.secrets:
            told["client_secret_expires_at"] = int(client.secrets[0].expires_at or 0)
        told["registration_access_token"] = token
        told["registration_client_uri"] = (
            f"{self.issuer}/register/{quote(client.client_id, safe='')}"
        )
        return told


def bounded(client: Client, own: Client) -> Client:
    """Return the client within what one that registers itself may have.

    Args:
        client: as it asks to be.
        own: as it is; what an operator has given it stays.

    Raises:
        InvalidClientMetadata: it asks for a grant type that operators alone give.
    """
    extra = [one for one in client.grant_types if one not in {*GRANT_TYPES, *own.grant_types}]
    if extra:
        raise registration.wrong("grant_types", f"{extra[0]} is given by operators alone")
    rotates = own.rotate_refresh_tokens
    if client.held_to_fapi is not own.held_to_fapi:  # FAPI 2.0 Security Profile §5.3.2.1
        rotates = not client.held_to_fapi
    pkce = client.require_pkce or client.public
    client = replace(client, require_pkce=pkce, rotate_refresh_tokens=rotates)
    may = {*v.SCOPES, *own.scopes}
    scopes = tuple(scope for scope in client.scopes if scope in may)
    ours = redirects.web_origins(own) if own.public else ()
    if own.origins not in {ours, ()}:  # an operator's choice
        return replace(client, scopes=scopes)
    origins = redirects.web_origins(client) if client.public else ()
    return replace(client, scopes=scopes, origins=origins)


def _sector_of(client: Client) -> tuple[Any, ...]:
    return client.sector_identifier_uri, client.redirect_uris


def _holds(client: Client | None, token: str) -> bool:
    """Whether it is this client's registration access token; for no client the same work."""
    known = None if client is None or client.disabled else client.registration_digest
    same = hmac.compare_digest((known or _NO_DIGEST).encode(), digest(token).encode())
    return same and known is not None


def _current(client: Client, secret: object, now: float) -> bool:
    accepted = [s.digest for s in client.secrets if s.expires_at is None or s.expires_at > now]
    return isinstance(secret, str) and secret.isascii() and digest(secret) in accepted
