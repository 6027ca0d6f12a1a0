"""Clients that notice everything: some keep their connection, some open a new one each time.

They use bare streams. HTTP libraries look whether a kept connection was closed before they use it
again, and would hide what a plainer client meets.
"""

import asyncio
from collections import Counter
from typing import Self


class Visitors:
    """Ask for a path again and again while the block runs.

    Args:
        port: of the broker, on this machine.
        path: what is asked for.
        kept: how many keep their connection until they are told that it ends.
        new: how many open a new one each time.

    Attributes:
        seen: how often there was which status, or which failure.
    """

    def __init__(self, port: int, path: str, *, kept: int = 8, new: int = 2) -> None:
        self._port = port
        asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
        self._kept = f"{asked}\r\n".encode()
        self._last = f"{asked}Connection: close\r\n\r\n".encode()
        self._counts = kept, new
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self.seen: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        kept, new = self._counts
        # Of those that keep one, each rests a while of its own between two requests.
        visits = [self._keep(0.02 * (1 + number)) for number in range(kept)]
        visits += [self._open() for _ in range(new)]
        self._tasks = [asyncio.create_task(visit) for visit in visits]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _keep(self, rest: float) -> None:
        while not self._over:
            await self._until_closed(self._kept, rest)

    async def _open(self) -> None:
        while not self._over:
            await self._until_closed(self._last, 0.0)
            await asyncio.sleep(0.05)

    async def _until_closed(self, asked: bytes, rest: float) -> None:
        """Ask over one connection until an answer says that it is the last."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            self.seen[type(error).__name__] += 1
            return
        try:
            while not self._over and not await self._once(reader, writer, asked):
                await asyncio.sleep(rest)
        except (OSError, EOFError) as error:
            self.seen[type(error).__name__] += 1
        finally:
            writer.transport.abort()

    async def _once(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes
    ) -> bool:
        """Ask once; return whether the connection ends with the answer."""
        writer.write(asked)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(fields["content-length"]))
        self.seen[head.split(" ")[1]] += 1
        return fields.get("connection") == "close"
