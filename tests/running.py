"""A real broker in processes of its own, with a simulated Discord in ours.

For tests that need the whole thing over HTTP: independent clients, browsers, faults, load::

    with RunningBroker(tmp_path) as broker:
        client = broker.cli("clients", "add", "Notes", "--redirect-uri", "http://127.0.0.1:1/cb")
        httpx2.get(f"{broker.issuer}/readyz")
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import httpx2
import psutil

from broker.app.worker import NAME
from broker.demo.discord.app import serve_in_thread
from broker.demo.discord.state import SimulatedDiscord
from broker.demo.run import DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET, discord_application
from tests.ports import free_port

ROOT: Final = Path(__file__).parent.parent
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
REDIS_PROGRAMS: Final = ("redis-server", "valkey-server")
HANDED: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""  # hands a socket over to the command that follows its number
# Key changes are seen within a second, so that tests need not wait for them.
# A few people stand for very many, and ask as often.
QUICK: Final = {
    "BROKER_KEYS_POLL": "1",
    "BROKER_LOG_FORMAT": "json",
    "BROKER_LIMIT_ACCOUNT": "100000000/minute",
}


class CommandFailed(Exception):
    """A command of the broker ended with an exit code other than 0."""

    def __init__(self, command: tuple[str, ...], status: int, said: str) -> None:
        super().__init__(f"broker {' '.join(command)}: exit code {status}\n{said}")
        self.status = status


class NotReady(Exception):
    """The broker ended at its start or did not get ready in time."""


class RunningBroker:
    """``python -m broker serve`` on a free port, in a data directory of its own.

    It is started by ``start`` (or ``with``) and ended by ``stop``, which ends every process it
    left, by its number.

    Args:
        folder: an empty directory for its data and its log.
        settings: further ``BROKER_…`` variables; they go before those set here.
        discord: a simulator to use, one of its own unless given.
        launcher: words before the command, such as ``("taskset", "-c", "1")``.
        port: where to listen; a free one unless given.
        handed: a listening socket that is handed over, as systemd does it; it stays the caller's.

    Attributes:
        program: the module that is run.
    """

    program: ClassVar[str] = "broker"

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        discord: SimulatedDiscord | None = None,
        launcher: tuple[str, ...] = (),
        port: int | None = None,
        handed: socket.socket | None = None,
    ) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "broker.log"
        self.port = handed.getsockname()[1] if handed else port or free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.discord = discord or SimulatedDiscord()
        self.discord_origin = ""
        self._extra = dict(settings or {})
        self._launcher = launcher
        self._handed = handed
        self._process: subprocess.Popen[bytes] | None = None
        self._left: set[psutil.Process] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The number of the server's (first) process."""
        if self._process is None:
            raise NotReady("the broker is not running")
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What the server and its commands run with; none of our own settings leaks in."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("BROKER_")}
        ours = {
            "BROKER_ISSUER": self.issuer,
            "BROKER_PORT": str(self.port),
            "BROKER_DATA_DIR": str(self.data_dir),
            "BROKER_DISCORD_CLIENT_ID": DISCORD_CLIENT_ID,
            "BROKER_DISCORD_CLIENT_SECRET": DISCORD_CLIENT_SECRET,
            "BROKER_DISCORD_AUTHORIZE_URL": f"{self.discord_origin}/oauth2/authorize",
            "BROKER_DISCORD_API_URL": f"{self.discord_origin}/api/v10",
            "BROKER_DISCORD_CDN_URL": self.discord_origin,
        }
        return {**kept, **QUICK, **ours, **self._extra, "PYTHONPATH": str(ROOT)}

    def start(self) -> Self:
        """Start the simulator and the broker; it is ready when this returns.

        Raises:
            NotReady: it did not get ready; the text holds the end of its log.
        """
        if not self.discord_origin:
            self.discord.add_application(discord_application(self.issuer))
            self.discord_origin = self._stack.enter_context(serve_in_thread(self.discord))
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start the server's process and return at once."""
        command = [*self._launcher, sys.executable, "-m", self.program, "serve"]
        files: tuple[int, ...] = ()
        if self._handed is not None:
            files = (self._handed.fileno(),)
            command = [sys.executable, "-c", HANDED, str(*files), *command]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.log.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=files,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until ``/readyz`` says 200.

        Raises:
            NotReady: it ended, or took longer.
        """
        until = time.monotonic() + seconds
        seen = "no answer"
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                seen = "its process ended"
                break
            try:
                answer = _look(f"{self.issuer}/readyz")
                if answer.status_code == 200:
                    return
                seen = answer.text
            except httpx2.HTTPError as error:
                seen = repr(error)
            time.sleep(0.02)
        raise NotReady(f"{seen}\n{self.tail()}")

    def tail(self, lines: int = 30) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def cli(self, *words: str) -> Any:
        """Run a command with ``--json`` and return what it answered.

        Raises:
            CommandFailed: its exit code was not 0.
        """
        done = subprocess.run(
            [sys.executable, "-m", self.program, *words, "--json"],
            cwd=self.log.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(words, done.returncode, done.stderr + done.stdout)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer requests."""
        server = psutil.Process(self.pid)
        children = [child for child in server.children(recursive=True) if _answers(child)]
        return children or [server]

    def redis_pid(self) -> int:
        """Return the number of the embedded Redis server's process."""
        note = json.loads((self.data_dir / "redis" / "server.lock").read_text("utf-8"))
        return int(note["pid"])

    def kill9(self) -> None:
        """Kill every process of the broker at once; its embedded Redis is left to itself."""
        everything = self._family()
        for process in everything:
            if not _is_redis(process):
                _signal(process, signal.SIGKILL)
        self._reap()
        # Its workers and its Redis may live on for a moment; `stop` makes sure.
        self._left |= set(everything)

    def restart(self) -> None:
        """Start the server again: after `kill9`, or in an orderly way when it runs."""
        if self._process is not None and self._process.poll() is None:
            self._terminate()
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """End the server and whatever it left, then the simulator; idempotent."""
        if self._process is not None and self._process.poll() is None:
            self._terminate()
        for process in self._left:
            _signal(process, signal.SIGKILL)
        self._left.clear()
        self._stack.close()
        self.discord_origin = ""

    def _terminate(self) -> None:
        """Ask the server to end; kill what does not."""
        if self._process is None:
            return
        self._left |= set(self._family())
        self._process.send_signal(signal.SIGINT)  # which waits for no client that asks nothing
        self._reap()

    def _reap(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _family(self) -> list[psutil.Process]:
        try:
            server = psutil.Process(self.pid)
            return [server, *server.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _look(address: str) -> httpx2.Response:
    # Reading the certificates for https would cost more than the look itself.
    return httpx2.get(address, timeout=2, trust_env=False, verify=False)


def _is_redis(process: psutil.Process) -> bool:
    try:
        return process.name() in REDIS_PROGRAMS
    except psutil.NoSuchProcess:
        return False


def _answers(process: psutil.Process) -> bool:
    """Whether a child of the server is one of its workers."""
    try:
        return process.name() == NAME
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal, unless the process is gone (psutil knows a reused number by its start)."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
