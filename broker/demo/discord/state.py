"""The memory of the simulated Discord, and what its OAuth 2.0 endpoints decide.

Everything lives in this object: two simulators know nothing of each other. Time and
randomness are callables, so that a test can hold both still.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from joserfc.jwk import RSAKey

from broker.demo.discord.cast import CAST, GUILDS
from broker.demo.discord.faults import Fault, Faults
from broker.demo.discord.people import DISCORD_EPOCH_MS, Guild, Person
from broker.demo.discord.ratelimit import DEFAULT_GLOBAL, DEFAULT_LIMITS, Limit, RateLimits
from broker.demo.discord.records import (
    ACCESS_TOKEN_SECONDS,
    CODE_SECONDS,
    Application,
    Authorization,
    Code,
    Token,
)
from broker.demo.loopback import require_loopback_url

_VERIFIER_MIN, _VERIFIER_MAX = 43, 128


class InvalidGrantError(Exception):
    """A code or refresh token is refused; Discord tells no caller why."""


class SimulatedDiscord:
    """Applications, people, and what they approved.

    Args:
        now: epoch seconds.
        token_bytes: so many random bytes.
        people: who exists at the start.
        guilds: which guilds exist at the start.
        limits: the rate limit of each route, for each user token.
        everything: the rate limit over all routes together.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
        people: Iterable[Person] = CAST,
        guilds: Iterable[Guild] = GUILDS,
        limits: Mapping[str, Limit] = DEFAULT_LIMITS,
        everything: Limit = DEFAULT_GLOBAL,
    ) -> None:
        self.now = now
        self.token_bytes = token_bytes
        self.applications: dict[str, Application] = {}
        self.people = {person.id: person for person in people}
        self.guilds = {guild.id: guild for guild in guilds}
        self.authorizations: dict[int, Authorization] = {}
        self.limits = RateLimits(now, limits, everything)
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self._approved: dict[tuple[str, str], frozenset[str]] = {}
        self._made = 0
        self._signing_key: RSAKey | None = None

    # --- what a test or the demonstration sets up ------------------------------------------

    def add_application(self, application: Application) -> Application:
        """Register an application; its redirect URIs must be loopback ones.

        Raises:
            NotLoopbackError: a redirect URI leads to another machine.
        """
        for uri in application.redirect_uris:
            require_loopback_url(uri)
        self.applications[application.client_id] = application
        return application

    def add_person(self, username: str, **fields: Any) -> Person:
        """Make a person; `fields` are those of `Person`, a new snowflake unless `id` is given."""
        person = Person(fields.pop("id", None) or self.snowflake(), username, **fields)
        self.people[person.id] = person
        return person

    def change_person(self, person_id: str, **changes: Any) -> Person:
        """Change fields of a person, who keeps the id; returns the person as changed."""
        self.people[person_id] = replace(self.people[person_id], **changes)
        return self.people[person_id]

    def find_person(self, name: str) -> Person | None:
        """Return the person of a snowflake or username."""
        return self.people.get(name) or next(
            (p for p in self.people.values() if p.username == name), None
        )

    def misbehave(self, route: str, fault: Fault) -> None:
        """Put a fault on a route (one of `faults.ROUTES`).

        Raises:
            ValueError: there is no such route.
        """
        self.faults.set(route, fault)

    def behave(self, route: str | None = None) -> None:
        """End the misbehaviour of one route, or of all."""
        self.faults.clear(route)

    def deauthorize(self, person_id: str, client_id: str) -> None:
        """Withdraw what a person allowed an application, as in Discord's own settings."""
        self._approved.pop((person_id, client_id), None)
        for grant in list(self.authorizations.values()):
            if (grant.person_id, grant.client_id) == (person_id, client_id):
                self._end(grant.id)

    def snowflake(self) -> str:
        """Return a new id: milliseconds since 2015, then 22 bits that differ."""
        self._made += 1
        since = int(self.now() * 1000) - DISCORD_EPOCH_MS
        return str((since << 22) | (self._made & 0x3FFFFF))

    # --- what the endpoints decide ---------------------------------------------------------

    def approved_before(self, person_id: str, client_id: str, scopes: frozenset[str]) -> bool:
        """Say whether the person approved all of these scopes for the application before."""
        return scopes <= self._approved.get((person_id, client_id), frozenset())

    def issue_code(
        self,
        client_id: str,
        person_id: str,
        redirect_uri: str,
        scopes: frozenset[str],
        *,
        challenge: str | None = None,
        nonce: str | None = None,
    ) -> str:
        """Remember an approval and return the code that stands for it."""
        key = (person_id, client_id)
        self._approved[key] = self._approved.get(key, frozenset()) | scopes
        code = self._opaque(22)
        self._codes[code] = Code(
            client_id,
            person_id,
            redirect_uri,
            scopes,
            challenge,
            nonce,
            expires_at=self.now() + CODE_SECONDS,
        )
        return code

    def redeem_code(
        self, client_id: str, code: str, redirect_uri: str, verifier: str | None
    ) -> tuple[Authorization, str, str]:
        """Spend a code; returns the authorization, an access and a refresh token.

        Raises:
            InvalidGrantError: whatever is wrong with it. A challenge that was sent at
                authorization is enforced (RFC 7636 §4.6).
        """
        found = self._codes.pop(code, None)
        if found is None or found.client_id != client_id or found.expires_at <= self.now():
            raise InvalidGrantError('Invalid "code" in request.')
        if found.redirect_uri != redirect_uri:
            raise InvalidGrantError('Invalid "redirect_uri" in request.')
        if found.challenge is not None and not _proves(verifier, found.challenge):
            raise InvalidGrantError('Invalid "code_verifier" in request.')
        self._made += 1
        grant = Authorization(self._made, client_id, found.person_id, found.scopes, found.nonce)
        self.authorizations[grant.id] = grant
        return (grant, *self._tokens(grant.id))

    def refresh(self, client_id: str, refresh_token: str) -> tuple[Authorization, str, str]:
        """Spend a refresh token (they are single-use) for a new pair of tokens.

        Raises:
            InvalidGrantError: whatever is wrong with it.
        """
        found = self._refresh.get(refresh_token)
        grant = self.authorizations.get(found.authorization_id) if found else None
        if grant is None or grant.client_id != client_id:
            raise InvalidGrantError('Invalid "refresh_token" in request.')
        del self._refresh[refresh_token]
        return (grant, *self._tokens(grant.id))

    def revoke(self, client_id: str, token: str) -> None:
        """End the whole authorization of either of its tokens; unknown tokens change nothing."""
        found = self._access.get(token) or self._refresh.get(token)
        grant = self.authorizations.get(found.authorization_id) if found else None
        if grant is not None and grant.client_id == client_id:
            self._end(grant.id)

    def authorization(self, access_token: str) -> tuple[Authorization, float] | None:
        """Return what a live access token stands for and when it expires (epoch seconds)."""
        token = self._access.get(access_token)
        if token is None or token.expires_at is None or token.expires_at <= self.now():
            return None
        grant = self.authorizations.get(token.authorization_id)
        if grant is None or grant.person_id not in self.people:
            return None
        return grant, token.expires_at

    @property
    def signing_key(self) -> RSAKey:
        """The key that signs ID tokens, made when first asked for."""
        if self._signing_key is None:
            key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
            key.ensure_kid()
            self._signing_key = key
        return self._signing_key

    def _tokens(self, grant_id: int) -> tuple[str, str]:
        access, refresh = self._opaque(22), self._opaque(22)
        self._access[access] = Token(grant_id, self.now() + ACCESS_TOKEN_SECONDS)
        self._refresh[refresh] = Token(grant_id, None)
        return access, refresh

    def _end(self, grant_id: int) -> None:
        self.authorizations.pop(grant_id, None)
        for kept in (self._access, self._refresh):
            for name in [n for n, token in kept.items() if token.authorization_id == grant_id]:
                del kept[name]

    def _opaque(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.token_bytes(size)).decode().rstrip("=")


def _proves(verifier: str | None, challenge: str) -> bool:
    """Say whether the verifier is the one of an S256 challenge (RFC 7636 §4.6)."""
    if verifier is None or not _VERIFIER_MIN <= len(verifier) <= _VERIFIER_MAX:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(made, challenge)
