"""Other providers, measured in the same run as ours: ``python -m tests.bench --peers``.

Each is a folder with its pins and one file that configures it at its best. It is installed from its
package registry into an environment of its own that is gone afterwards, and gives at
``/seeds/KIND`` what loads draw on (a line each): cookies of signed-in people, refresh tokens,
access tokens.
"""

import re
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import psutil

from tests.bench import load
from tests.bench.crowd import App
from tests.bench.machine import Unfit, pinned
from tests.bench.rows import KIND, SHOWN
from tests.ports import free_port
from tests.running import NotReady

HERE: Final = Path(__file__).parent
SECRET: Final = "a-secret-of-the-benchmark-that-is-long"
PATIENCE: Final = 30.0  # seconds for one to start
THREADS: Final = "4"  # of gunicorn: requests wait for a store now and then
APP: Final = App("app", SECRET)


@dataclass(frozen=True, slots=True)
class Kind:
    """A provider to compare with.

    Attributes:
        folder: where it is, beside this file.
        package: as its registry knows it.
        stands_on: the rest.
        paths: where it answers, by the names that `Peer.words` uses; what is missing is passed by.
        service: its client that acts for itself.
    """

    folder: str
    package: str
    stands_on: str
    paths: Mapping[str, str]
    service: App = APP

    @property
    def title(self) -> str:
        """What people read: with the version it is pinned to."""
        text = "".join(file.read_text("utf-8") for file in sorted((HERE / self.folder).glob("*.*")))
        found = re.search(rf'{self.package}(?:==|": ")([\d.]+)', text)
        return f"{self.package} {found[1] if found else '?'} {self.stands_on}"


KINDS: Final = (
    Kind(
        "node",
        "oidc-provider",
        "on Redis",
        {
            "jwks": "/jwks",
            "discovery": "/.well-known/openid-configuration",
            "authorize": "/auth",
            "token": "/token",
            "introspect": "/token/introspection",
        },
    ),
    Kind(
        "flask",
        "Authlib",
        "on Flask and Redis",
        {
            "jwks": "/jwks",
            "discovery": "/discovery",
            "token": "/token",
            "introspect": "/introspect",
        },
    ),
    Kind(
        "django",
        "django-oauth-toolkit",
        "on SQLite",
        {
            "jwks": "/.well-known/jwks.json",
            "discovery": "/.well-known/openid-configuration",
            "authorize": "/authorize/",
            "token": "/token/",
            "introspect": "/introspect/",
        },
        App("service", SECRET),
    ),
)
# What each row of the table draws on; rows that are not here are ours alone.
SEEDS: Final = {
    "JWKS": "",
    "discovery": "",
    "code flow, signed in (2 requests)": "cookies",
    "refresh with ID token": "refresh",
    "client credentials": "",
    "introspection": "access",
}


class Peer:
    """One of them, running.

    Args:
        kind: which.
        origin: where it answers.
        pool: a file for what its loads draw on.
        process: its first process.
    """

    def __init__(self, kind: Kind, origin: str, pool: Path, process: int) -> None:
        self.name = kind.title
        self._kind = kind
        self._origin = origin
        self._pool = pool
        self._process = psutil.Process(process)

    def words(self, row: str) -> tuple[str, ...] | None:
        """Return the arguments of a row's load; None where it is not measured here."""
        paths, pool = self._kind.paths, str(self._pool)
        if row not in SEEDS or (SEEDS[row] == "cookies" and "authorize" not in paths):
            return None
        token, service = paths["token"], self._kind.service.authorization
        return {
            "JWKS": (paths["jwks"],),
            "discovery": (paths["discovery"],),
            "refresh with ID token": (token, pool, APP.authorization),
            "client credentials": (token, pool, service, KIND),
            "introspection": (paths["introspect"], pool, service, SHOWN),
            "code flow, signed in (2 requests)": (
                APP.authorize_path.replace("/authorize", paths.get("authorize", ""), 1),
                pool,
                token,
                APP.authorization,
                APP.token_form,
            ),
        }[row]

    def run(self, row: str, script: str, seconds: int, core: int) -> load.Seen | None:
        """Put a row's load on it; None where it has no such row, or fails at it, and says so."""
        words = self.words(row)
        if words is None:
            return None
        try:
            self._fill(SEEDS[row])
            return load.run(self._origin, script, words, seconds, core)
        except (Unfit, httpx2.HTTPError) as error:
            print(f"    {self.name} fails: {error}", flush=True)
            return None

    def memory(self) -> float:
        """Return the resident megabytes of its largest process."""
        family = [self._process, *self._process.children(recursive=True)]
        return max(one.memory_info().rss for one in family) / 1e6

    def _fill(self, seed: str) -> None:
        lines = "client_credentials"
        if seed:
            answer = httpx2.get(f"{self._origin}/seeds/{seed}", timeout=60, trust_env=False)
            lines = answer.raise_for_status().text.strip()
        self._pool.write_text(f"{lines}\n", encoding="ascii")


