"""Events that Discord sends of its own accord: whose they are, what they say, what they end.

Source: Discord's developer documentation, "Webhook Events". In this order: the headers have their
form → the time is near → the signature is good → the application is ours → what is said. Before
the third nothing of the body is read; whoever fails one of the first four learns nothing but that.

An event may come late, twice, or after a later one: it ends what was begun up to the moment it
tells of, and nothing else. What somebody has begun since, by a new sign-in, stays.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from broker.core.errors import StoreUnavailable, UnsignedEvent
from broker.core.ports import Accounts, AccountStates, Clock
from broker.log import structlog

UPSTREAM: Final = "discord"
PING, EVENT = 0, 1  # webhook types
DEAUTHORIZED: Final = "APPLICATION_DEAUTHORIZED"
OLDEST: Final = 900.0  # seconds; Discord tries for ten minutes, after that it is somebody's replay

CARRIED: Final = 1.0  # seconds; Discord waits three for its answer, and SQL may take half of them

_KEY: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)

_log = structlog.get_logger("broker.events")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it came, unverified.

    Attributes:
        signature: its header ``X-Signature-Ed25519``, or empty.
        timestamp: its header ``X-Signature-Timestamp``, or empty.
        body: byte for byte.
    """

    signature: str
    timestamp: str
    body: bytes


def public_key(text: str) -> Ed25519PublicKey:
    """Return an application's public key.

    Args:
        text: as Discord's developer portal shows it: 32 bytes, hexadecimal.

    Raises:
        ValueError: it is none; the text says what it should be.
    """
    if not _KEY.fullmatch(text):
        raise ValueError("must be 64 hexadecimal digits, as the application's page shows them")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


class DiscordEvents:
    """Answers ``POST /webhooks/discord``.

    Args:
        key: the application's public key.
        application: its client id.
        accounts: whose sign-ins end, in SQL.
        states: where they are.
        clock: time.
        skew: seconds by which a timestamp may be ahead.
    """

    def __init__(
        self,
        key: Ed25519PublicKey,
        application: str,
        accounts: Accounts,
        states: AccountStates,
        *,
        clock: Clock,
        skew: int,
    ) -> None:
        self._key = key
        self._application = application
        self._accounts = accounts
        self._states = states
        self._clock = clock
        self._skew = skew

    async def take(self, delivery: Delivery) -> None:
        """Do what an event asks for; what is not understood is logged, and done with.

        Raises:
            UnsignedEvent: Discord has not signed it for our application, or long ago.
            StoreUnavailable: SQL is out of reach, nothing was done: Discord will come again.
        """
        sent_at = self._proven(delivery)
        said = _object(delivery.body)
        if said is None:
            _log.warning("event.not_understood", reason="no JSON object")
            return
        if said.get("application_id") != self._application:
            raise UnsignedEvent(
                private="signed by BROKER_DISCORD_PUBLIC_KEY, for another application than "
                "BROKER_DISCORD_CLIENT_ID"
            )
        if said.get("type") == PING:
            _log.info("event.ping")
            return
        event = said.get("event")
        kind = event.get("type") if said.get("type") == EVENT and isinstance(event, dict) else None
        if kind == DEAUTHORIZED and isinstance(event, dict):
            await self._deauthorized(event, sent_at)
        else:
            _log.info("event.passed_by", type=_word(said.get("type")), kind=_word(kind))

    def _proven(self, delivery: Delivery) -> float:
        """Return when a request was signed, if Discord has signed it."""
        if not _SIGNATURE.fullmatch(delivery.signature):
            raise UnsignedEvent(private="no signature, or none of 64 bytes")
        if not _SECONDS.fullmatch(delivery.timestamp):
            raise UnsignedEvent(private="no timestamp, or none in seconds")
        sent_at, now = float(delivery.timestamp), self._clock.now()
        if not now - OLDEST <= sent_at <= now + self._skew:
            raise UnsignedEvent(private=f"the timestamp is {now - sent_at:.0f} s behind our clock")
        signed = delivery.timestamp.encode() + delivery.body
        try:
            self._key.verify(bytes.fromhex(delivery.signature), signed)
        except InvalidSignature:
            raise UnsignedEvent(private="wrong signature") from None
        return sent_at

    async def _deauthorized(self, event: dict[str, Any], sent_at: float) -> None:
        """A person has withdrawn what our application may do: all that was built on it ends.

        SQL commits it together with an entry of the outbox. This process carries it to Redis at
        once; where it dies, fails or is slow, any other one does within moments.
        """
        subject = _subject(event)
        if subject is None:
            _log.warning("event.not_understood", reason="names nobody", kind=DEAUTHORIZED)
            return
        now = self._clock.now()
        at = min(_moment(event.get("timestamp"), sent_at), now)
        ended = await self._accounts.deauthorized(UPSTREAM, subject, at=at, now=now)
        if ended is None:
            _log.info("event.nothing_to_end", kind=DEAUTHORIZED)
            return
        account_id, facts = ended
        _log.info("account.deauthorized", account_id=account_id, detail_upstream=UPSTREAM)
        try:
            async with asyncio.timeout(CARRIED):
                await self._states.end_all(account_id, facts, since_stays=True)
        except (StoreUnavailable, TimeoutError) as error:
            reason = error.private if isinstance(error, StoreUnavailable) else "too slow"
            _log.warning("event.left_to_the_outbox", account_id=account_id, reason=reason)


def _word(value: object) -> str:
    """Return what stands where a word or number should, for the log."""
    sound = value is None or isinstance(value, str | int | float)
    return str(value)[:60] if sound else f"({type(value).__name__})"


def _object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body, or None."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _subject(event: dict[str, Any]) -> str | None:
    """Return the snowflake of the person in an event's data, or None."""
    data = event.get("data")
    user = data.get("user") if isinstance(data, dict) else None
    subject = user.get("id") if isinstance(user, dict) else None
    return subject if isinstance(subject, str) and subject.isascii() and subject.isdigit() else None


def _moment(value: object, otherwise: float) -> float:
    """Return a time of Discord's in UTC seconds: ISO 8601, in UTC where no offset is named."""
    if not isinstance(value, str):
        return otherwise
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return otherwise
