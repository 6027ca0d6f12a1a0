"""Who may be in the operator console, and how one gets in.

A session of the console is begun with two proofs: a fresh sign-in here, and a passkey of the
operator's own. It is looked at with every request, and over as soon as any of this is: its own
times, the browser's session it was begun in, the account (switched off, signed out everywhere), the
role, the passkey.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from broker.core.audit import note
from broker.core.desk import Desk
from broker.core.errors import TooManyRequests
from broker.core.handles import Handle, Kind
from broker.core.limits import Kind as Counted
from broker.core.limits import Limits
from broker.core.model import AuditEvent, Facts, JsonValue, Session
from broker.core.operators import Operator, Operators, Passkey
from broker.core.outcomes import Browser

FRESH: Final = 3600.0  # seconds since the sign-in that the console asks for
IDLE: Final = 1800.0  # seconds without a request after which one is out
LONGEST: Final = 8 * 3600.0  # seconds after which one is out in any case
CHALLENGE: Final = 300  # seconds in which a passkey has to answer
REFUSALS: Final = "5/minute"  # of an account, that the audit log is told of
MOST_UNTOLD: Final = 1000  # accounts of which refusals that were left out are counted


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A session of the console.

    Attributes:
        account_id: the operator.
        console_id: its identifier.
        sid: the browser's session that it was begun in.
        passkey: the credential that began it, hexadecimal.
        began: when, UTC seconds.
        seen: when it was last used.
    """

    account_id: str
    console_id: str
    sid: str
    passkey: str
    began: float
    seen: float


class ConsoleSessions(Protocol):
    """Sessions of the console, in Redis; every method may raise ``StoreUnavailable``."""

    async def open(self, session: ConsoleSession, *, kept: int) -> None:
        """Write the session, for so many seconds at the most."""
        ...

    async def look(self, account_id: str, console_id: str) -> ConsoleSession | None:
        """Return the session, or None."""
        ...

    async def seen(self, session: ConsoleSession) -> bool:
        """Write the session back unless it has ended meanwhile; False where it has."""
        ...

    async def end(self, account_id: str, console_id: str) -> None:
        """End the session; idempotent."""
        ...

    async def challenge(self, account_id: str, sid: str, challenge: bytes, *, kept: int) -> None:
        """Keep what a passkey is to sign next in this browser's session."""
        ...

    async def take_challenge(self, account_id: str, sid: str) -> bytes | None:
        """Return it to the one caller that takes it, or None."""
        ...


class Step(StrEnum):
    """What somebody at the door has to do next."""

    SIGN_IN = "sign_in"
    NOBODY = "nobody"  # nothing: the account is no operator
    ENROL = "enrol"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class DoorPage:
    """Ask for the next proof; answered by POST /admin/enter, ``action``.

    Attributes:
        step: which.
        csrf: token, a hidden field.
        name: who is signed in, or empty.
        options: what the browser hands to the authenticator, as JSON; or empty.
        known: whether the operator has passkeys already.
        problem: what was wrong before, or empty.
        browser: binding cookie to set, or None.
    """

    step: Step
    csrf: str
    name: str = ""
    options: str = ""
    known: bool = False
    problem: str = ""
    browser: str | None = None


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """Somebody who is signed in here, and may be an operator.

    Attributes:
        session, facts: who it is.
        operator: as an operator; None for everybody else.
        fresh: whether the sign-in was a short while ago.
    """

    session: Session
    facts: Facts
    operator: Operator | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """An operator in the console; only ``Entrance.inside`` makes one.

    Attributes:
        operator: who it is.
        name: what to call the person.
        session: of the console.
    """

    operator: Operator
    name: str
    session: ConsoleSession