@contextmanager
def peers(folder: Path, redis_url: str, core: int) -> Iterator[list[Peer]]:
    """Install and run each on one core; yield those that run, and say which does not, and why."""
    running = []
    with ExitStack() as stack:
        for number, kind in enumerate(KINDS):
            print(f"  installing {kind.title} …", flush=True)
            place = folder / kind.folder
            store = f"{redis_url.rsplit('/', 1)[0]}/{number + 1}"  # a database of its own
            try:
                running.append(stack.enter_context(_peer(kind, place, store, core)))
            except (OSError, subprocess.CalledProcessError, NotReady) as error:
                said = getattr(error, "stderr", "") or error
                print(f"  {kind.title} is left out: {said}", flush=True)
        yield running


@contextmanager
def _peer(kind: Kind, place: Path, redis_url: str, core: int) -> Iterator[Peer]:
    place.mkdir(parents=True)
    port = free_port()
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(place),
        "PORT": str(port),
        "REDIS_URL": redis_url,
        "FOLDER": str(place),
        "NODE_ENV": "production",
    }
    install = _node if (HERE / kind.folder / "package.json").exists() else _python
    command = [*pinned(core), *install(kind, place, port, redis_url)]
    log = place / "log"
    with (
        log.open("ab") as out,
        subprocess.Popen(command, cwd=place, env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            origin = f"http://127.0.0.1:{port}"
            _wait(process, origin + kind.paths["jwks"], log)
            yield Peer(kind, origin, place / "pool", process.pid)
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until it answers.

    Raises:
        NotReady: it does not.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx2.get(address, timeout=5, trust_env=False).raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise NotReady(log.read_text("utf-8", "replace")[-2000:])


def _node(kind: Kind, place: Path, port: int, redis_url: str) -> list[str]:
    """Install it with npm; returns the command."""
    for name in ("package.json", "server.mjs"):
        (place / name).write_bytes((HERE / kind.folder / name).read_bytes())
    _run("npm", "install", "--no-audit", "--no-fund", "--omit=dev", "--prefix", str(place))
    return ["node", str(place / "server.mjs"), str(port), redis_url]


def _python(kind: Kind, place: Path, port: int, redis_url: str) -> list[str]:
    """Install it with pip; returns the command."""
    (place / "server.py").write_bytes((HERE / kind.folder / "server.py").read_bytes())
    venv.create(place / "venv", with_pip=True)
    bin_ = place / "venv" / "bin"
    _run(str(bin_ / "pip"), "install", "-q", "-r", str(HERE / kind.folder / "requirements.txt"))
    own = [
        "--chdir",
        str(place),
        "--no-control-socket",
        "--log-level",
        "error",
        "--keep-alive",
        "60",
    ]
    threads = ["-w", "1", "-k", "gthread", "--threads", THREADS]
    return [str(bin_ / "gunicorn"), *own, *threads, "-b", f"127.0.0.1:{port}", "server:app"]


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
