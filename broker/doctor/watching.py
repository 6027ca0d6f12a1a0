"""Watching a JWKS through time: which keys come and go, held against the rules of caching."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from broker.doctor.caching import lifetime
from broker.doctor.fetching import Fetcher
from broker.doctor.key_sets import kids_in, named
from broker.doctor.model import Answer, Clock, Finding, Look, Silence, counted, fail, ok, warn
from broker.doctor.wording import at, span

SHORTEST: Final = 1.0
LONGEST: Final = 10.0

Report = Callable[[Finding], None]
Sleep = Callable[[float], Awaitable[None]]
Kids = frozenset[str]


class Watch:
    """Remembers what was seen of a JWKS, and judges each change against it.

    Args:
        first: the keys at the beginning.
        max_age: for how many seconds that answer could be kept.
        began: when, in epoch seconds.
    """

    def __init__(self, first: Kids, max_age: float, began: float) -> None:
        self._kids = first
        self._max_age = max_age
        self._came = dict.fromkeys(first, began)
        self._left: dict[str, float] = {}
        self._silent = False
        self.changes = 0

    def see(self, look: Look, now: float) -> tuple[Finding, ...]:
        """Return what there is to say of one more look; nothing where all is as before."""
        kids = kids_in(look)
        if kids is None or isinstance(look, Silence):
            first, self._silent = not self._silent, True
            return (_silence(look, now),) if first else ()
        self._silent = False
        came, went = kids - self._kids, self._kids - kids
        replaced = bool(self._kids) and not kids & self._kids
        findings = [self._arrival(kid, now) for kid in sorted(came)]
        findings += [self._departure(kid, now) for kid in sorted(went)]
        if replaced:
            findings.append(_replaced(now))
        self._kids = kids
        # Copies made from now on may live longer than those before.
        self._max_age = max(self._max_age, lifetime(look) or 0.0)
        self.changes += bool(came or went)
        return tuple(findings)

    def _arrival(self, kid: str, now: float) -> Finding:
        self._came[kid] = now
        left = self._left.pop(kid, None)
        if left is not None:
            return warn(
                at(now),
                f"{named([kid])} is back after {span(now - left)}",
                "processes or edges differ, so answers change by chance: see the section above",
            )
        return ok(
            at(now),
            f"{named([kid])} appeared; a verifier that cached just before knows it by "
            f"{at(now + self._max_age)} (max-age {span(self._max_age)}): it must not sign earlier",
        )

    def _departure(self, kid: str, now: float) -> Finding:
        self._left[kid] = now
        lived = now - self._came.get(kid, now)
        told = f"{named([kid])} left; verifiers may trust it until {at(now + self._max_age)}"
        # Of a key that was there from the beginning we do not know since when.
        if lived < self._max_age and kid in self._came and self._is_new(kid):
            cure = "no cache could count on it: was it revoked, or do processes differ?"
            return warn(at(now), f"{told}; it was there for {span(lived)} only", cure)
        return ok(at(now), told)

    def _is_new(self, kid: str) -> bool:
        return self._came[kid] > min(self._came.values())


def _silence(look: Look, now: float) -> Finding:
    reason = f"status {look.status}, or no JWKS" if isinstance(look, Answer) else look.reason
    cure = "a verifier whose copy ends now has no keys: look at the broker's /readyz and the proxy"
    return warn(at(now), f"did not answer with keys: {reason}", cure)


def _replaced(now: float) -> Finding:
    return fail(
        at(now),
        "every key was replaced at once: verifiers with a cached copy meet unknown keys",
        "the key store was exchanged or lost; restore it, or empty the verifiers' caches",
    )


async def watch(
    answer: Answer,
    fetcher: Fetcher,
    clock: Clock,
    seconds: float,
    report: Report,
    *,
    sleep: Sleep = asyncio.sleep,
) -> tuple[Finding, ...]:
    """Look at a JWKS again and again, and report each change as it is seen.

    Args:
        answer: the first look.
        fetcher: asks.
        clock: tells when.
        seconds: for how long.
        report: told each finding at once.
        sleep: waits between looks.

    Returns:
        All findings, with one that sums up.
    """
    began, keep = clock.now(), lifetime(answer) or 0.0
    seen = Watch(kids_in(answer) or frozenset(), keep, began)
    every = min(LONGEST, max(SHORTEST, keep / 10))
    findings: list[Finding] = []
    looks = 0
    while clock.now() < began + seconds:
        await sleep(min(every, max(0.0, began + seconds - clock.now())))
        look = await fetcher.ask(answer.url)
        looks += 1
        for finding in seen.see(look, clock.now()):
            findings.append(finding)
            report(finding)
    told = f"{counted(looks, 'look')} in {span(clock.now() - began)}, "
    told += f"{counted(seen.changes, 'change')} of the keys"
    findings.append(ok("watched", told))
    report(findings[-1])
    return tuple(findings)
