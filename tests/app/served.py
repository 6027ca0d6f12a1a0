"""A broker served by a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.ports import free_port
from tests.running import HANDED

ROOT = Path(__file__).resolve().parents[2]
START = 60.0  # seconds; the machine may be busy


def environment(data_dir, port, **settings):
    """Return the environment of a broker with nothing but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    given = {
        "discord_client_id": "1",
        "discord_client_secret": "of-nobody",
        "data_dir": data_dir,
        "port": port,
        "log_level": "warning",
        **settings,
    }
    named = {f"BROKER_{name.upper()}": str(value) for name, value in given.items()}
    return clean | named | {"PYTHONPATH": str(ROOT)}


class Served:
    """``broker serve`` in a process of its own, and what can be asked of it."""

    def __init__(self, data_dir, **settings):
        self.port = free_port()
        self.environment = environment(data_dir, self.port, **settings)
        self.process = None

    def start(self, **how):
        """Start it and wait until it answers."""
        self.launch(**how)
        until = time.monotonic() + START
        while self.get("/livez")[0] != 200:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until, "it does not start"
            time.sleep(0.05)
        return self

    def launch(self, handed=None, launcher=()):
        """Start it; where a listening socket is handed over, as systemd does it."""
        command, files = [*launcher, sys.executable, "-m", "broker", "serve"], ()
        if handed is not None:
            command = [sys.executable, "-c", HANDED, str(handed.fileno()), *command]
            files = (handed.fileno(),)
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=files,
            start_new_session=True,
        )

    def get(self, path):
        """Return status and JSON; 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return 0, None

    def until(self, path, status, seconds=30.0):
        """Wait until a path answers with this status."""
        end = time.monotonic() + seconds
        while self.get(path)[0] != status:
            assert time.monotonic() < end, f"{path} does not become {status}"
            time.sleep(0.05)

    def run(self, *words):
        """Run another command with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "broker", *words],
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START,
        )

    def kids(self):
        """Return the direct children's process ids, embedded Redis and workers."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    def stop(self, number=signal.SIGTERM):
        """Send a signal; return exit code, standard output and error."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=START)
        return self.process.returncode, out, err

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
