"""Signals to a server before it serves and after: none is lost, and none leaves anything behind.

While it serves it is the supervisor that handles them. This module loads nothing, so that it can be
there from the first moment.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

AT_THE_END: Final = (signal.SIGTERM, signal.SIGINT)

Handlers = dict[int, Callable[[], object]]


@contextmanager
def heeded() -> Iterator[None]:
    """Have SIGTERM end a start in order, and SIGHUP wait until something serves.

    By default either would end the process at once, a reload in the first seconds too; and in a
    container, as its first process, neither would do anything.
    """
    before = {number: signal.getsignal(number) for number in (*AT_THE_END, signal.SIGHUP)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # one that waits is too late
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def handled(handlers: Handlers, call: Callable[[Callable[[], object]], object]) -> Iterator[None]:
    """Handle signals until the block ends; then let those pass that ended it.

    What the server stood on is ended in order after that, however impatient somebody is.

    Args:
        handlers: what to do at which signal.
        call: has the loop do it.
    """
    for number, handler in handlers.items():
        signal.signal(number, lambda *_, handler=handler: call(handler))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
    try:
        yield
    finally:
        for number in handlers:
            signal.signal(number, lambda *_: None)


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Have processes that are started in the block get none that is sent to all of a terminal.

    The server gets those as well, and tells them what to do.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ends_with_terminal() -> bool:
    """Return whether the closing of a terminal is to end this process: it has one, and no nohup."""
    return terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def terminal() -> bool:
    """Return whether this process has a terminal."""
    try:
        with Path("/dev/tty").open("rb"):
            return True
    except OSError:
        return False
