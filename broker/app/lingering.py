"""Connections that keep their server waiting: given up by one look at all, not by a timer each.

A request's head has `HEAD` seconds from its first byte to its last; whoever answers limits the body
by itself. All else that a client could draw out has as long as an idle connection: the rest of a
body that was answered already, an answer that is not taken, the end of a connection that is closed.
Nothing of this is noted while requests go through: each look compares with the one before.
"""

from collections.abc import Collection
from operator import itemgetter
from typing import Final

from broker.app.connections import PARTING, Connection
from broker.log import structlog

HEAD: Final = 10.0  # seconds
EVERY: Final = 1.0  # seconds between two looks: how late one may be given up at most
SPARED: Final = 1.0  # seconds after which a connection can be spared where there is no room
PART: Final = 16  # a sixteenth of those goes at once

_log = structlog.get_logger("broker.server")


class Lingering:
    """Looks after the connections of one process.

    Args:
        connections: those that are open; uvicorn keeps them.
        patience: seconds that one may be idle.
    """

    def __init__(self, connections: Collection[Connection], patience: float) -> None:
        self._connections = connections
        self._patience = patience
        self._looked_at = 0.0
        self._waiting: dict[Connection, tuple[object, float]] = {}  # for what, and since when

    def look(self, now: float) -> None:
        """Give up what has been waited for too long.

        Args:
            now: seconds of the loop's clock.
        """
        if now - self._looked_at < EVERY:
            return
        self._looked_at = now
        before, self._waiting = self._waiting, {}
        late = []
        for connection in self._connections:
            awaited = connection.awaited()
            if awaited is None:
                continue
            former, since = before.get(connection, (None, now))
            self._waiting[connection] = awaited, since if former is awaited else now
            if former is awaited and now - since > self._limit(connection, awaited):
                late.append(connection)
        for connection in late:
            connection.give_up()
        if late:
            _log.info("connections.given_up", count=len(late))

    def _limit(self, connection: Connection, awaited: object) -> float:
        if awaited is PARTING:
            return 0.0
        return HEAD if awaited is connection.head() else self._patience

    def make_room(self, now: float) -> bool:
        """Close some that can be spared, those first that are so for longest; say whether any.

        Those are idle ones; where none is, those that owe the rest of a head. Whoever has just
        come is left alone: its request may be on the way.

        Args:
            now: seconds of the loop's clock.
        """
        spared = self._idle(now - SPARED) or self._slow(now - SPARED)
        for _, connection in sorted(spared, key=itemgetter(0))[: 1 + len(spared) // PART]:
            connection.transport.close()
        return bool(spared)

    def _idle(self, before: float) -> list[tuple[float, Connection]]:
        found = [
            (timer.when() - self._patience, connection)
            for connection in self._connections
            if (timer := connection.timeout_keep_alive_task) is not None
            and not connection.transport.is_closing()
        ]
        return [one for one in found if one[0] <= before]

    def _slow(self, before: float) -> list[tuple[float, Connection]]:
        return [
            (since, connection)
            for connection, (awaited, since) in self._waiting.items()
            if since <= before and awaited is connection.awaited() is connection.head()
        ]
