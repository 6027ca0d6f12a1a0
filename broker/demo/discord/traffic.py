"""What came in at the simulated Discord, what it answered, and whom it shut out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Message, Send

INVALID = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Ban:
    """So many answers of 401, 403 or 429 in so many seconds shut an address out for a while."""

    requests: int = 10_000
    seconds: float = 600.0
    lasts: float = 3600.0


class Traffic:
    """Counts requests and answers of each route, and invalid requests of each address.

    Attributes:
        calls: route → requests.
        answers: (route, status) → answers begun, those that were broken off included.
        limited: route → answers of 429, whoever gave them.
        ban: when an address is shut out.
    """

    def __init__(self, now: Callable[[], float], ban: Ban) -> None:
        self._now = now
        self.ban = ban
        self.calls: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.limited: Counter[str] = Counter()
        self._invalid: dict[str, tuple[float, int]] = {}
        self._until: dict[str, float] = {}

    def is_banned(self, address: str) -> bool:
        """Say whether an address is shut out now."""
        return self._now() < self._until.get(address, 0.0)

    def invalid(self, address: str) -> int:
        """Return how many invalid requests of an address count at the moment."""
        opened, count = self._invalid.get(address, (0.0, 0))
        return count if self._now() < opened + self.ban.seconds else 0

    def forgive(self) -> None:
        """Shut nobody out, and count everything anew."""
        for counted in (self.calls, self.answers, self.limited, self._invalid, self._until):
            counted.clear()

    def watched(self, route: str, address: str, send: Send) -> Send:
        """Return a way to send that counts the answer."""

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(route, address, message)
            await send(message)

        return counting

    def _count(self, route: str, address: str, start: Message) -> None:
        status = start["status"]
        self.answers[route, status] += 1
        if status == 429:
            self.limited[route] += 1
        headers = {bytes(name).lower(): value for name, value in start["headers"]}
        # Discord counts no refusal that others of a shared limit brought about.
        shared = headers.get(b"x-ratelimit-scope") == b"shared"
        if status in INVALID and not shared and not self.is_banned(address):
            self._count_invalid(address)

    def _count_invalid(self, address: str) -> None:
        now, count = self._now(), self.invalid(address) + 1
        opened = self._invalid[address][0] if count > 1 else now
        self._invalid[address] = (opened, count)
        if count >= self.ban.requests:
            self._until[address] = now + self.ban.lasts
            del self._invalid[address]
