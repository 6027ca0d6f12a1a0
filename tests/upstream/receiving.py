"""Servers of the kind that clients name, on loopback: honest ones, and the other sort."""

import asyncio
import gzip
from contextlib import asynccontextmanager

HOST = "keys.client.example"


def answer(body=b"{}", *headers, status="200 OK"):
    """Return an HTTP answer whose length is told."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def bomb():
    """Return an answer that unpacks to 50 MB."""
    packed = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    return answer(packed, "content-encoding: gzip")


async def drip(writer):
    """Begin an answer and never come to its end: a byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(writer):
    """Send a body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        await writer.drain()


async def headers(writer):
    """Send headers without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def silence(writer):
    """Take the request and say nothing."""
    await asyncio.sleep(60)


@asynccontextmanager
async def receiving(reply, *, host="127.0.0.1", tls=None):
    """Run a server; give its port and the list of requests it got, heads and bodies.

    Args:
        reply: the bytes of every answer, or a coroutine function that writes to a stream.
        host: where it listens.
        tls: its certificate, or None for plain http.
    """
    seen, tasks = [], set()

    async def one(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = [line for line in head.lower().split("\r\n") if "content-length:" in line]
            body = await reader.readexactly(int(length[0].split(":")[1])) if length else b""
            seen.append((head, body.decode()))
            if callable(reply):
                await reply(writer)
            else:
                writer.write(reply)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
