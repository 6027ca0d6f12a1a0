"""The embedded server: owned by one process, watched, restarted, never two on one directory."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from broker.stores.embedded.binary import check_data, find_binary
from broker.stores.embedded.errors import DataDirectoryBusy, EmbeddedRedisFailed
from broker.stores.embedded.locks import PAUSE, Lock
from broker.stores.embedded.process import LONGEST_SOCKET, say, signal_server
from broker.stores.embedded.watchdog import Watchdog

FOLDER: Final = "redis"
ORPHAN_WAIT: Final = 5.0  # seconds an orphaned server has to end by itself
TOOL_WAIT: Final = 10.0  # seconds to wait for a command-line tool that owns the directory
NOTE_WAIT: Final = 1.0  # seconds that whoever has just taken the directory has to say who it is


def _silent(_: str) -> None:
    """Report to nobody."""


class EmbeddedRedis:
    """A Redis server whose data are in ``<data_dir>/redis``; synchronous, used before serving.

    Args:
        data_dir: the broker's data directory; made with mode 700 when missing.
        report: told in plain words when the server died and when it runs again; called from
            the watching thread.
        binary: the server program; None looks for one.
        temporary: whether the owner is a command-line tool that will be gone in a moment: others
            then wait for it instead of giving up.

    Raises:
        BinaryMissing: there is no server program on this machine.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        report: Callable[[str], None] = _silent,
        binary: Path | None = None,
        temporary: bool = False,
    ) -> None:
        self.directory = data_dir.absolute() / FOLDER
        self._report = report
        self._binary = binary or find_binary()
        self._temporary = temporary
        self._owner: Lock | None = None
        self._server: Lock | None = None
        self._watchdog: Watchdog | None = None
        self._address: Path | None = None

    @classmethod
    def join(cls, data_dir: Path, *, binary: Path | None = None) -> Self:
        """Return the running server of a directory, or a temporary one started for the caller.

        Use it as a context manager, or call ``stop``: that ends only a server started here.

        Raises:
            EmbeddedRedisFailed: there is neither.
        """
        found = cls(data_dir, binary=binary, temporary=True)
        try:
            return found.start()
        except DataDirectoryBusy:
            if not found._attach():
                raise
            return found

    @property
    def url(self) -> str:
        """The server's address, for ``broker.stores.redis.connect``."""
        if self._address is None:
            raise EmbeddedRedisFailed("the embedded server is not started")
        return f"unix://{self._address}"

    @property
    def pid(self) -> int | None:
        """The server's process id, when it is ours and runs."""
        return self._watchdog.pid if self._watchdog else None

    def start(self) -> Self:
        """Become the directory's owner and start the server; it answers when this returns.

        A server that outlived its owner is asked to end first; its data are whole.

        Raises:
            DataDirectoryBusy: another living process owns the directory.
            EmbeddedRedisFailed: the server does not start.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        try:
            self._claim()
            check_data(self._binary, self.directory)
            self._run()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server, if it is ours, and give the directory up; idempotent."""
        if self._watchdog:
            self._watchdog.stop()
            self._watchdog = None
            self._remove_socket()
        for lock in (self._server, self._owner):
            if lock:
                lock.close()
        self._server = self._owner = self._address = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _claim(self) -> None:
        """Take both locks; a living owner keeps them, an orphaned server is ended."""
        self._owner = Lock(self.directory / "owner.lock")
        if not (self._owner.take() or self._take_after(self._owner)):
            raise DataDirectoryBusy(self.directory.parent, self._owner.read().get("pid"))
        self._owner.write({"pid": os.getpid(), "temporary": self._temporary})
        self._server = Lock(self.directory / "server.lock")
        if not self._server.take():
            self._end_orphan(self._server)

    def _take_after(self, lock: Lock) -> bool:
        """Take the lock after a tool that has it now; say whether it was taken.

        A note of a process that is gone is not the holder's: that one is about to write its own.
        """
        until = time.monotonic() + NOTE_WAIT
        while not (note := lock.read()).get("temporary"):
            if _lives(note.get("pid")) or time.monotonic() > until:
                return False
            if lock.take(PAUSE):
                return True
        return lock.take(TOOL_WAIT)

    def _end_orphan(self, lock: Lock) -> None:
        note = lock.read()
        pid, address = int(note.get("pid", 0)), Path(str(note.get("socket", "")))
        for number in (signal.SIGTERM, signal.SIGKILL):  # it may be stopped; its file is synced
            if pid:
                signal_server(pid, address, number)
            if lock.take(ORPHAN_WAIT):
                return
        raise DataDirectoryBusy(self.directory.parent, pid or None)

    def _run(self) -> None:
        if self._server is None:
            raise EmbeddedRedisFailed("the directory is not claimed")
        address = self._place_socket(self._server.read())
        self._address = address
        self._watchdog = Watchdog(
            self._binary, self.directory, address, self._server, report=self._report
        )
        self._watchdog.start()

    def _place_socket(self, note: dict[str, object]) -> Path:
        """Return a path for the socket that is short enough and that only we can reach."""
        inside = self.directory / "redis.sock"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET:
            return inside
        former = Path(str(note.get("socket", "")))
        if former.name == "redis.sock" and former.parent != self.directory:
            shutil.rmtree(former.parent, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix="broker-redis-")) / "redis.sock"

    def _remove_socket(self) -> None:
        if self._address is None:
            return
        with contextlib.suppress(FileNotFoundError):
            self._address.unlink()
        if self._address.parent != self.directory:
            with contextlib.suppress(OSError):
                self._address.parent.rmdir()

    def _attach(self) -> bool:
        """Use the server of the directory's living owner; say whether it answers."""
        lock = Lock(self.directory / "server.lock")
        try:
            address = Path(str(lock.read().get("socket", "")))
        finally:
            lock.close()
        if say(address, "PING") != "+PONG":
            return False
        self._address = address
        return True


def _lives(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True
