"""A running broker, registered clients, and Node with the packages of ``node/package.json``."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
import pytest_asyncio

from tests.running import RunningBroker

CALLBACK = "http://127.0.0.1:9/callback"
AFTER = "http://127.0.0.1:9/bye"
NODE = Path(__file__).parent / "node"


@dataclass(frozen=True, slots=True)
class Registered:
    """A client at the broker; its secret is None when it is public."""

    client_id: str
    client_secret: str | None


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A running broker that the clients share."""
    with RunningBroker(tmp_path_factory.mktemp("clients")) as running:
        yield running


def register(broker: RunningBroker, name: str, *options: str) -> Registered:
    """Register a client by the command line."""
    redirects = ("--redirect-uri", CALLBACK, "--post-logout-redirect-uri", AFTER)
    made = broker.cli("clients", "add", name, *redirects, *options)
    return Registered(made["client_id"], made.get("client_secret"))


@pytest.fixture(scope="session")
def confidential(broker: RunningBroker) -> Registered:
    """A client with a secret."""
    return register(broker, "Ledger")


@pytest.fixture(scope="session")
def public(broker: RunningBroker) -> Registered:
    """A client without one."""
    return register(broker, "Pocket ledger", "--public")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    """A browser without cookies."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as client:
        yield client


class NodeProgram:
    """A Node program that reads and writes one JSON value a line.

    Args:
        folder: where the packages are installed.
        name: its file in ``node/``.
        arguments: given to it as one JSON value.
    """

    def __init__(self, folder: Path, name: str, arguments: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            ["node", str(folder / name), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def hear(self) -> Any:
        """Return the next thing it says; a program that failed fails the test with its words."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate(timeout=10)
            pytest.fail(f"the Node program ended with {self._process.returncode}: {said}")
        return json.loads(line)

    def tell(self, value: Any) -> None:
        """Say something to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our Node programs and the packages they use, installed once."""
    return install_node(tmp_path_factory.mktemp("node"))


def install_node(folder: Path) -> Path:
    """Put our Node programs and the packages they use into a folder, and return it."""
    folder.mkdir(exist_ok=True)
    for file in NODE.iterdir():
        if file.is_file():
            shutil.copy(file, folder / file.name)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"npm install: {done.stderr[-2000:]}", pytrace=False)
    return folder
