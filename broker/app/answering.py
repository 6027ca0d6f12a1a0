"""The HTTP server of one process: uvicorn, taking connections in turn, parting politely."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from broker.app.accepting import Accepting, Room
from broker.app.handover import GRACE, KEEP_ALIVE
from broker.app.lingering import Lingering
from broker.app.listening import BACKLOG
from broker.app.open_files import most_connections
from broker.app.shares import Share
from broker.app.wire import WholeAnswers

CLOSE: Final = (b"connection", b"close")


class Server(uvicorn.Server):
    """Answers requests until it is told to end.

    It is told by `end`, not by signals: whoever runs it takes those.

    Args:
        config: uvicorn's.
        listeners: bound sockets; closed in the end.
        share: what this process tells the others that take connections from them.
        started: called when it answers.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listeners: Sequence[socket.socket],
        share: Share,
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._lingering = Lingering(self.server_state.connections, KEEP_ALIVE)  # type: ignore[arg-type]
        room = Room(most_connections(), self._open_now, self._make_room)
        self._accepting = Accepting(listeners, share, room, self._protocol)
        self._started = started
        self._patience = 0.0

    def end(self, patience: float = 0.0) -> None:
        """Take no more connections, finish what was begun, and end.

        Args:
            patience: seconds to keep idle connections. A client may be about to send its next
                request on one; it is answered, and told that the connection ends with it.
        """
        self._patience = patience
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then take connections."""
        del sockets  # uvicorn has none to listen on: it would take all it could
        await super().startup(sockets=[])
        self._accepting.begin()
        self._started()

    async def on_tick(self, counter: int) -> bool:
        """Tell the other processes how it is; return whether to end."""
        self._look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Part with the clients, then end."""
        self._accepting.end(rest=self._patience > 0)
        await self._part()
        await super().shutdown(sockets)

    async def _part(self) -> None:
        """Say with every further answer that it is the last; wait until all have heard it."""
        # Appended in place: requests under way hold this very list.
        self.server_state.default_headers.append(CLOSE)
        loop = asyncio.get_running_loop()
        since = loop.time()
        while self._accepting.open_now() and loop.time() - since < self._patience:
            if self.force_exit:
                return
            self._lingering.look(loop.time())
            await asyncio.sleep(0.05)

    def _look(self) -> None:
        self._accepting.look()
        self._lingering.look(asyncio.get_running_loop().time())

    def _make_room(self) -> bool:
        return self._lingering.make_room(asyncio.get_running_loop().time())

    def _open_now(self) -> int:
        return len(self.server_state.connections)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs it."""
        yield


def config(app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn serves an application."""
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        http=WholeAnswers,
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge itself reads X-Forwarded-For, and from trusted proxies alone.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
