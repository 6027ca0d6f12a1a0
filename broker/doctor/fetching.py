"""Asking over HTTP: each request on a connection of its own, nothing followed, all recorded."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx2

from broker.doctor.model import Answer, Certificate, Clock, Look, Silence, Trouble

LONGEST_BODY: Final = 1 << 20
ACCEPT: Final = {"accept": "application/jwk-set+json, application/json;q=0.9, */*;q=0.1"}
_COMPRESSED: Final = {"accept-encoding": "gzip, deflate"}
_AWAY: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})

# How the library says that a handshake has to wait for more: a cause of every time-out in one.
_WAITING: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_KINDS: Final[tuple[tuple[tuple[type[BaseException], ...], Trouble, str], ...]] = (
    ((socket.gaierror,), Trouble.NAME, "the name does not resolve"),
    ((httpx2.TimeoutException, TimeoutError), Trouble.SLOW, "no answer in time"),
    ((httpx2.DecodingError,), Trouble.BROKEN, "the compressed content cannot be read"),
)

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Returns every IP address of a host name."""


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return every IP address of a host, in the order of the system; empty where there is none."""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Fetcher:
    """Asks, and never raises for what the other side does.

    Settings of this machine (proxies, ``.netrc``) are left aside: the deployment is asked itself.

    Args:
        clock: dates the answers.
        timeout: seconds for each step of a request.
        trust: certificate authorities to accept; those of the machine unless given.
        resolve: finds the addresses of a name.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout: float = 10.0,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._trust = trust
        self.resolve = resolve

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        address: str = "",
    ) -> Look:
        """Send one request on a fresh connection.

        Args:
            url: where to.
            method: GET or HEAD.
            headers: beside those every verifier sends.
            address: the IP address to connect to, in place of one of the host's.
        """
        target, extra, extensions = _aimed(url, address)
        sent = {"user-agent": "broker-doctor", **ACCEPT, **_COMPRESSED, **extra, **(headers or {})}
        started = perf_counter()
        try:
            async with (
                httpx2.AsyncClient(
                    timeout=self._timeout, trust_env=False, verify=self._trusted(url)
                ) as client,
                client.stream(method, target, headers=sent, extensions=extensions) as response,
            ):
                facts = _connection(response)
                body, cut = await _read(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            trouble, reason = _understood(error)
            return Silence(url, trouble, reason, address)
        return Answer(
            url=url,
            method=method,
            status=response.status_code,
            headers=tuple((name.lower(), text) for name, text in response.headers.multi_items()),
            body=body,
            took=perf_counter() - started,
            at=self._clock.now(),
            address=address or facts[0],
            certificate=facts[1],
            cut=cut,
        )

    def _trusted(self, url: str) -> ssl.SSLContext | bool:
        if urlsplit(url).scheme != "https":
            return False  # reading the authorities costs more than the request
        if self._trust is None:
            self._trust = httpx2.create_ssl_context(trust_env=True)
        return self._trust


def _aimed(url: str, address: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Return the URL, headers and TLS name that reach a host at one of its addresses."""
    parts = urlsplit(url)
    if not address or parts.hostname == address:
        return url, {}, {}
    shown = f"[{address}]" if ":" in address else address
    netloc = f"{shown}:{parts.port}" if parts.port else shown
    return (
        urlunsplit(parts._replace(netloc=netloc)),
        {"host": parts.netloc},
        {"sni_hostname": parts.hostname or ""},
    )


async def _read(response: httpx2.Response) -> tuple[bytes, bool]:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LONGEST_BODY:
            return body[:LONGEST_BODY], True
    return body, False


def _connection(response: httpx2.Response) -> tuple[str, Certificate | None]:
    """Return who answered: its address and its certificate."""
    stream = response.extensions.get("network_stream")
    if stream is None:
        return "", None
    peer = stream.get_extra_info("server_addr")
    secured = stream.get_extra_info("ssl_object")
    found = secured.getpeercert() if secured is not None else None
    return str(peer[0]) if peer else "", _certificate(found) if found else None


def _certificate(found: Mapping[str, Any]) -> Certificate:
    names = dict(pair for part in found.get("issuer", ()) for pair in part)
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed authority"
    return Certificate(ssl.cert_time_to_seconds(found["notAfter"]), str(issuer))


def _understood(error: Exception) -> tuple[Trouble, str]:
    """Return why there is no answer, from the causes the client's error stands on."""
    causes = _causes(error)
    for kinds, trouble, reason in _KINDS:
        if any(isinstance(cause, kinds) for cause in causes):
            return trouble, reason
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Trouble.TLS, f"certificate refused: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _WAITING):
            return Trouble.TLS, f"no TLS connection: {cause.reason or cause}"
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    if errno.ECONNREFUSED in numbers:
        return Trouble.REFUSED, "connection refused"
    if numbers & _AWAY:
        return Trouble.NO_ROUTE, "no route to it from this machine"
    return Trouble.BROKEN, f"the connection broke: {str(error) or type(error).__name__}"


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is not None and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__]
            if isinstance(one, BaseExceptionGroup):
                waiting += one.exceptions
    return found
