"""Processes that come of another one by ``fork``, and what Linux is to be told for that.

Elsewhere none of it is done: there each process is started anew.
"""

import errno
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36  # as prctl(2) has it
LINUX: Final = sys.platform.startswith("linux")


class Forked:
    """A child of this process that another process forked; as ``subprocess.Popen`` has its own.

    Its number stays its own until this process has taken note of its end, so no signal is ever
    sent to another.

    Args:
        pid: its number.
    """

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, the negative number of the signal that ended it, or None."""
        if self._code is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else took note of it
                self._code = 0
            else:
                self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def adopts() -> bool:
    """Have processes whose parent ends become this one's children; return whether they do."""
    if not LINUX:
        return False
    import ctypes  # noqa: PLC0415 - those that serve need none of it

    try:
        return int(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def named(name: str) -> None:
    """Have ``ps`` and ``top`` show this process by a name of at most 15 letters."""
    if LINUX:
        with suppress(OSError):
            Path("/proc/self/comm").write_text(name)


def alone() -> bool:
    """Return whether this process has one thread: of several, a fork has one, and their locks."""
    return LINUX and len(list(Path("/proc/self/task").iterdir())) == 1


def fork_off() -> int:
    """Fork a process that is no child of this one, but of the nearest ancestor that adopts.

    Returns:
        Its number, when that ancestor is its parent; in the process itself, 0.

    Raises:
        OSError: the machine has no room for it.
    """
    theirs, ours = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(theirs)
        _fork_and_end(ours)
        return 0
    os.close(ours)
    with os.fdopen(theirs, "rb") as pipe:
        told = pipe.read()
    os.waitpid(between, 0)  # its child has its new parent now, not a moment earlier
    if not told:
        raise OSError(errno.EAGAIN, "the machine has no room for another process")
    return int(told)


def _fork_and_end(told: int) -> None:
    """Fork, tell the number of the new process, and end, so that it is somebody else's child."""
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid != 0:
        os.write(told, b"%d" % pid)
        os._exit(0)
    os.close(told)
