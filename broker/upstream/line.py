"""A line to one upstream that speaks OAuth 2.0: bounded calls, and the exchange of a code."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.ports import Clock
from broker.upstream.base import (
    BoundedTransport,
    Pauses,
    ProcessPauses,
    keep_silent,
    read_object,
    wait_of,
)

MAX_CODE: Final = 4096
# Their error says that our own credentials are wrong (RFC 6749 §5.2; GitHub has words of its own).
_OURS: Final = frozenset(("invalid_client", "unauthorized_client", "incorrect_client_credentials"))


class Line:
    """Calls to one upstream.

    Args:
        name: of the upstream, for the log and for its pauses.
        transport: the connection pool, shared by all sign-ins of the process.
        clock: time, for pauses.
        pauses: where waiting times are remembered; shared among processes where it is.
        timeout: seconds for all calls of one sign-in together.
    """

    def __init__(
        self,
        name: str,
        transport: BoundedTransport,
        clock: Clock,
        pauses: Pauses | None = None,
        *,
        timeout: float = 8.0,
    ) -> None:
        self.name = name
        self.clock = clock
        self._transport = transport
        self._pauses = pauses or ProcessPauses()
        self._timeout = timeout

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """Hold calls to the time limit, and say in one way what became of them.

        Raises:
            UpstreamUnavailable: no answer in time, or it has told us to be silent.
        """
        await keep_silent(self._pauses, self.name, self.clock)
        try:
            async with asyncio.timeout(self._timeout):
                yield
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
            "transport": self._transport,
            "timeout": self._timeout,
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
        except UpstreamUnavailable:
            await self.judge(seen[0], "token endpoint")
            raise
        return read_object(seen[0], self.name)

    def _told(self, answer: httpx2.Response, seen: list[httpx2.Response]) -> httpx2.Response:
        """Return the token endpoint's answer in the form that the library takes.

        Raises:
            UpstreamUnavailable: it is none that the protocol knows.
            UpstreamRejected: it is one, but no use.
        """
        seen.append(answer)
        if answer.status_code == 429 or answer.status_code >= 500:
            raise UpstreamUnavailable(private=f"{self.name}: token endpoint in trouble")
        body = read_object(answer, f"{self.name}: token endpoint")
        if "error" in body:
            return httpx2.Response(200, json={"error": str(body["error"])})
        if answer.status_code != 200:
            raise UpstreamUnavailable(
                private=f"{self.name}: token endpoint answered {answer.status_code}"
            )
        token, kind = body.get("access_token"), body.get("token_type")
        if not isinstance(token, str) or not token:
            raise UpstreamRejected(private=f"{self.name}: no access token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise UpstreamRejected(private=f"{self.name}: unknown token type")
        # No more than that: a wrong expires_in must not make the client try to refresh.
        return httpx2.Response(200, json={"access_token": token, "token_type": "Bearer"})

    async def judge(self, answer: httpx2.Response, what: str) -> None:
        """Return when the answer is a success.

        Raises:
            UpstreamUnavailable: it is over its limits or in trouble, or sends us elsewhere.
            UpstreamRejected: it refused.
        """
        status = answer.status_code
        said = f"{self.name}: {what} answered {status}"
        if status == 429:
            wait = wait_of(answer)
            await self._pauses.set(self.name, self.clock.now() + wait)
            raise UpstreamUnavailable(private=said, retry_after=math.ceil(wait))
        if status >= 500 or 300 <= status < 400:
            raise UpstreamUnavailable(private=said)
        if status >= 400:
            raise UpstreamRejected(private=said)


def _word(code: str) -> str:
    """Return an error code fit for a log line."""
    return code[:40] if code.isascii() and code.isprintable() else "unreadable error"
