"""Finding a host's IP addresses, without letting slow name servers hold up anybody else.

The event loop's own look-ups share a few threads with everything in the process, and a thread
that waits for a name server cannot be stopped. A client may name a host whose name server never
answers; so these look-ups have threads of their own, few of them, that end with the process.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from broker.core.errors import OutboundFailed
from broker.upstream.outbound.addresses import IPAddress

THREADS: Final = 8  # look-ups at once

Resolve = Callable[[str, int], Awaitable[tuple[IPAddress, ...]]]
"""Takes host name and port; returns every IP address of the name, or raises OutboundFailed."""


class Resolver:
    """``Resolve`` by the machine's own means (``getaddrinfo``, so ``/etc/hosts`` counts)."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(THREADS)

    async def __call__(self, host: str, port: int) -> tuple[IPAddress, ...]:
        """Return every IP address of a name, in the order of preference.

        Raises:
            OutboundFailed: there is none, or too many look-ups hang.
        """
        if not self._free.acquire(blocking=False):
            raise OutboundFailed(private=f"{host}: too many name look-ups are under way")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: list[str] | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(found or [])
            else:
                answer.set_exception(error)

        def look_up() -> None:
            found, failed = None, None
            try:
                entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = [str(entry[4][0]) for entry in entries]
            except (OSError, UnicodeError) as error:
                failed = error
            finally:
                self._free.release()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found, failed)

        threading.Thread(target=look_up, name="outbound-name", daemon=True).start()
        try:
            return tuple(ipaddress.ip_address(text) for text in dict.fromkeys(await answer))
        except (OSError, UnicodeError) as error:
            raise OutboundFailed(private=f"{host}: {error}") from None