class Entrance:
    """The door of the console.

    Args:
        desk: what a sign-in has at hand.
        operators: who may come in.
        sessions: of the console.
        limits: bounds what the audit log is told of refusals.
    """

    def __init__(
        self,
        desk: Desk,
        operators: Operators,
        sessions: ConsoleSessions,
        limits: Limits,
    ) -> None:
        self._desk = desk
        self._operators = operators
        self._sessions = sessions
        self._limits = limits
        self._untold: dict[str, int] = {}

    async def door(self, browser: Browser) -> AtTheDoor | None:
        """Return who is signed in, or None."""
        desk = self._desk
        found = await desk.signed_in(desk.session_handle(browser))
        if found is None:
            return None
        session, facts = found
        operator = await self._operators.get(session.account_id)
        fresh = session.auth_time > desk.clock.now() - FRESH
        return AtTheDoor(session, facts, operator, fresh)

    async def inside(self, browser: Browser, cookie: str | None) -> Inside | None:
        """Return the operator whose console this browser is in, or None."""
        desk, now = self._desk, self._desk.clock.now()
        handle = desk.handles.open(Kind.CONSOLE, cookie) if cookie else None
        kept = await self._sessions.look(handle.account_id, handle.item_id) if handle else None
        if kept is None or now >= min(kept.seen + IDLE, kept.began + LONGEST):
            return None
        at_the_door = await self.door(browser)
        if at_the_door is None or at_the_door.operator is None:
            return None
        session, operator = at_the_door.session, at_the_door.operator
        if (session.account_id, session.sid) != (kept.account_id, kept.sid):
            return None
        if kept.passkey not in {one.credential_id.hex() for one in operator.passkeys}:
            return None
        kept = replace(kept, seen=max(now, kept.seen))
        if not await self._sessions.seen(kept):
            return None
        return Inside(operator, str(at_the_door.facts.claims.get("name", "")), kept)

    async def challenge(self, who: AtTheDoor) -> bytes:
        """Return what a passkey of this person's is to sign next."""
        challenge = self._desk.entropy.token(32)
        place = who.session.account_id, who.session.sid
        await self._sessions.challenge(*place, challenge, kept=CHALLENGE)
        return challenge

    async def challenged(self, who: AtTheDoor) -> bytes | None:
        """Return what it should have signed, once; None where nothing was asked of it."""
        return await self._sessions.take_challenge(who.session.account_id, who.session.sid)

    async def enrol(self, passkey: Passkey, code: str) -> bool:
        """Keep a passkey that a printed code stands for; False where the code is none."""
        done = await self._operators.enrol(passkey, code, now=self._desk.clock.now())
        if not done:
            await self.refused(passkey.account_id, "no such code")
        return done

    async def enter(self, who: AtTheDoor, passkey: Passkey, sign_count: int) -> str | None:
        """Let somebody in whose passkey has signed; return the cookie, None for a copied key."""
        desk, now = self._desk, self._desk.clock.now()
        if not await self._operators.used(passkey, sign_count, now=now):
            await self.refused(passkey.account_id, "the passkey may have been copied")
            return None
        session = ConsoleSession(
            account_id=who.session.account_id,
            console_id=desk.new_id(),
            sid=who.session.sid,
            passkey=passkey.credential_id.hex(),
            began=now,
            seen=now,
        )
        await self._sessions.open(session, kept=int(LONGEST))
        return desk.handles.make(Kind.CONSOLE, Handle(session.account_id, session.console_id))

    async def leave(self, inside: Inside) -> None:
        """End the session."""
        session = inside.session
        await self._sessions.end(session.account_id, session.console_id)
        now = self._desk.clock.now()
        event = AuditEvent("operator.signed_out", now, "operator", session.account_id)
        await note(self._desk.audit, event)

    async def refused(self, account_id: str, reason: str) -> None:
        """Remember that somebody was not let in.

        Nobody fills the audit log by being refused: of more than a few a minute (``REFUSALS``) the
        next that is told says how many this process has left out.
        """
        try:
            self._limits.take(Counted.REFUSED, account_id)
        except TooManyRequests:
            if account_id in self._untold or len(self._untold) < MOST_UNTOLD:
                self._untold[account_id] = self._untold.get(account_id, 0) + 1
            return
        now, left_out = self._desk.clock.now(), self._untold.pop(account_id, 0)
        detail: dict[str, JsonValue] = {"reason": reason}
        detail |= {"left_out": left_out} if left_out else {}
        event = AuditEvent("operator.refused", now, "person", account_id, None, detail)
        await note(self._desk.audit, event)
