"""Calls to upstreams that wait for their turn, and tell what came of them.

The pace is a matter of the transport, so whatever an HTTP client does above it keeps to it.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

import httpx2

from broker.core.budget import (
    BEFORE_ALL,
    OURS,
    UNANSWERED,
    Budget,
    Call,
    Go,
    Heard,
    Urgency,
    Why,
)
from broker.core.deadlines import Span, TookTooLong
from broker.core.errors import AuthorizationLost, UpstreamUnavailable
from broker.upstream.base import BoundedTransport
from broker.upstream.hearing import MAX_WAIT, heard_of

SENDS: Final = 3  # of one request: a 429 says that nothing was done, and when to come again
BROKEN: Final = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)

Route = Callable[[httpx2.Request], str]
"""Names the route of a request: a word of ours, one of few."""


class Outcome(StrEnum):
    """What came of a call."""

    OK = "ok"
    REFUSED = "refused"  # 4xx
    LIMITED = "limited"  # 429
    FAILED = "failed"  # 5xx, or sent elsewhere
    UNANSWERED = "unanswered"


class Tally(Protocol):
    """Counts calls to upstreams."""

    def called(self, upstream: str, route: str, outcome: Outcome) -> None:
        """Count a call that was sent."""
        ...

    def waited(self, upstream: str, seconds: float) -> None:
        """Count a wait for a turn."""
        ...

    def declined(self, upstream: str, why: Why) -> None:
        """Count a call that was not made."""
        ...


class NoTally:
    """A ``Tally`` that counts nothing."""

    def called(self, upstream: str, route: str, outcome: Outcome) -> None:
        """Do nothing."""

    def waited(self, upstream: str, seconds: float) -> None:
        """Do nothing."""

    def declined(self, upstream: str, why: Why) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How calls to upstreams leave this process.

    Attributes:
        pool: the connections, shared by everybody's calls.
        budget: whose turn it is.
        tally: counts them.
    """

    pool: BoundedTransport
    budget: Budget
    tally: Tally


@dataclass(frozen=True, slots=True)
class Errand:
    """What some calls are for that belong together.

    Attributes:
        upstream: its name.
        route: names the route of each.
        seconds: within which all of them have answered or failed.
        urgency: how needed they are.
        patience: the part of the time that is left which may go by with waiting.
        queue: seconds that a call may wait besides, where much would be lost by giving up.
        calls: how many they are; they get their places behind everybody's calls together, so that
            nobody who was let in waits a second time.
        hear: reads what an answer says of limits.
    """

    upstream: str
    route: Route
    seconds: float
    urgency: Urgency
    patience: float = 0.75
    queue: float = 0.0
    calls: int = 1
    hear: Callable[[httpx2.Response], Heard] = heard_of


