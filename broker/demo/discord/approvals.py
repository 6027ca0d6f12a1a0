"""What people of a simulated Discord let applications do: approvals, codes and tokens."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable

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


class Approvals:
    """Applications, and what each person approved of them.

    Args:
        now: epoch seconds.
        token_bytes: so many random bytes.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.now = now
        self.token_bytes = token_bytes
        self.applications: dict[str, Application] = {}
        self.authorizations: dict[int, Authorization] = {}
        self.withheld: frozenset[str] = frozenset()
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self._approved: dict[tuple[str, str], frozenset[str]] = {}
        self._made = 0

    def add_application(self, application: Application) -> Application:
        """Register an application; its redirect URIs must be loopback ones.

        Raises:
            NotLoopbackError: a redirect URI leads to another machine.
        """
        for uri in application.redirect_uris:
            require_loopback_url(uri)
        self.applications[application.client_id] = application
        return application

    def withhold(self, *scopes: str) -> None:
        """Have people untick these scopes from now on; none: they allow all that is asked."""
        self.withheld = frozenset(scopes)

    def approved(self, person_id: str) -> dict[str, frozenset[str]]:
        """Return what a person lets applications do: client id → scopes."""
        return {
            client: scopes for (who, client), scopes in self._approved.items() if who == person_id
        }

    def approved_before(self, person_id: str, client_id: str, scopes: frozenset[str]) -> bool:
        """Say whether the person approved all of these scopes for the application before."""
        return scopes <= self._approved.get((person_id, client_id), frozenset())

    def issue_code(
        self,
        client_id: str,
        person_id: str,
        redirect_uri: str,
        scopes: Iterable[str],
        *,
        challenge: str | None = None,
        nonce: str | None = None,
    ) -> str:
        """Remember an approval and return the code that stands for it."""
        granted = frozenset(scopes)
        key = (person_id, client_id)
        self._approved[key] = self._approved.get(key, frozenset()) | granted
        code = self._opaque(22)
        self._codes[code] = Code(
            client_id,
            person_id,
            redirect_uri,
            granted,
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
        """End what the person of either token let the application do; unknown tokens do nothing."""
        found = self._access.get(token) or self._refresh.get(token)
        grant = self.authorizations.get(found.authorization_id) if found else None
        if grant is not None and grant.client_id == client_id:
            self.withdraw(grant.person_id, client_id)

    def withdraw(self, person_id: str, client_id: str) -> bool:
        """End all that a person let an application do; says whether that was anything.

        One person's approval of one application is one thing at Discord, however often the
        person signed in: all its tokens and unspent codes end together.
        """
        was = self._approved.pop((person_id, client_id), None) is not None
        for name, code in list(self._codes.items()):
            if (code.person_id, code.client_id) == (person_id, client_id):
                del self._codes[name]
        for grant in list(self.authorizations.values()):
            if (grant.person_id, grant.client_id) == (person_id, client_id):
                self._end(grant.id)
                was = True
        return was

    def authorization(self, access_token: str) -> tuple[Authorization, float] | None:
        """Return what a live access token stands for and when it expires (epoch seconds)."""
        token = self._access.get(access_token)
        if token is None or token.expires_at is None or token.expires_at <= self.now():
            return None
        grant = self.authorizations.get(token.authorization_id)
        return None if grant is None else (grant, token.expires_at)

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
