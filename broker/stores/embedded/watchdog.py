"""Keeps one server process running."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker.stores.embedded.errors import EmbeddedRedisFailed
from broker.stores.embedded.locks import Lock
from broker.stores.embedded.process import LOG, spawn, terminate, wait_ready

START_WAIT: Final = 60.0  # seconds; a large append-only file takes a while to load
STOP_WAIT: Final = 10.0
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 5.0
STEADY: Final = 10.0  # seconds after which a server counts as running well


class Watchdog:
    """A thread that starts the server and restarts it when it died.

    The thread is the server's parent for as long as it shall run: Linux tells a child that its
    parent is gone when the *thread* that made it ends.

    Args:
        binary, directory, address: of the server.
        lock: inherited by the server; its note names the server's process and socket.
        report: told in plain words of deaths and restarts.
    """

    def __init__(
        self,
        binary: Path,
        directory: Path,
        address: Path,
        lock: Lock,
        *,
        report: Callable[[str], None],
    ) -> None:
        self._binary = binary
        self._directory = directory
        self._address = address
        self._lock = lock
        self._report = report
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: EmbeddedRedisFailed | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="embedded-redis", daemon=True)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedRedisFailed: it does not.
        """
        self._thread.start()
        self._started.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """End the server and the thread."""
        self._stopping.set()
        process = self._process
        if process:
            terminate(process, STOP_WAIT)
        self._thread.join()

    def _watch(self) -> None:
        try:
            self._launch()
        except (EmbeddedRedisFailed, OSError) as error:
            self._failure = EmbeddedRedisFailed(str(error))
            return
        finally:
            self._started.set()
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = self._process.wait() if self._process else None
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE if time.monotonic() - began > STEADY else pause
            self._report(f"the embedded Redis ended unexpectedly (exit code {code})")
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            self._relaunch()

    def _relaunch(self) -> None:
        try:
            self._launch()
        except (EmbeddedRedisFailed, OSError) as error:
            self._report(f"the embedded Redis does not start: {error}")
        else:
            self._report("the embedded Redis runs again")

    def _launch(self) -> None:
        process = spawn(self._binary, self._directory, self._address, self._lock.fd)
        self._process = process
        self._lock.write({"pid": process.pid, "socket": str(self._address)})
        if self._stopping.is_set():
            process.terminate()
        try:
            wait_ready(process, self._address, self._directory / LOG, START_WAIT)
        except EmbeddedRedisFailed:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
            raise
