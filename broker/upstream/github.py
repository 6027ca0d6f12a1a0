"""GitHub as an upstream: OAuth 2.0 with PKCE, and the profile of ``/user``.

GitHub is no OpenID provider for people. Source: its documentation, "Authorizing OAuth apps" and
the REST API's "Users" and "Emails". No token of theirs is kept.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from broker.core.budget import Heard, Reach
from broker.core.community.needs import Needs
from broker.core.errors import UpstreamRejected
from broker.core.federation import SignedIn
from broker.core.model import Profile
from broker.upstream import fields
from broker.upstream.base import read_json, read_object
from broker.upstream.hearing import DEFAULT_WAIT, MAX_WAIT, heard_of, seconds
from broker.upstream.line import Line

SITE: Final = "https://github.com"
API: Final = "https://api.github.com"
EMAIL: Final = "user:email"
_REACHING: Final = frozenset((EMAIL, "user"))  # scopes that show the e-mail addresses
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """Which GitHub, and who we are there.

    Attributes:
        name: in our addresses and in SQL.
        title: as people read it.
        client_id, client_secret: of the OAuth app.
        redirect_uri: our callback, as registered with it.
        site: github.com, or a GitHub Enterprise Server.
        scopes: what is asked for; ``user:email`` besides where the e-mail address is needed.
    """

    name: str
    title: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    site: str = SITE
    scopes: tuple[str, ...] = ()


class GitHub:
    """``broker.core.federation.Upstream`` over GitHub.

    Args:
        settings: which one.
        line: calls to it.
    """

    def __init__(self, settings: GitHubSettings, line: Line) -> None:
        self.name = settings.name
        self.title = settings.title
        self._settings = settings
        self._line = line.hearing(self._heard)
        self._api = API if settings.site == SITE else f"{settings.site}/api/v3"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where browsers are sent: origins."""
        parts = urlsplit(self._settings.site)
        return (f"{parts.scheme}://{parts.netloc}",)

    async def authorization_url(
        self, *, state: str, verifier: str, prompt: str, login_hint: str, needs: Needs
    ) -> str:
        """Return where to send the browser.

        Args:
            state: binds the answer to this trip (RFC 6749 §10.12).
            verifier: PKCE code verifier (RFC 7636 §4.1).
            prompt: ``none`` passes through who has approved before; ``consent`` shows the page on
                which an account is chosen: GitHub cannot force a new login.
            login_hint: the login that is expected, or empty.
            needs: whether the e-mail address is needed; GitHub knows of no guilds.
        """
        scopes = dict.fromkeys((*self._settings.scopes, *((EMAIL,) if needs.email else ())))
        url, _ = self._client().create_authorization_url(
            f"{self._settings.site}/login/oauth/authorize",
            state=state,
            code_verifier=verifier,
            scope=" ".join(scopes),
            **({"prompt": "select_account"} if prompt == "consent" else {}),
            **({"login": login_hint} if login_hint else {}),
        )
        return str(url)

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        return needs.email and not _REACHING.intersection(scope)

    async def fetch(self, *, code: str, verifier: str) -> SignedIn:
        """Exchange the code and read the profile; the addresses too, if that was granted.

        Raises:
            UpstreamUnavailable: no sound answer in time, or told to wait; nothing was tried again.
            UpstreamRejected: the code is not good, the account is no person's, or the answer makes
                no sense.
        """
        return await self._line.bounded(self._fetch(code, verifier))

    async def _fetch(self, code: str, verifier: str) -> SignedIn:
        client = self._client()
        token_url = f"{self._settings.site}/login/oauth/access_token"
        answer = await self._line.exchange(client, token_url, code=code, verifier=verifier)
        user = await self._read(client, "/user")
        profile = self._profile(read_object(user, f"{self.name}: /user"))
        if self.lacks(_scopes(answer.get("scope")), Needs(email=True)):
            return SignedIn(profile)
        listed = await self._read(client, "/user/emails?per_page=100")
        email = _primary(read_json(listed, f"{self.name}: /user/emails"))
        seen = replace(profile, email=email, email_verified=email is not None, email_read=True)
        return SignedIn(seen)

    async def _read(self, client: Any, path: str) -> httpx2.Response:
        """Return the API's answer, once it is known to be a success."""
        headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        answer: httpx2.Response = await client.get(f"{self._api}{path}", headers=headers)
        self._line.judge(answer, path)
        return answer

    def _heard(self, answer: httpx2.Response) -> Heard:
        """Return what an answer says of limits; they count per person here.

        Source: "Rate limits for the REST API": 403 or 429, with ``retry-after``, or with nothing
        remaining until ``x-ratelimit-reset`` (UTC seconds).
        """
        heard = heard_of(answer)
        if heard.limited:
            return replace(heard, reach=Reach.BUCKET)
        wait = self._left(answer) if answer.status_code == 403 else 0.0
        return replace(heard, wait=wait, reach=Reach.BUCKET, limited=True) if wait else heard

    def _left(self, answer: httpx2.Response) -> float:
        """Return the seconds until a limit ends that a 403 tells of, or 0 for another refusal."""
        if "retry-after" in answer.headers:
            return seconds(answer.headers["retry-after"]) or DEFAULT_WAIT
        if answer.headers.get("x-ratelimit-remaining") != "0":
            return 0.0
        reset = fields.matching(_NUMBER, answer.headers.get("x-ratelimit-reset"))
        left = float(reset) - self._line.clock.now() if reset else DEFAULT_WAIT
        return min(max(left, 1.0), MAX_WAIT)

    def _profile(self, user: Mapping[str, Any]) -> Profile:
        """Return the profile in a user object, without the address: that one is not verified.

        Raises:
            UpstreamRejected: it names no person: a bot, an organization, no number or no login.
        """
        if user.get("type", "User") != "User":
            raise UpstreamRejected(
                f"This {self.title} account belongs to a program, not to a person",
                private=f"{self.name}: an account of type {fields.word(user.get('type'), 20)!r}",
            )
        number, login = user.get("id"), fields.name(user.get("login"))
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
            raise UpstreamRejected(private=f"{self.name}: /user without a sound id")
        if not login:
            raise UpstreamRejected(private=f"{self.name}: /user without a login")
        plain = self._settings.site.startswith("http:")
        return Profile(
            upstream=self.name,
            subject=str(number),
            username=login,
            display_name=fields.name(user.get("name")) or login,
            picture=fields.picture(user.get("avatar_url"), plain=plain),
            email_read=False,
        )

    def _client(self) -> Any:
        settings = self._settings
        return self._line.client(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            token_endpoint_auth_method="client_secret_post",
        )


def _scopes(told: object) -> tuple[str, ...]:
    """Return the scopes granted; GitHub separates them by commas."""
    return tuple(told.replace(",", " ").split()) if isinstance(told, str) else ()


def _primary(listed: object) -> str | None:
    """Return the primary address if it is verified, else None."""
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
            return fields.email(one.get("email"))
    return None
