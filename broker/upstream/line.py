"""A line to one upstream that speaks OAuth 2.0: bounded calls, and the exchange of a code."""

import re
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, Final, Self, TypeVar

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.core.budget import Heard, Urgency
from broker.core.deadlines import Span
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.ports import Clock
from broker.upstream import fields
from broker.upstream.base import read_object
from broker.upstream.pacing import Errand, PacedTransport, Wire

MAX_CODE: Final = 4096
ENDING: Final = 0.25  # seconds that a call which was given up has to say so
# Their error says that our own credentials are wrong (RFC 6749 §5.2; GitHub has words of its own).
_OURS: Final = frozenset(("invalid_client", "unauthorized_client", "incorrect_client_credentials"))

T = TypeVar("T")


class Line:
    """Calls to one upstream.

    Args:
        name: of the upstream, for the log and for its budget.
        wire: how calls leave this process.
        clock: time.
        timeout: seconds for all calls of one sign-in together.
    """

    def __init__(
        self,
        name: str,
        wire: Wire,
        clock: Clock,
        *,
        timeout: float = 8.0,
    ) -> None:
        self.name = name
        self.clock = clock
        self._wire = wire
        self._timeout = timeout
        self._errand = Errand(name, _route, timeout, Urgency.SIGN_IN, patience=0.5)

    def hearing(self, hear: Callable[[httpx2.Response], Heard]) -> Self:
        """Return a line that reads in another way what answers say of limits."""
        line = copy(self)
        line._errand = replace(self._errand, hear=hear)  # noqa: SLF001 - it is one of us
        return line

    async def bounded(self, calls: Awaitable[T]) -> T:
        """Hold calls to the time limit, and say in one way what became of them.

        Raises:
            UpstreamUnavailable: no answer in time.
        """
        try:
            return await Span(self._timeout + ENDING).within(calls)
        except TimeoutError:
            raise UpstreamUnavailable(private=f"{self.name}: no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The class name alone: messages may quote addresses.
            raise UpstreamUnavailable(private=f"{self.name}: {type(error).__name__}") from None

    def client(self, **given: Any) -> Any:
        """Return a client of its own for one sign-in: it will hold that person's token."""
        return AsyncOAuth2Client(code_challenge_method="S256", **self._bounds(), **given)

    def plain(self) -> httpx2.AsyncClient:
        """Return a client for what needs no token."""
        return httpx2.AsyncClient(**self._bounds())

    def _bounds(self) -> dict[str, Any]:
        return {
            "transport": PacedTransport(self._wire, self._errand),
            "timeout": None,  # the errand has one for all
            "trust_env": False,
            "headers": {"user-agent": "token-broker", "accept": "application/json"},
        }

    async def exchange(
        self, client: Any, address: str, *, code: str, verifier: str
    ) -> Mapping[str, Any]:
        """Exchange a code (RFC 6749 §4.1.3, RFC 7636 §4.5); the client holds the token then.

        Returns:
            The answer's members. Nothing is tried again.

        Raises:
            UpstreamUnavailable: no answer that OAuth knows.
            UpstreamRejected: the code is not good, or the answer is no use.
        """
        if not (0 < len(code) <= MAX_CODE and code.isascii() and code.isprintable()):
            raise UpstreamRejected(private=f"{self.name}: malformed code in the callback")
        seen: list[httpx2.Response] = []
        client.register_compliance_hook("access_token_response", lambda a: self._told(a, seen))
        try:
            await client.fetch_token(
                address, grant_type="authorization_code", code=code, code_verifier=verifier
            )
        except OAuthError as error:
            hint = " (see its client_id and secret in BROKER_UPSTREAMS)"
            said = _word(error.error) + (hint if error.error in _OURS else "")
            raise UpstreamRejected(private=f"{self.name}: {said}") from None
        return read_object(seen[0], self.name)

    def _told(self, answer: httpx2.Response, seen: list[httpx2.Response]) -> httpx2.Response:
        """Return the token endpoint's answer in the form that the library takes.

        Raises:
            UpstreamUnavailable: it is none that the protocol knows.
            UpstreamRejected: it is one, but no use.
        """
        seen.append(answer)
        body = read_object(answer, f"{self.name}: token endpoint")
        if "error" in body:
            return httpx2.Response(200, json={"error": fields.word(body["error"])})
        if answer.status_code != 200:
            kind = UpstreamRejected if answer.status_code >= 400 else UpstreamUnavailable
            raise kind(private=f"{self.name}: token endpoint answered {answer.status_code}")
        token, word = body.get("access_token"), body.get("token_type")
        if fields.matching(fields.TOKEN, token) is None:
            raise UpstreamRejected(private=f"{self.name}: no sound access token")
        if not isinstance(word, str) or word.lower() != "bearer":
            raise UpstreamRejected(private=f"{self.name}: unknown token type")
        # No more than that: a wrong expires_in must not make the client try to refresh.
        return httpx2.Response(200, json={"access_token": token, "token_type": "Bearer"})

    def judge(self, answer: httpx2.Response, what: str) -> None:
        """Return when the answer is a success.

        Raises:
            UpstreamRejected: it is a refusal.
        """
        if answer.status_code >= 400:
            raise UpstreamRejected(private=f"{self.name}: {what} answered {answer.status_code}")


def _route(request: httpx2.Request) -> str:
    """Return a word for what is asked: the last of its path, of which an upstream has few."""
    if request.method == "POST":
        return "token"
    return re.sub(r"\W", "_", request.url.path.rpartition("/")[2], flags=re.ASCII)[:20]


def _word(code: str) -> str:
    """Return an error code fit for a log line."""
    return code[:40] if code.isascii() and code.isprintable() else "unreadable error"
