"""A running broker, an app that signs somebody in, and the guide's examples as services."""

import re
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64decode as b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import httpx2
import pytest

from tests.faults.people import CALLBACK, CLIENT, Person
from tests.faults.waiting import eventually
from tests.ports import free_port
from tests.readme.snippets import AUDIENCE, ISSUER
from tests.running import ROOT, START_SECONDS, RunningBroker

GUIDE: Final = ROOT / "deploy" / "downstream.md"
HERE: Final = Path(__file__).parent
API: Final = "http://127.0.0.1:9/orders"
FRAMEWORKS: Final = ("fastapi", "starlette", "flask", "django", "express")


def examples() -> dict[str, str]:
    """Return the guide's files, by their names."""
    text = GUIDE.read_text("utf-8")
    found = re.findall(r"<!-- file: ([\w.]+) -->\n```\w+\n(.*?)```", text, re.DOTALL)
    return dict(found)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A running broker with an app whose access tokens are for our API."""
    with RunningBroker(tmp_path_factory.mktemp("guide")) as running:
        running.cli("apis", "add", API, "--scope", "orders:read")
        running.cli(
            "clients", "add", "Front", "--client-id", CLIENT.client_id, "--public",
            "--first-party", "--redirect-uri", CALLBACK, "--audience", API,
            "--scope", "openid profile orders:read",
            # As long as all services need to start and to be asked, one after the other.
            "--access-token-lifetime", "1h", "--id-token-lifetime", "1h",
        )  # fmt: skip
        yield running


@pytest.fixture(scope="session")
def tokens(broker: RunningBroker) -> dict[str, str]:
    """What the app got when somebody signed in."""
    return Person(broker.issuer).tokens()


@pytest.fixture(scope="session")
def foreign(broker: RunningBroker, tokens: dict[str, str]) -> str:
    """A good access token of the same app for another service, made once all others are."""
    del tokens
    broker.cli("clients", "edit", CLIENT.client_id, "--audience", "https://other.example")

    def other() -> str | None:
        token = Person(broker.issuer).tokens()["access_token"]
        return token if b"other.example" in b64decode(token.split(".")[1] + "==") else None

    try:
        found: str = eventually(other)
        return found
    finally:
        broker.cli("clients", "edit", CLIENT.client_id, "--audience", API)
        eventually(lambda: other() is None)


class Keys(ThreadingHTTPServer):
    """Relays the broker's JWKS, and counts how often it is asked for.

    Args:
        jwks: the address of the JWKS.
    """

    def __init__(self, jwks: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.jwks = jwks
        self.asked = 0

    @property
    def url(self) -> str:
        """Where it relays."""
        return f"http://127.0.0.1:{self.server_port}/keys"


class _Relay(BaseHTTPRequestHandler):
    server: Keys

    def do_GET(self) -> None:
        self.server.asked += 1
        found = httpx2.get(self.server.jwks, trust_env=False)
        self.send_response(found.status_code)
        for name in ("content-type", "cache-control"):
            self.send_header(name, found.headers[name])
        self.send_header("content-length", str(len(found.content)))
        self.end_headers()
        self.wfile.write(found.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def keys(broker: RunningBroker) -> Iterator[Keys]:
    """Where the services get the keys from."""
    with Keys(f"{broker.issuer}/.well-known/jwks.json") as relay:
        Thread(target=relay.serve_forever, daemon=True).start()
        yield relay
        relay.shutdown()


@pytest.fixture(scope="session")
def folder(broker: RunningBroker, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the guide's files, set to this broker and this API."""
    place = tmp_path_factory.mktemp("examples")
    for name, text in examples().items():
        changed = text
        for written in ('f"{ISSUER}/.well-known/jwks.json"', "`${issuer}/.well-known/jwks.json`"):
            changed = changed.replace(written, f'"{keys.url}"')
        changed = changed.replace(ISSUER, broker.issuer).replace(AUDIENCE, API)
        (place / name).write_text(changed, "utf-8")
    for file in (HERE / "serve.py", *(HERE / "node").iterdir()):
        shutil.copy(file, place)
    return place


@pytest.fixture(scope="session", params=FRAMEWORKS)
def service(request: pytest.FixtureRequest, folder: Path) -> Iterator[httpx2.Client]:
    """One of the guide's services, to be asked."""
    port = free_port()
    if request.param == "express":
        _install(folder)
        words = ["node", "serve.mjs", str(port)]
    else:
        words = [sys.executable, "serve.py", request.param, str(port)]
    with _running(words, folder, port) as base:
        yield httpx2.Client(base_url=base, trust_env=False, timeout=20)


@contextmanager
def _running(words: list[str], folder: Path, port: int) -> Iterator[str]:
    with (
        (folder / f"{port}.log").open("w") as log,
        subprocess.Popen(words, cwd=folder, stdout=log, stderr=log) as process,
    ):
        base = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + START_SECONDS
            while True:
                try:
                    httpx2.get(f"{base}/me", trust_env=False)
                    break
                except httpx2.TransportError:
                    said = (folder / f"{port}.log").read_text("utf-8")
                    assert process.poll() is None, said
                    assert time.monotonic() < until, said
                    time.sleep(0.05)
            yield base
        finally:
            process.kill()


def _install(folder: Path) -> None:
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    done = subprocess.run(
        ["npm", "install", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
