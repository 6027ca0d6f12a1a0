"""A TCP proxy of ours between clients and the broker: it delays, cuts short and cuts off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """A line to a port of this machine.

    Attributes:
        port: where it listens.
        delay: seconds that each piece of an answer waits.
        truncate: let that many bytes of an answer through, then end its connection.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.delay = 0.0
        self.truncate: int | None = None

    def cut(self) -> None:
        """End every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def ended(self) -> None:
        """End every connection, and wait until it has."""
        while self._writers:
            self.cut()
            await asyncio.sleep(0.01)

    async def carry(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        try:
            far_in, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near.transport.abort()
            return
        both = {near, far}
        self._writers |= both
        try:
            await asyncio.gather(self._pump(near_in, far), self._pump(far_in, near, answers=True))
        finally:
            self._writers -= both

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(65536):
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                if answers and self.truncate is not None:
                    sink.write(piece[: self.truncate])
                    await sink.drain()
                    break
                sink.write(piece)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """A proxy before a port, until the block ends."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ended()
