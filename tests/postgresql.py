"""A private PostgreSQL cluster for one test run, on loopback, in a folder of its own."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from tests.outer import need
from tests.ports import free_port

# Nothing here outlives the run, so it need not survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB")


class Cluster:
    """A running server that trusts whoever reaches its loopback port.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self) -> None:
        self._initdb = need("initdb", "postgresql")
        self._postgres = need("postgres", "postgresql")
        self._root = Path(tempfile.mkdtemp(prefix="broker-pg-"))
        self._as = _unprivileged(self._root)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self.port = free_port()

    def make(self) -> None:
        """Write the cluster's files and start it."""
        command = [str(self._initdb), "-D", str(self._root / "data"), "-U", "broker", "-A", "trust"]
        options = ["-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, **self._as
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = (
            *FAST,
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self._root}",
            "max_connections=60",
        )
        arguments = [piece for setting in settings for piece in ("-c", setting)]
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._postgres, "-D", self._root / "data", *arguments],
                stdout=log,
                stderr=log,
                **self._as,
            )
        self._wait()

    @property
    def pid(self) -> int:
        """The number of the server's first process."""
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running")
        return self._process.pid

    def stop(self) -> None:
        """Stop the server at once, cutting every connection; its data stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database for SQLAlchemy's asyncpg driver."""
        return f"postgresql+asyncpg://broker@127.0.0.1:{self.port}/{database}"

    def enable_tls(self, certificate: Path, key: Path) -> None:
        """Speak TLS too, from the next start on, which is now."""
        self.stop()
        owner = self._as.get("user", os.geteuid())
        for path, name in ((certificate, "server.crt"), (key, "server.key")):
            copy = Path(shutil.copy(path, self._root / "data" / name))
            copy.chmod(0o600)
            os.chown(copy, owner, -1)
        with (self._root / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write("ssl = on\n")
        self.start()

    def fresh(self, like: str = "template1") -> str:
        """Make a database and return its address.

        Args:
            like: the name of a database to copy, to which nobody is connected.
        """
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        run_aside(self._execute(f"CREATE DATABASE {name} TEMPLATE {like}"))
        return self.url(name)

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.url().replace("+asyncpg", ""), timeout=20)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                run_aside(self._execute("SELECT 1"))
            except (OSError, asyncpg.PostgresError):
                time.sleep(0.05)
            else:
                return
        log = (self._root / "log").read_text(errors="replace")
        self.remove()
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Return who is to run the server: it refuses root, so root hands the folder to another."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def run_aside(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a thread: the test's own event loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
