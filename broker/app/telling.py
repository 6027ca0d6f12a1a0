"""Delivering logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.5), beside the requests.

Every process takes part. What is to be told is in Redis until it was told, so any of them may be
killed at any time; a client may then be told twice, which does no harm. A client that is switched
off, was removed or has no address for it is told nothing.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from broker.app.receivers import Receivers
from broker.core import audit
from broker.core.backchannel import Notice, Verdict, logout_token, verdict
from broker.core.client import Client
from broker.core.errors import AlgorithmOff, OutboundFailed, OutboundRefused, StoreUnavailable
from broker.core.model import AuditEvent
from broker.core.ports import Audit, Clients, Outbound
from broker.core.resting import rest
from broker.core.tokens import Mint
from broker.log import structlog
from broker.stores.redis.notices import Claim, RedisNotices
from keys.errors import KeysError

AT_ONCE: Final = 32  # deliveries of one process
BATCH: Final = 16  # accounts in one look
SOME: Final = 16  # notices of one account at a time; the others come with its next turn
STOPPING: Final = 3.0  # seconds that deliveries under way have to come to an end
SIGNED_LATER: Final = 5.0  # seconds; what is out of reach here is no fault of the receiver

_log = structlog.get_logger("broker.logout")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are tried, all in seconds.

    Attributes:
        interval: between two looks at an empty queue.
        first: until a delivery that failed is tried again; doubled each time, with jitter.
        longest: between two tries, at the most.
        give_up: after the end of the session.
    """

    interval: float = 0.5
    first: float = 1.0
    longest: float = 600.0
    give_up: float = 86400.0


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells clients that a session is over.

    Attributes:
        notices: the queue.
        clients: where a client's address is found.
        mint: signs.
        outbound: sends.
        audit: keeps what could not be delivered.
        pace: how often things are tried.
    """

    notices: RedisNotices
    clients: Clients
    mint: Mint
    outbound: Outbound
    audit: Audit
    pace: Pace = field(default_factory=Pace)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set."""
        crew = _Crew(self)
        try:
            while not stop.is_set():
                if not await self._look(crew):
                    await rest(stop, self.pace.interval)
        finally:
            await crew.disband()

    async def _look(self, crew: "_Crew") -> bool:
        """Carry on what is due; return whether more may be waiting."""
        try:
            claims = await self.notices.claim(BATCH)
            for claim in claims:
                await self._account(claim, crew)
        except StoreUnavailable as error:
            _log.warning("logout.queue_unreachable", reason=error.private)
            return False
        return len(claims) == BATCH

    async def _account(self, claim: Claim, crew: "_Crew") -> None:
        taken = await self.notices.take(claim.account_id, SOME)
        for notice in taken.notices:
            if wait := crew.receivers.admit(notice.client_id):
                await self._postpone(notice, crew.receivers.why(notice.client_id), wait)
            else:
                await crew.send(notice)
        await self.notices.settle(claim, taken.wait)

    async def deliver(self, notice: Notice) -> str:
        """Try to tell one client; return why it did not answer, empty where it did or was spared.

        Raises:
            StoreUnavailable: a store is out of reach; the notice comes back after its lease.
        """
        try:
            client = await self.clients.find(notice.client_id)
            if client is None or client.disabled or not client.backchannel_logout_uri:
                await self.notices.done(notice)
                return ""
            token = await logout_token(self.mint, client, notice)
        except (StoreUnavailable, AlgorithmOff, KeysError) as error:
            _log.warning("logout.not_signed", client_id=notice.client_id, reason=repr(error))
            await self._postpone(notice, f"not signed: {type(error).__name__}", SIGNED_LATER)
            return ""
        return await self._post(client, notice, client.backchannel_logout_uri, token)

    async def _post(self, client: Client, notice: Notice, uri: str, token: str) -> str:
        try:
            status = await self.outbound.post_form(uri, {"logout_token": token})
        except OutboundRefused as error:
            await self._give_up(notice, f"{error.public} ({error.private})")
            return ""
        except OutboundFailed as error:
            await self._later(notice, error.private)
            return error.private
        match verdict(status, notice.tries):
            case Verdict.TOLD:
                _log.info("logout.told", client_id=client.client_id, tries=notice.tries)
                await self.notices.done(notice)
            case Verdict.REFUSED:
                await self._give_up(notice, f"answered {status}")
            case Verdict.AGAIN:
                await self._later(notice, f"answered {status}")
        return f"answered {status}" if status >= 500 else ""

    async def _later(self, notice: Notice, reason: str) -> None:
        """Have a delivery that failed tried again, unless that has gone on for too long."""
        if notice.age >= self.pace.give_up:
            return await self._give_up(notice, reason)
        pause = self.pace.first * 2.0 ** min(notice.tries - 1, 20)
        wait = self._jitter(min(pause, self.pace.longest))
        _log.warning(
            "logout.not_told",
            client_id=notice.client_id,
            tries=notice.tries,
            next_try=round(wait, 1),
            reason=reason,
        )
        return await self.notices.again(notice, wait)

    async def _postpone(self, notice: Notice, reason: str, wait: float) -> None:
        """Have what was not sent at all tried later; that is no try."""
        if notice.age >= self.pace.give_up:
            return await self._give_up(notice, reason)
        return await self.notices.again(notice, self._jitter(wait), tried=False)

    async def _give_up(self, notice: Notice, reason: str) -> None:
        detail = {"reason": reason, "tries": notice.tries, "sid": notice.sid}
        now = self.mint.clock.now()
        await audit.note(
            self.audit,
            AuditEvent(
                "logout.undelivered", now, "system", notice.account_id, notice.client_id, detail
            ),
        )
        await self.notices.done(notice)

    def _jitter(self, seconds: float) -> float:
        """Return between half and one and a half times as long: what failed together parts."""
        return seconds * (0.5 + self.mint.entropy.token(1)[0] / 255)


class _Crew:
    """The deliveries under way in this process.

    Args:
        telling: what each of them does.
    """

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.receivers = Receivers(asyncio.get_running_loop().time)

    async def send(self, notice: Notice) -> None:
        """Begin a delivery that was admitted, as soon as there is a turn for it."""
        await self._turns.acquire()
        task = asyncio.create_task(self._deliver(notice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, notice: Notice) -> None:
        failed = ""
        try:
            failed = await self._telling.deliver(notice)
        except StoreUnavailable as error:
            _log.warning("logout.queue_unreachable", reason=error.private)
        except Exception as error:  # noqa: BLE001 - the notice is kept, and tried again
            _log.error("logout.failed", client_id=notice.client_id, reason=repr(error))
        finally:
            self.receivers.ended(notice.client_id, failed=failed)
            self._turns.release()

    async def disband(self) -> None:
        """Let deliveries under way come to an end for a while, then let them go."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOPPING)
            for task in late:
                task.cancel()
