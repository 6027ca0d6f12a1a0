"""A process that has loaded what serving needs, and forks those that serve.

It has one thread, and opens nothing: no connection, no event loop, no file that a fork would share.
What it has in memory does not change any more, so that forks go on having it in common.
"""

import gc
import os
import socket
import sys
from importlib import import_module
from typing import Final

from broker.app import forking
from broker.app.answering import config
from broker.app.asgi import Lifespan, console
from broker.app.handover import Handover, say
from broker.app.settings import Settings
from broker.app.stores import database_address
from broker.stores.sql import engine as sql_engine

NAME: Final = "broker-template"
NOWHERE: Final = "unix:///nowhere"  # never asked
# What libraries load when they are first asked, so that each fork would for itself.
LATE: Final = (
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "encodings.idna",
    "encodings.unicode_escape",
    "h11",
    "httpcore2",
    "jinja2.ext",
    "truststore",
)
MOST: Final = 253  # files handed over at once; Linux has no room for more (SCM_MAX_FD)


def forked(settings: Settings, line: socket.socket) -> Handover:
    """Fork processes as the server wants them until it is gone; return what each is handed.

    Only forks return. In each the collector of garbage leaves alone what was there before it.

    Args:
        settings: what to load depends on them; checked.
        line: to the server.
    """
    forking.named(NAME)
    preload(settings)
    gc.collect()
    gc.freeze()
    say(line, ready=settings.workers, forks=forking.alone())
    while True:
        text, files = _asked(line)
        try:
            pid = forking.fork_off()
        except OSError as error:
            say(line, failed=error.strerror)
        else:
            if pid == 0:
                line.close()
                return Handover.read(text, files)
            say(line, pid=pid)
        for number in files:
            os.close(number)


def _asked(line: socket.socket) -> tuple[bytes, list[int]]:
    """Wait for the next that is wanted; end with the server."""
    try:
        text, files, *_ = socket.recv_fds(line, 65536, MOST, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:  # a server that was killed may leave a reset behind
        sys.exit()
    return (text, files) if text else sys.exit()


def preload(settings: Settings) -> None:
    """Load what a process with these settings would, and build what all of them have alike."""
    served = config(Lifespan(settings, NOWHERE))
    served.load()
    served.get_loop_factory()
    console(settings)
    for name in LATE:
        import_module(name)
    if settings.metrics_address:
        import_module("broker.app.watching")
    if settings.traces == "on":
        import_module("broker.app.tracing")
        import_module("requests")
    sql_engine.preload(database_address(settings))
