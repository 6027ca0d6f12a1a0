"""The discovery document of an OpenID provider: fetched when it is needed, judged, kept a while.

Only what we use of it is judged (OpenID Connect Discovery 1.0 §3, §4.3): providers leave out or
misspell the rest, and nothing follows from it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.ports import Clock
from broker.log import structlog
from broker.upstream import fields
from keys.algorithms import ALGORITHMS

FRESH: Final = 3600.0  # seconds that a document is used before it is read again
STALE: Final = 86400.0  # seconds that it counts beyond, while it cannot be read
RETRY: Final = 10.0  # seconds after a reading that failed
PATH: Final = "/.well-known/openid-configuration"
TENANT: Final = "{tenantid}"
TENANT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
# What a provider for many tenants may be called in place of one of them.
_MANY: Final = ("common", "organizations")
# Announces auth_time, and tells it only to apps that were set up for that at Microsoft.
_TELLS_NOTHING: Final = "https://login.microsoftonline.com/"
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"

_log = structlog.get_logger("broker.upstream")


class UnusableDocument(ValueError):
    """A discovery document that nothing may be built on; its text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What a discovery document says, as far as we use it.

    Attributes:
        issuer: what ``iss`` has to be; with ``{tenantid}`` in it where the provider has many.
        authorization_endpoint, token_endpoint, jwks_uri: where they are.
        userinfo_endpoint: where the profile is, or None.
        algorithms: the ID token's signature algorithms, as far as they are taken here.
        auth_methods: of the token endpoint, as far as we know them; ``client_secret_basic`` first.
        prompts: the prompts it announces, or None where it says nothing of them.
        tells_time: whether its ID tokens say when the person authenticated, where that is asked.
        names_itself: whether its answers hold ``iss`` (RFC 9207 §3).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    algorithms: frozenset[str]
    auth_methods: tuple[str, ...]
    prompts: frozenset[str] | None
    tells_time: bool
    names_itself: bool

    def is_issuer(self, named: object) -> bool:
        """Whether this is how the provider calls itself."""
        if TENANT in self.issuer:
            return self.tenant(named) is not None
        return named == self.issuer

    def tenant(self, named: object) -> str | None:
        """Return the tenant that an ``iss`` names, where the provider has many; else None."""
        before, placed, after = self.issuer.partition(TENANT)
        if not placed or not isinstance(named, str):
            return None
        found = named.removeprefix(before).removesuffix(after)
        whole = TENANT_ID.fullmatch(found) and named == f"{before}{found}{after}"
        return found if whole else None


def read(document: Mapping[str, Any], issuer: str) -> Provider:
    """Return what a document says, once it is known to be that of the issuer.

    Args:
        document: the JSON object.
        issuer: as configured, to the character.

    Raises:
        UnusableDocument: it is another's, lacks what we need, or offers nothing that we take.
    """
    named = document.get("issuer")
    if named != issuer and not _is_for_many(named, issuer):
        raise UnusableDocument(
            f"the document calls its issuer {fields.word(named)!r}, and that has to be the one that"
            " is configured, to the character"
        )
    told = document.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = frozenset(one for one in _texts(told) if one in ALGORITHMS)
    if not algorithms:
        raise UnusableDocument(f"it signs ID tokens with none of {', '.join(ALGORITHMS)}")
    offered = _texts(document.get("token_endpoint_auth_methods_supported", [BASIC]))
    methods = tuple(one for one in (BASIC, POST) if one in offered)
    if not methods:
        raise UnusableDocument(f"its token endpoint takes neither {BASIC} nor {POST}")
    prompts = document.get("prompt_values_supported")
    plain = urlsplit(issuer).scheme == "http"
    return Provider(
        issuer=str(named),
        authorization_endpoint=_address(document, "authorization_endpoint", plain=plain),
        token_endpoint=_address(document, "token_endpoint", plain=plain),
        jwks_uri=_address(document, "jwks_uri", plain=plain),
        userinfo_endpoint=_address(document, "userinfo_endpoint", plain=plain)
        if document.get("userinfo_endpoint") is not None
        else None,
        algorithms=algorithms,
        auth_methods=methods,
        prompts=None if prompts is None else frozenset(_texts(prompts)),
        tells_time="auth_time" in _texts(document.get("claims_supported"))
        and not issuer.startswith(_TELLS_NOTHING),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


class Discovery:
    """The document of one provider, kept.

    While it cannot be read the last one counts for another day; whoever needs it and there is none
    is told so at once for ten seconds after each try.

    Args:
        issuer: as configured.
        fetch: returns the JSON object behind an address; raises ``UpstreamUnavailable``
            or ``UpstreamRejected``.
        clock: time.
        name: of the upstream, for the log.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[str], Awaitable[Mapping[str, Any]]],
        clock: Clock,
        name: str,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._name = name
        self._turn = asyncio.Lock()
        self._read_at = -STALE
        self._tried_at = -RETRY
        self._reason = "the discovery document was not read yet"
        self.known: Provider | None = None

    async def provider(self) -> Provider:
        """Return what the document says; it is read where it never was, or is too old.

        Raises:
            UpstreamUnavailable: it cannot be read, or is not what it should be.
        """
        if self.known is None or self._clock.now() - self._read_at >= FRESH:
            async with self._turn:
                await self._look()
        if self.known is None or self._clock.now() - self._read_at >= FRESH + STALE:
            raise UpstreamUnavailable(private=f"{self._name}: {self._reason}")
        return self.known

    async def _look(self) -> None:
        """Read the document, unless somebody has tried to a moment ago."""
        now = self._clock.now()
        if 0 <= now - self._tried_at < RETRY or (self.known and now - self._read_at < FRESH):
            return
        self._tried_at = now
        try:
            self.known = read(await self._fetch(self._issuer.rstrip("/") + PATH), self._issuer)
            self._read_at = now
        except (UpstreamUnavailable, UpstreamRejected) as error:
            self._reason = error.private
        except UnusableDocument as error:
            self._reason = f"{self._issuer}: {error}"
        else:
            return
        _log.warning("upstream.discovery_failed", upstream=self._name, reason=self._reason)


def _is_for_many(named: object, issuer: str) -> bool:
    """Whether the document is that of Microsoft's address for the people of many tenants.

    There it names itself ``…/{tenantid}/v2.0``, and each ID token its own tenant.
    """
    if not isinstance(named, str) or named.count(TENANT) != 1:
        return False
    return issuer in {named.replace(TENANT, one) for one in _MANY}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _address(document: Mapping[str, Any], member: str, *, plain: bool) -> str:
    """Return an endpoint: https, or http where the issuer itself is on this machine.

    Raises:
        UnusableDocument: it is not an address that we would call or send people to.
    """
    value = document.get(member)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise UnusableDocument(f"{member} is missing or no address")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise UnusableDocument(f"{member} is no address") from None
    schemes = {"https", "http"} if plain else {"https"}
    if parts.scheme not in schemes or not parts.hostname or "@" in parts.netloc or "#" in value:
        raise UnusableDocument(f"{member} is no https address")
    return value
