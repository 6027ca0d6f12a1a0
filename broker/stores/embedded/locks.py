"""Locks on a data directory.

Two files, both held with ``flock``: ``owner.lock`` by the process that looks after the server, and
``server.lock`` on a descriptor that the server inherits, so that it is free only when both are
gone. The files stay: removing a locked file would let two processes hold two locks of one name.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

PAUSE = 0.01
NOTE = 1024  # bytes; every note fills as many, so that none leaves a piece of the one before


class Lock:
    """An exclusive lock on a file; it is let go when every holder of its descriptor is gone.

    Args:
        path: the file; made with mode 600 when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, seconds: float = 0.0) -> bool:
        """Take the lock, waiting so long at the most; say whether it was taken."""
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(PAUSE)
            else:
                return True

    def write(self, note: dict[str, Any]) -> None:
        """Leave a note in the file, for others to read; they see the old one or the new one."""
        os.pwrite(self.fd, json.dumps(note).encode().ljust(NOTE), 0)

    def read(self) -> dict[str, Any]:
        """Return the note of whoever holds the lock; empty where there is none."""
        try:
            found = json.loads(os.pread(self.fd, 65536, 0))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Let go of our share of the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
