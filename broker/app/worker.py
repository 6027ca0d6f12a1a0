"""``python -m broker.app.worker``: a process that ``broker serve`` starts.

It reads program and settings afresh, and serves, or looks whether it could; or it is a template,
which loads all of that and forks those that do (see ``broker.app.spawning``). Each ends with the
server that started it.
"""

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Final

from broker.app import forking, logs, template
from broker.app.answering import Server, config
from broker.app.asgi import application
from broker.app.checks import check_serving
from broker.app.handover import GRACE, KEEP_ALIVE, NOW, RETIRE, Handover, say
from broker.app.loading import load
from broker.app.problems import Refused
from broker.app.settings import Settings
from broker.app.shares import Table
from broker.log import structlog

NAME: Final = "broker-worker"
REFUSED: Final = 4  # the exit code where settings are refused, as of the commands
LEFT: Final = 1  # the exit code of a process that could not end in order
LATEST: Final = 2.0 * GRACE  # seconds until it ends like that

_log = structlog.get_logger("broker.worker")


def main() -> None:
    """Do as handed over, until told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the server tells us
    handover = Handover.read(sys.argv[1])
    line = socket.socket(fileno=handover.line)
    try:
        settings = load()
        check_serving(settings)
        handover.check(settings)
        if handover.template:
            handover = template.forked(settings, line)
            line = socket.socket(fileno=handover.line)
        forking.named(NAME)
        logs.configure(settings)
        if not handover.listeners:
            _look(settings, line)
            return
        server = _server(settings, handover, line)
    except Refused as error:
        say(line, refused=[(one.setting, one.reason) for one in error.problems])
        sys.exit(REFUSED)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(server, line, handover.patience))


def _look(settings: Settings, line: socket.socket) -> None:
    """Do what is done once before any process serves with these settings."""
    from broker.app.asgi import redis_address  # noqa: PLC0415 - those that serve need none of it
    from broker.app.beforehand import make_ready  # noqa: PLC0415 - the same

    asyncio.run(make_ready(settings, redis_address(settings)))
    say(line, ready=settings.workers)


def _server(settings: Settings, handover: Handover, line: socket.socket) -> Server:
    found = config(application(settings))
    found.load()
    listeners = [socket.socket(fileno=number) for number in handover.listeners]
    share = Table(handover.table).share(handover.seat)
    return Server(found, listeners, share, partial(say, line, ready=settings.workers))


async def _serve(server: Server, line: socket.socket, patience: float) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.end, patience)
    reader, writer = await asyncio.open_connection(sock=line)
    listening = asyncio.create_task(_obey(server, reader, patience))
    try:
        await server.serve()
    finally:
        listening.cancel()
        writer.close()


async def _obey(server: Server, reader: asyncio.StreamReader, patience: float) -> None:
    """End as the server wants it, or when it is gone, however that ended."""
    with suppress(ConnectionError):  # a server that was killed may leave a reset behind
        while said := await reader.readline():
            server.end({RETIRE: KEEP_ALIVE, NOW: 0.0}.get(said, patience))
    _log.error("server.gone")
    server.end()
    # Whatever may keep this process from ending in order: nobody else would end it.
    asyncio.get_running_loop().call_later(LATEST, os._exit, LEFT)


if __name__ == "__main__":
    main()