class PacedTransport(httpx2.AsyncBaseTransport):
    """A transport for one errand: each request waits for its turn.

    Only answers with 2xx and 4xx come back, and none about limits, with their bodies read. Nothing
    is sent again but what was over a limit, as told and as far as there is time.

    Args:
        wire: how calls leave.
        errand: what they are for; its time begins now.
    """

    def __init__(self, wire: Wire, errand: Errand) -> None:
        self._wire = wire
        self._errand = errand
        self._time = Span(errand.seconds)
        self._paid = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request when its turn has come, and return the answer.

        Raises:
            UpstreamUnavailable: no sound answer in time, or no turn.
            AuthorizationLost: the request's token was refused a short while ago.
        """
        errand, began = self._errand, self._time.left
        call = Call(
            errand.upstream,
            errand.route(request),
            holder_of(request),
            errand.urgency,
            self._weight(),
        )
        request.extensions["route"] = call.route  # for whoever writes down what was called
        for _ in range(SENDS - 1):
            answer, heard = await self._once(call, request, began)
            if not heard.limited:
                return answer
            call = replace(call, weight=1)
        answer, heard = await self._once(call, request, began)
        if heard.limited:
            raise self._unavailable(call, "is over a limit", heard.wait)
        return answer

    def _weight(self) -> int:
        """Return how many places the next call takes behind everybody's."""
        if self._paid:
            self._paid -= 1
            return 0
        self._paid = self._errand.calls - 1
        return self._errand.calls

    async def _once(
        self, call: Call, request: httpx2.Request, began: float
    ) -> tuple[httpx2.Response, Heard]:
        try:
            await self._time.within(self._wait(call, began), self._errand.queue)
        except TookTooLong:
            self._wire.tally.declined(call.upstream, Why.QUEUE)
            raise self._unavailable(call, "no turn in time") from None
        try:
            return await self._sent(call, request, self._queued(began))
        finally:
            self._wire.pool.slots.release()

    async def _sent(
        self, call: Call, request: httpx2.Request, queued: float
    ) -> tuple[httpx2.Response, Heard]:
        """Send the request, and hand in what came of it."""
        try:
            answer = await self._time.within(self._read(request), queued)
        except (TimeoutError, *BROKEN) as error:
            await self._wire.budget.heard(call, UNANSWERED)
            self._wire.tally.called(call.upstream, call.route, Outcome.UNANSWERED)
            # The class name alone: messages may quote addresses.
            raise self._unavailable(call, type(error).__name__) from None
        except asyncio.CancelledError:
            # Nobody waits for it any more: so it must not hold others back.
            await self._wire.budget.heard(call, UNANSWERED)
            raise
        heard = self._errand.hear(answer)
        outcome = Outcome.LIMITED if heard.limited else _outcome(answer)
        await self._wire.budget.heard(call, heard)
        self._wire.tally.called(call.upstream, call.route, outcome)
        if outcome == Outcome.FAILED:
            raise self._unavailable(call, f"answered {answer.status_code}", heard.wait)
        return answer, heard

    async def _wait(self, call: Call, began: float) -> None:
        """Return when the call's turn has come, with a slot for a connection.

        The slot is there first: a turn that was given and not used would be out of date.
        """
        slots, asked, waited = self._wire.pool.slots, self._time.left, BEFORE_ALL
        while True:
            await slots.acquire()
            given = None
            try:
                given = await self._given(call, waited, began)
            finally:
                if given is None or given.wait > 0:
                    slots.release()
            if given.wait <= 0:
                break
            waited = given
            await asyncio.sleep(given.wait)
        if waited is not BEFORE_ALL:
            self._wire.tally.waited(call.upstream, self._gone_since(asked))

    def _gone_since(self, left: float) -> float:
        """Return the seconds gone since so many were left.

        None, where more are left now: the process stood still near the end, and there is a turn.
        """
        return max(left - self._time.left, 0.0)

    def _queued(self, began: float) -> float:
        """Return the seconds of waiting that lengthen the call's time, which began with so many."""
        return min(self._gone_since(began), self._errand.queue)

    async def _given(self, call: Call, waited: Go, began: float) -> Go:
        """Return the turn that the budget gives.

        Raises:
            UpstreamUnavailable: it gives none.
            AuthorizationLost: it gives none, as the call's token was refused a short while ago.
        """
        errand, queued = self._errand, self._queued(began)
        left = max(self._time.left + queued, 0) * errand.patience + errand.queue - queued
        given = await self._wire.budget.may_send(call, patience=left, waited=waited)
        if isinstance(given, Go):
            return given
        self._wire.tally.declined(call.upstream, given.why)
        if given.why == Why.DEAD:
            raise AuthorizationLost(private=f"{call.upstream}: this token was refused")
        raise self._unavailable(call, f"no turn: {given.why}", given.wait)

    async def _read(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._wire.pool.handle_async_request(request)
        try:
            body = await answer.aread()
        finally:
            await answer.aclose()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=body)

    def _unavailable(self, call: Call, what: str, wait: float = 0.0) -> UpstreamUnavailable:
        private = f"{call.upstream}: {call.route} {what}"
        if wait <= 0:
            return UpstreamUnavailable(private=private)
        return UpstreamUnavailable(private=private, retry_after=math.ceil(min(wait, MAX_WAIT)))


def holder_of(request: httpx2.Request) -> str:
    """Return whose limit a request counts against: a digest of its bearer token, or `OURS`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return OURS
    return hashlib.sha256(token.strip().encode()).hexdigest()[:32]


def _outcome(answer: httpx2.Response) -> Outcome:
    status = answer.status_code
    if 200 <= status < 300:
        return Outcome.OK
    return Outcome.REFUSED if 400 <= status < 500 else Outcome.FAILED
