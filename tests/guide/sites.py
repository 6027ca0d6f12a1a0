"""Sites that are configured by the pages for developers, run against a broker of their own."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx2

from broker.demo.run import DISCORD_CLIENT_ID
from broker.web.docs.render import snippets
from tests.ports import free_port
from tests.running import START_SECONDS, RunningBroker

HERE: Final = Path(__file__).parent / "stacks"
NODE_FILES: Final = ("site.mjs", "auth.js", "provider.js", "activity_server.mjs")
API: Final = "http://127.0.0.1:9/orders"


@dataclass(frozen=True, slots=True)
class Site:
    """A site that runs, and the broker where its people sign in.

    Attributes:
        address: its origin.
        broker: the broker.
        client: what registering it answered.
    """

    address: str
    broker: RunningBroker
    client: dict[str, Any]


@contextmanager
def broker_with(folder: Path, stack: str, api: str = API) -> Iterator[tuple[Site, dict[str, str]]]:
    """Run a broker, register a site by the command that its page shows; yield it and its files."""
    address = f"http://127.0.0.1:{free_port()}"
    with RunningBroker(folder / "broker") as broker:
        files = snippets(
            issuer=broker.issuer,
            brand="Token Broker",
            app=address,
            api=api,
            discord_client_id=DISCORD_CLIENT_ID,
        )
        yield Site(address, broker, registered(broker, files[f"register-{stack}.sh"])), files


def registered(broker: RunningBroker, command: str) -> dict[str, Any]:
    """Run a command as people copy it."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "broker"
    found: dict[str, Any] = broker.cli(*words[1:])
    return found


def written(folder: Path, files: dict[str, str], *names: str) -> None:
    """Write files as they are shown."""
    for name in names:
        (folder / name).write_text(files[name], "utf-8")


def node_modules(folder: Path, package: Path = HERE / "node" / "package.json") -> Path:
    """Install what sites of Node.js import; returns the folder."""
    shutil.copy(package, folder)
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    done = subprocess.run(
        ["npm", "install", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    stand_in = folder / "node_modules" / "next-auth"
    stand_in.mkdir()
    shutil.copy(HERE / "node" / "next-auth.js", stand_in / "index.js")
    (stand_in / "package.json").write_text('{"name": "next-auth", "type": "module"}')
    return folder


def node_site(modules: Path, files: dict[str, str]) -> Path:
    """Make a folder with a site's files below the modules; returns it."""
    folder = Path(tempfile.mkdtemp(dir=modules))
    shutil.copy(HERE / "node" / "serve.mjs", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    written(folder, files, *NODE_FILES)
    return folder


@contextmanager
def api_server() -> Iterator[str]:
    """Serve an API that tells the token it was asked with; yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        body = json.dumps({"path": self.path, "scheme": scheme, "token": token}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(words: list[str], folder: Path, address: str, **env: str) -> Iterator[None]:
    """Run a program until the block ends; it answers at ``/ready`` when this returns."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BROKER_")}
    log = folder / "site.log"
    with (
        log.open("w") as out,
        subprocess.Popen(words, cwd=folder, env=kept | env, stdout=out, stderr=out) as process,
    ):
        try:
            until = time.monotonic() + START_SECONDS
            while not _answers(f"{address}/ready"):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < until, log.read_text("utf-8")
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address, trust_env=False).status_code < 500
    except httpx2.TransportError:
        return False


def django_words(folder: Path, address: str) -> list[str]:
    """Return the command that serves a Django site."""
    return [sys.executable, str(HERE / "allauth_site.py"), str(folder), port_of(address)]


def port_of(address: str) -> str:
    """Return the port of an address."""
    return address.rpartition(":")[2]
