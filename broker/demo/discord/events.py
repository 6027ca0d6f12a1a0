"""Webhook events: signed, sent to an application's event URL, retried until they are taken.

Events travel in threads of their own, so that whoever causes one need not wait, and the receiver
may live in the very process that causes it.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from broker.demo.discord.population import iso
from broker.demo.discord.records import Application
from broker.demo.loopback import require_loopback_url

# Seconds between tries, growing; together a little under the ten minutes Discord goes on for.
PAUSES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ANSWER_SECONDS: Final = 3.0
PING, EVENT = 0, 1

Send = Callable[[str, Mapping[str, str], bytes], int]


class EndpointRefusedError(Exception):
    """An event URL did not answer a PING with 204, or a bad signature with 401."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it goes over the wire."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Delivery:
    """One event on its way.

    Attributes:
        body: what is sent, the same at each try.
        answers: the status of each try so far; 0 where there was no answer.
        delivered: whether a 204 came.
    """

    body: bytes
    answers: list[int] = field(default_factory=list)
    delivered: bool = False
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self, seconds: float = 10.0) -> bool:
        """Wait until it is delivered or given up; returns whether it was delivered."""
        self._ended.wait(seconds)
        return self.delivered

    def end(self) -> None:
        """Wake up whoever waits."""
        self._ended.set()


class Events:
    """The event URLs of applications, and what is sent to them.

    Args:
        now: epoch seconds; what signatures are stamped with.
        sleep: waits for so many seconds between tries.
        send: posts a body with headers to a URL and returns the status; raises where no answer
            came.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        send: Send | None = None,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._send = send or post
        self._urls: dict[str, str] = {}
        self.deliveries: list[Delivery] = []

    def url(self, application: Application) -> str | None:
        """Return where the application's events go, or None."""
        return self._urls.get(application.client_id)

    def register(self, application: Application, url: str) -> None:
        """Send an application's events to a URL from now on, as in the developer portal.

        Blocks for two requests: a PING, and one with a bad signature.

        Raises:
            NotLoopbackError: the URL leads to another machine.
            EndpointRefusedError: the answers were not 204 and 401.
        """
        require_loopback_url(url)
        ping = self.signed(application, _body(application, PING))
        if (status := self._try(url, ping)) != 204:
            raise EndpointRefusedError(f"PING was answered {status}, not 204")
        if (status := self._try(url, self._forged(application))) != 401:
            raise EndpointRefusedError(f"a bad signature was answered {status}, not 401")
        self._urls[application.client_id] = url

    def remove(self, application: Application) -> None:
        """Send the application no more events."""
        self._urls.pop(application.client_id, None)

    def probe(self, application: Application) -> bool:
        """Send a bad signature, as Discord does now and then; one that is taken ends the events.

        Returns:
            Whether the endpoint refused it with 401, and so goes on.
        """
        url = self.url(application)
        if url is None:
            return False
        good = self._try(url, self._forged(application)) == 401
        if not good:
            self.remove(application)
        return good

    def emit(self, application: Application, kind: str, data: Mapping[str, Any]) -> Delivery | None:
        """Send an event on its way; None where the application has no event URL."""
        if self.url(application) is None:
            return None
        delivery = Delivery(self.event(application, kind, data))
        self.deliveries.append(delivery)
        work = threading.Thread(target=self._deliver, args=(application, delivery), daemon=True)
        work.start()
        return delivery

    def event(self, application: Application, kind: str, data: Mapping[str, Any]) -> bytes:
        """Return the body of an event that happens now."""
        # Discord's examples have UTC here, and no offset that says so.
        moment = iso(self._now()).removesuffix("+00:00")
        event = {"type": kind, "timestamp": moment, "data": dict(data)}
        return _body(application, EVENT, event=event)

    def signed(self, application: Application, body: bytes, *, at: float | None = None) -> Signed:
        """Return a body with its signature: over the timestamp, then the body (Ed25519).

        Args:
            application: whose key signs.
            body: what is sent.
            at: epoch seconds that the signature is stamped with, now unless said.
        """
        stamp = str(int(self._now() if at is None else at))
        signature = application.private_key.sign(stamp.encode() + body).hex()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Discord-Webhook/1.0 (+https://discord.com)",
            "X-Signature-Ed25519": signature,
            "X-Signature-Timestamp": stamp,
        }
        return Signed(headers, body)

    def _forged(self, application: Application) -> Signed:
        """Return a PING that must be refused: the signature is of another body."""
        good = self.signed(application, b"another body")
        return Signed(good.headers, _body(application, PING))

    def _deliver(self, application: Application, delivery: Delivery) -> None:
        for pause in (*PAUSES, None):
            url = self.url(application)
            if url is None:
                break
            status = self._try(url, self.signed(application, delivery.body))
            delivery.answers.append(status)
            if status == 204:
                delivery.delivered = True
                break
            if pause is not None:
                self._sleep(pause)
        delivery.end()

    def _try(self, url: str, request: Signed) -> int:
        try:
            return self._send(url, request.headers, request.body)
        except Exception:  # noqa: BLE001 - whatever kept the answer away, there was none
            return 0


def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Post a body and return the status; redirects are not followed.

    Raises:
        HTTPError: no answer came in time.
    """
    answer = httpx2.post(
        url, headers=dict(headers), content=body, timeout=ANSWER_SECONDS, trust_env=False
    )
    return answer.status_code


def _body(application: Application, kind: int, **more: Any) -> bytes:
    document = {"version": 1, "application_id": application.client_id, "type": kind} | more
    return json.dumps(document, separators=(",", ":")).encode()
