"""Asking everything that is judged later: discovery, the JWKS in all ways, every address."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from broker.doctor.fetching import Fetcher
from broker.doctor.key_sets import UnreadableError, json_object, kids_in
from broker.doctor.model import Answer, Evidence, Look, Looks, Sample, Trip
from broker.doctor.places import DISCOVERY, origin

MOST_REDIRECTS: Final = 5
AT_ONCE: Final = 4
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PAGE: Final = {"origin": "https://doctor.invalid"}
_PAST: Final = {"cache-control": "no-cache", "pragma": "no-cache"}


async def gather(
    issuer: str, fetcher: Fetcher, now: float, *, connections: int = 8, settle: float = 2.0
) -> Evidence:
    """Look at a deployment.

    Args:
        issuer: its address, as `places.issuer_of` returns it.
        fetcher: asks.
        now: epoch seconds.
        connections: fresh connections to compare, at least one an address.
        settle: seconds to wait before looking a second time where answers differ, so that a
            rotation caught in the act is not taken for a fault.
    """
    found = await gather_documents(issuer, fetcher, now)
    if not isinstance(found.discovery.end, Answer):
        return found
    found = replace(found, browser=await fetcher.ask(found.discovery.end.url, headers=_PAGE))
    if found.jwks is None or not isinstance(found.jwks.end, Answer):
        return found
    jwks = found.jwks.end
    looks = await _looks(jwks, fetcher, now)
    past = _queried(looks.direct.url) if looks.direct.url != jwks.url else None
    samples = await _sampled(jwks.url, fetcher, connections, past)
    if _differ(samples, looks.direct):
        await asyncio.sleep(settle)
        samples = await _sampled(jwks.url, fetcher, connections, past)
        looks = replace(looks, direct=samples[-1].direct)
    return replace(found, looks=looks, samples=samples)


async def gather_documents(issuer: str, fetcher: Fetcher, now: float) -> Evidence:
    """Look at the discovery document and at the JWKS it names, each once.

    Args:
        issuer: its address, without a slash at the end.
        fetcher: asks.
        now: epoch seconds.
    """
    discovery = await follow(issuer + DISCOVERY, fetcher)
    found = Evidence(issuer, now, discovery)
    if not isinstance(discovery.end, Answer):
        return found
    metadata = _metadata(discovery.end)
    address = (metadata or {}).get("jwks_uri")
    if not isinstance(address, str) or not _is_http(address):
        return replace(found, metadata=metadata)
    return replace(found, metadata=metadata, jwks=await follow(address, fetcher))


async def follow(url: str, fetcher: Fetcher) -> Trip:
    """Ask for a document, through redirects; each is kept."""
    hops: list[Answer] = []
    while True:
        look = await fetcher.ask(url)
        target = _redirect(look)
        if not isinstance(look, Answer) or target is None or len(hops) == MOST_REDIRECTS:
            return Trip(tuple(hops), look)
        hops.append(look)
        url = target


def _redirect(look: Look) -> str | None:
    """Return where an answer redirects to, or None."""
    if not isinstance(look, Answer) or look.status not in _REDIRECTS:
        return None
    try:
        target = urljoin(look.url, look.header("location") or "")
    except ValueError:
        return None
    return target if _is_http(target) else None


def _is_http(url: str) -> bool:
    try:
        scheme, host, _ = origin(url)
    except ValueError:
        return False
    return scheme in {"http", "https"} and bool(host)


def _metadata(answer: Answer) -> Mapping[str, Any] | None:
    if answer.status != 200:
        return None
    try:
        return json_object(answer.body)
    except UnreadableError:
        return None


async def _looks(answer: Answer, fetcher: Fetcher, now: float) -> Looks:
    url, tag = answer.url, answer.header("etag")
    past = f"{url}{'&' if urlsplit(url).query else '?'}doctor={now:.0f}"
    direct = await fetcher.ask(past, headers=_PAST)
    if isinstance(direct, Answer) and direct.status != 200:  # it takes no query
        direct = await fetcher.ask(url, headers=_PAST)
    conditional, head, identity, browser = await asyncio.gather(
        _again(url, tag, fetcher),
        fetcher.ask(url, method="HEAD"),
        fetcher.ask(url, headers={"accept-encoding": "identity"}),
        fetcher.ask(url, headers=_PAGE),
    )
    return Looks(conditional, head, identity, browser, direct)


async def _again(url: str, tag: str | None, fetcher: Fetcher) -> Look | None:
    return await fetcher.ask(url, headers={"if-none-match": tag}) if tag else None


def _queried(url: str) -> Callable[[], str]:
    """Return what makes URLs that no cache was ever asked for: many caches heed no `no-cache`."""
    numbers = count(1)
    return lambda: f"{url}-{next(numbers)}"


async def _sampled(
    url: str, fetcher: Fetcher, connections: int, past: Callable[[], str] | None
) -> tuple[Sample, ...]:
    _, host, port = origin(url)
    places = await fetcher.resolve(host, port) or ("",)
    turns = asyncio.Semaphore(AT_ONCE)

    async def sample(number: int) -> Sample:
        address = places[number % len(places)]
        async with turns:
            plain = await fetcher.ask(url, address=address)
            direct = await fetcher.ask(past() if past else url, address=address, headers=_PAST)
            return Sample(plain, direct)

    numbers = range(max(connections, len(places)))
    return tuple(await asyncio.gather(*(sample(one) for one in numbers)))


def _differ(samples: tuple[Sample, ...], direct: Look) -> bool:
    looks = (direct, *(look for one in samples for look in (one.plain, one.direct)))
    return len({kids_in(look) for look in looks} - {None}) > 1
