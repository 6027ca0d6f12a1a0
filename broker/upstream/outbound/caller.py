"""Calls to what a client named: judged, bounded in size and time, and never passed on."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

import httpx2

from broker.core.deadlines import Deadline, TookTooLong
from broker.core.errors import OutboundFailed, OutboundRefused
from broker.core.ports import Fetched
from broker.upstream.outbound import targets
from broker.upstream.outbound.addresses import IPAddress, is_public
from broker.upstream.outbound.names import Resolve, Resolver
from broker.upstream.outbound.targets import Target

TRIED: Final = 3  # addresses of one host

_MAX_AGE: Final = re.compile(r'(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})', re.IGNORECASE)
_UNCACHED: Final = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b", re.IGNORECASE)
T = TypeVar("T")

_BROKEN: Final = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError)


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls are made.

    Attributes:
        deadline: seconds for a whole call, finding the host and waiting for a turn included.
        connect: seconds for connecting to an address, while the host has another.
        at_once: how many calls may be under way.
        trust: certificate authorities to accept; those of the machine unless given.
        resolve: finds the addresses of a name; the machine's way unless given.
    """

    deadline: float = 5.0
    connect: float = 2.0
    at_once: int = 32
    trust: ssl.SSLContext | None = None
    resolve: Resolve | None = None


class Outbound:
    """``broker.core.ports.Outbound`` over HTTP/1.1.

    Each call has a connection of its own: two hosts can share an address, and a connection that
    is kept has proved to be one of them only. Redirects, cookies, compression and the proxies of
    the environment do not exist here.

    Args:
        allow: hosts and ``host:port`` entries that an operator trusts: they may be private and
            may speak plain http; the other bounds hold for them too.
        calls: how calls are made.
    """

    def __init__(self, allow: Collection[str] = (), calls: Calls | None = None) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)
        self._calls = calls or Calls()
        self._resolve = self._calls.resolve or Resolver()
        self._trust = self._calls.trust
        self._turns = asyncio.Semaphore(self._calls.at_once)
        self._time = Deadline(self._calls.deadline)

    def check(self, url: str) -> None:
        """Refuse an address that would never be called; nothing is resolved or sent.

        Raises:
            OutboundRefused: it is malformed, not https, or private by its very form.
        """
        self._target(url)

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        """Return the JSON behind an address, and for how long it may be kept.

        Args:
            url: as the client named it.
            limit: the most bytes of the answer.

        Raises:
            OutboundRefused: the address may not be called; nothing was sent.
            OutboundFailed: no answer in time, another status than 200, too large, or no JSON.
        """
        return await self._bounded(url, self._got(url, limit))

    async def _got(self, url: str, limit: int) -> Fetched:
        async with self._turns, self._answer("GET", url) as answer:
            if answer.status_code != 200:
                raise OutboundFailed(private=f"{url}: {answer.status_code}")
            return Fetched(_json(url, await _body(url, answer, limit)), _max_age(answer))

    async def post_form(self, url: str, fields: Mapping[str, str]) -> int:
        """Send a form and return the status of the answer, whose body is not read.

        Raises:
            OutboundRefused: the address may not be called; nothing was sent.
            OutboundFailed: no answer in time; it is not known whether the form arrived.
        """
        return await self._bounded(url, self._posted(url, fields))

    async def _posted(self, url: str, fields: Mapping[str, str]) -> int:
        async with self._turns, self._answer("POST", url, fields) as answer:
            return answer.status_code

    async def _bounded(self, url: str, call: Awaitable[T]) -> T:
        """Hold a call to its deadline, and say one kind of thing of all faults."""
        try:
            return await self._time.within(call)
        except TookTooLong:
            raise OutboundFailed(private=f"{url}: no answer in time") from None
        except _BROKEN as error:
            raise OutboundFailed(private=f"{url}: {type(error).__name__}: {error}") from None

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, fields: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request to an address of the host that was judged, and give its answer."""
        target = self._target(url)
        addresses = await self._addresses(target)
        transport = httpx2.AsyncHTTPTransport(
            verify=await self._trusted() if target.scheme == "https" else False,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        async with transport:
            answer = await self._first(transport, method, target, addresses, fields)
            try:
                yield answer
            finally:
                await answer.aclose()

    async def _first(
        self,
        transport: httpx2.AsyncHTTPTransport,
        method: str,
        target: Target,
        addresses: tuple[IPAddress, ...],
        fields: Mapping[str, str] | None,
    ) -> httpx2.Response:
        """Return the answer of the first address that takes the connection."""
        *others, last = addresses[:TRIED]
        for address in others:
            request = self._request(method, target, address, fields)
            request.extensions["timeout"] = {"connect": self._calls.connect}
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return await transport.handle_async_request(request)
        return await transport.handle_async_request(self._request(method, target, last, fields))

    @staticmethod
    def _request(
        method: str, target: Target, address: IPAddress, fields: Mapping[str, str] | None
    ) -> httpx2.Request:
        headers = {
            "host": target.authority,
            "user-agent": "token-broker",
            "accept": "application/json, */*;q=0.1",
            "accept-encoding": "identity",
            "connection": "close",
        }
        if fields is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        return httpx2.Request(
            method,
            target.at(str(address)),
            headers=headers,
            content=None if fields is None else urlencode(fields).encode(),
            extensions={"sni_hostname": target.host},  # the deadline is the only time-out but one
        )

    def _target(self, url: str) -> Target:
        """Return where an address leads, judged as far as it can be without resolving."""
        target = targets.read(url, self._allow)
        if target.literal is not None:
            _must_be_public(target, (target.literal,))
        return target

    async def _addresses(self, target: Target) -> tuple[IPAddress, ...]:
        """Return the host's addresses; one that is not public spoils them all."""
        if target.literal is not None:
            return (target.literal,)
        found = await self._resolve(target.host, target.port)
        if not found:
            raise OutboundFailed(private=f"{target.host}: no addresses")
        _must_be_public(target, found)
        return found

    async def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:  # on the first call alone, and aside: it reads a hundred of them
            self._trust = await asyncio.to_thread(httpx2.create_ssl_context)
        return self._trust


def _must_be_public(target: Target, addresses: tuple[IPAddress, ...]) -> None:
    for address in addresses:
        if not target.allowed and not is_public(address):
            raise OutboundRefused(
                "The address leads into a private network",
                private=f"{target.host} is {address}; BROKER_OUTBOUND_ALLOW may name the host",
            )


async def _body(url: str, answer: httpx2.Response, limit: int) -> bytes:
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise OutboundFailed(private=f"{url}: compressed, though that was not asked for")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise OutboundFailed(private=f"{url}: over {limit} bytes")
    return bytes(body)


def _json(url: str, body: bytes) -> object:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise OutboundFailed(private=f"{url}: no JSON") from None
    return found


def _max_age(answer: httpx2.Response) -> int | None:
    """Return the seconds an answer stays fresh (RFC 9111 §4.2), None where it does not say."""
    control = answer.headers.get("cache-control", "")
    if _UNCACHED.search(control):
        return 0
    found = _MAX_AGE.search(control)
    if found is None:
        return None
    age = answer.headers.get("age", "")
    return max(int(found[1]) - (int(age) if age.isdecimal() and len(age) < 11 else 0), 0)
