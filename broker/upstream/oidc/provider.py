"""Any OpenID provider as an upstream: Google, Microsoft, GitLab, Keycloak, another broker.

All that is configured is the issuer; the rest is in its discovery document. The ID token says who
it is; userinfo is asked only for what it leaves out. No token of theirs is kept.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from broker.core.client_jwts import BadJwt
from broker.core.community.needs import Needs
from broker.core.errors import OutboundFailed, UpstreamRejected, UpstreamUnavailable
from broker.core.federation import SignedIn
from broker.core.pkce import encode
from broker.core.ports import Fetched
from broker.core.published_keys import PublishedKeys
from broker.upstream.base import read_object
from broker.upstream.line import Line
from broker.upstream.oidc import id_token
from broker.upstream.oidc.discovery import BASIC, POST, Discovery, Provider
from broker.upstream.oidc.profile import lacks_profile, profile_of

SCOPES: Final = ("openid", "profile")
EMAIL: Final = "email"
# What makes a provider ask who it is, in the order of our liking.
_ASKING: Final = ("login", "select_account", "consent")
# Google refuses a prompt that it does not know, and announces none.
_ASKING_AT: Final = {"https://accounts.google.com": "select_account"}
_EMAIL_SCOPES: Final = frozenset((EMAIL, "https://www.googleapis.com/auth/userinfo.email"))
# Only in such credentials is there no difference between what libraries and RFC 6749 §2.3.1 do.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Which provider, and who we are there.

    Attributes:
        name: in our addresses and in SQL.
        title: as people read it.
        issuer: the provider's, exactly as it calls itself.
        client_id, client_secret: as registered with it.
        redirect_uri: our callback, as registered with it.
        scopes: what is asked for; ``openid`` always is, and ``email`` where it is needed.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...] = SCOPES


class OpenIdProvider:
    """``broker.core.federation.Upstream`` over an OpenID provider.

    Args:
        settings: which one.
        line: calls to it.
    """

    def __init__(self, settings: ProviderSettings, line: Line) -> None:
        self.name = settings.name
        self.title = settings.title
        self._settings = settings
        self._line = line
        self._keys = PublishedKeys(self, line.clock, size=4)
        self._discovery = Discovery(settings.issuer, self._document, line.clock, settings.name)

    @property
    def origins(self) -> tuple[str, ...]:
        """Where browsers are sent, as far as it is known: origins."""
        known = self._discovery.known
        places = (self._settings.issuer, known.authorization_endpoint if known else "")
        parts = [urlsplit(place) for place in places if place]
        return tuple(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in parts))

    async def look(self) -> Provider:
        """Return what the discovery document says; it is read if it is time to.

        Raises:
            UpstreamUnavailable: it was never read, and cannot be now.
        """
        return await self._line.bounded(self._discovery.provider())

    async def authorization_url(
        self, *, state: str, verifier: str, prompt: str, login_hint: str, needs: Needs
    ) -> str:
        """Return where to send the browser (OpenID Connect Core §3.1.2.1).

        Args:
            state: binds the answer to this trip.
            verifier: PKCE code verifier; the nonce is derived from it.
            prompt: ``none`` passes through whom the provider knows; ``consent`` asks who it is, by
                a new sign-in there where the provider can do that.
            login_hint: who is expected, or empty.
            needs: whether the e-mail address is needed; a provider knows of no guilds.

        Raises:
            UpstreamUnavailable: the discovery document was never read, and cannot be now.
        """
        provider = await self.look()
        url, _ = self._client(provider).create_authorization_url(
            provider.authorization_endpoint,
            state=state,
            code_verifier=verifier,
            scope=" ".join(self._scopes(needs)),
            nonce=nonce_of(verifier),
            **(self._asking(provider) if prompt == "consent" else {}),
            **({"login_hint": login_hint} if login_hint else {}),
        )
        return str(url)

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        return needs.email and not _EMAIL_SCOPES.intersection(scope)

    async def answered(self, issuer: str | None) -> bool:
        """Whether a callback that names this issuer, or none, can be this provider's (RFC 9207).

        Raises:
            UpstreamUnavailable: the discovery document was never read, and cannot be now.
        """
        provider = await self.look()
        return not provider.names_itself if issuer is None else provider.is_issuer(issuer)

    async def fetch(self, *, code: str, verifier: str) -> SignedIn:
        """Exchange the code and judge the ID token; ask userinfo for what that leaves out.

        Raises:
            UpstreamUnavailable: no sound answer in time, or told to wait; nothing was tried again.
            UpstreamRejected: the code is not good, or the answer is not what it should be.
        """
        try:
            return await self._line.bounded(self._fetch(code, verifier))
        except BadJwt as error:
            raise UpstreamRejected(private=f"{self.name}: ID token: {error}") from None

    async def _fetch(self, code: str, verifier: str) -> SignedIn:
        provider = await self._discovery.provider()
        client = self._client(provider)
        answer = await self._line.exchange(
            client, provider.token_endpoint, code=code, verifier=verifier
        )
        trip = id_token.Trip(
            self._settings.client_id,
            nonce_of(verifier),
            answer["access_token"],
            self._line.clock.now(),
        )
        claims = await id_token.verified(answer.get("id_token"), provider, self._keys, trip)
        auth_time = id_token.auth_time(claims, provider, self._line.clock.now())
        granted = _granted(answer)
        shown = granted is not None and not self.lacks(granted, Needs(email=True))
        hidden = granted is not None and not shown
        wanting = lacks_profile(claims) or (EMAIL not in claims and not hidden)
        if wanting and provider.userinfo_endpoint:
            claims = await self._completed(client, provider.userinfo_endpoint, claims)
        profile = profile_of(
            _without_email(claims) if hidden else claims,
            upstream=self.name,
            subject=id_token.subject(claims, provider),
            email_read=shown,
            plain=self._settings.issuer.startswith("http:"),
        )
        return SignedIn(profile, auth_time=auth_time)

    async def _completed(
        self, client: Any, address: str, claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the claims with those of userinfo, which speaks of the same person (§5.3.2)."""
        answer = await client.get(address)
        self._line.judge(answer, "userinfo")
        more = read_object(answer, f"{self.name}: userinfo")
        if more.get("sub") != claims["sub"]:
            raise UpstreamRejected(private=f"{self.name}: userinfo speaks of another person")
        # What userinfo says of another address is not said of this one.
        return (_without_email(more) if EMAIL in claims else more) | dict(claims)

    def _scopes(self, needs: Needs) -> tuple[str, ...]:
        wanted = ("openid", *self._settings.scopes, *((EMAIL,) if needs.email else ()))
        return tuple(dict.fromkeys(wanted))

    def _asking(self, provider: Provider) -> dict[str, str]:
        """Return the parameters at which the provider asks who it is, and says when it did."""
        prompt = _ASKING_AT.get(provider.issuer, _ASKING[0])
        if provider.prompts is not None:
            prompt = next((one for one in _ASKING if one in provider.prompts), _ASKING[0])
        return {"prompt": prompt, **({"max_age": "0"} if provider.tells_time else {})}

    def _client(self, provider: Provider) -> Any:
        settings = self._settings
        method = provider.auth_methods[0]
        safe = _PLAIN.fullmatch(settings.client_id) and _PLAIN.fullmatch(settings.client_secret)
        if method == BASIC and POST in provider.auth_methods and not safe:
            method = POST
        return self._line.client(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            token_endpoint_auth_method=method,
        )

    async def _document(self, address: str) -> Mapping[str, Any]:
        return read_object(await self._get(address), f"{self.name}: discovery document")

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        """Return the JSON behind an address of the provider's: its key set.

        Raises:
            OutboundFailed: there is none to be had.
        """
        try:
            answer = await self._get(url)
            if len(answer.content) > limit:
                raise OutboundFailed(private="the answer is too large")
            return Fetched(read_object(answer, f"{self.name}: key set"), None)
        except (UpstreamUnavailable, UpstreamRejected) as error:
            raise OutboundFailed(private=error.private) from None

    async def _get(self, address: str) -> Any:
        async with self._line.plain() as client:
            answer = await self._line.bounded(client.get(address))
        self._line.judge(answer, urlsplit(address).path)
        return answer


def nonce_of(verifier: str) -> str:
    """Return the nonce of a trip: only who has its verifier can tell it."""
    return encode(hmac.digest(verifier.encode(), b"OpenID Connect nonce", hashlib.sha256))


def _granted(answer: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the scopes granted; None where the answer leaves them out (RFC 6749 §5.1)."""
    told = answer.get("scope")
    return tuple(told.split()) if isinstance(told, str) else None


def _without_email(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: claims[name] for name in claims if name not in {EMAIL, "email_verified"}}
