"""Serving: what is looked after once, before and around the processes that answer requests."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from broker.app import logs
from broker.app.algorithms import check_in_use
from broker.app.asgi import Lifespan, watching
from broker.app.checks import check_serving
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.compose import MakeConsole
from broker.app.data_dir import prepare, refuse_demo
from broker.app.key_places import refused
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import (
    EMBEDDED_REDIS,
    METRICS_DIRECTORY,
    SERVER_PID,
    unknown_variables,
    variable,
)
from broker.app.stores import make_schema, open_stores
from broker.core.errors import StoreUnavailable
from broker.log import structlog
from broker.stores.embedded import DataDirectoryBusy, EmbeddedRedis, EmbeddedRedisFailed
from broker.stores.redis import health
from keys.errors import KeyRecordCorrupt, KeysError, VaultMisconfigured
from keys.upkeep import check_all, ensure

if TYPE_CHECKING:  # it loads the metrics library
    from broker.app.metrics_server import Living

GRACE: Final = 10  # seconds that requests under way have to finish
BACKLOG: Final = 2048
FACTORY: Final = "broker.app.asgi:create_app"
# A name, not an import: what it makes is in a layer above this one.
CONSOLE_FACTORY: Final = "broker.admin.asgi:create_app"

_log = structlog.get_logger("broker.server")

Announce = Callable[[str], None]


def serve(settings: Settings, announce: Announce, *, console: MakeConsole | None = None) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); requests under way may finish.

    Args:
        settings: of this installation; with several workers the environment must say the same.
        announce: told in plain words where the broker listens.
        console: makes the operator console, where it is wanted.

    Raises:
        Refused: the settings are not safe, or what they name cannot be used.
    """
    check_serving(settings)
    logs.configure(settings)
    for name in unknown_variables(Settings):
        _log.warning("settings.unknown_variable", name=name)
    prepare(settings.data_dir)
    refuse_demo(settings.data_dir)
    with listening(settings) as sock, redis_of(settings) as redis_url:
        asyncio.run(make_ready(settings, redis_url))
        _run(settings, redis_url, sock, announce, console)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Open the listening socket.

    Raises:
        Refused: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host} port {settings.port}"
            reason = f"cannot listen on {where}: {error.strerror}"
            raise Refused(Problem(variable("port"), reason)) from None
        sock.set_inheritable(True)
        yield sock


@contextmanager
def redis_of(settings: Settings) -> Iterator[str]:
    """Start the embedded Redis unless another is configured; yield the address to use.

    Raises:
        Refused: it cannot be started, or another server owns the data directory.
    """
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    try:
        embedded = EmbeddedRedis(settings.data_dir, report=_tell).start()
    except DataDirectoryBusy as error:
        raise Refused(Problem(variable("data_dir"), str(error))) from None
    except EmbeddedRedisFailed as error:
        raise Refused(Problem(variable("redis_url"), str(error))) from None
    with embedded:
        yield embedded.url


def _tell(what: str) -> None:
    _log.warning("redis.embedded", what=what)


async def make_ready(settings: Settings, redis_url: str) -> None:
    """Look at the stores once before any process serves; make the schema and the first keys.

    A store out of reach is no reason not to start; one that must not be used is.

    Raises:
        Refused: the schema does not fit, a client or API is set to an algorithm that is off, a
            signing key cannot be opened, an HSM cannot be used as configured, or Redis evicts.
    """
    clock, entropy = SystemClock(), SystemEntropy()
    async with open_stores(settings, clock, entropy, redis_url) as stores:
        fault = await health(stores.redis.client)
        if fault is not None and "evict" in fault:
            raise Refused(Problem(variable("redis_url"), fault))
        if fault is not None:
            _log.warning("redis.not_usable", reason=fault)
        try:
            await make_schema(settings, stores)
            await check_in_use(settings, stores.sql)
            await stores.vault.support(settings.algorithms)
            records = await ensure(
                stores.keys,
                stores.vault,
                settings.key_policy,
                clock.now(),
                algorithms=settings.algorithms,
            )
            check_all(records, stores.vault)
        except StoreUnavailable as error:
            _log.warning("sql.out_of_reach", reason=error.private)
        except KeyRecordCorrupt as error:
            raise Refused(Problem(variable("secrets"), str(error))) from None
        except VaultMisconfigured as error:
            raise refused(error) from None
        except KeysError as error:
            _log.warning("keys.not_ready", reason=str(error))


def _run(
    settings: Settings,
    redis_url: str,
    sock: socket.socket,
    announce: Announce,
    console: MakeConsole | None,
) -> None:
    """Run one server here, or several in processes of their own."""
    where = f"Token Broker listens on {_address(sock)} as {settings.public_issuer}"
    if settings.metrics_address:
        where += f", its metrics are on http://{settings.metrics_address}/metrics"
    with _signals_survived():
        if settings.workers == 1:
            _run_here(settings, redis_url, sock, lambda: announce(where), console)
            return
        if settings.redis_url is None:
            os.environ[EMBEDDED_REDIS] = redis_url
        os.environ[SERVER_PID] = str(os.getpid())
        with _metrics_of_workers(settings) as living:
            announce(f"{where}, with {settings.workers} processes")
            factory = FACTORY if console is None else CONSOLE_FACTORY
            _Workers(_config(settings, factory), [sock], living).run()


def _run_here(
    settings: Settings,
    redis_url: str,
    sock: socket.socket,
    announce: Callable[[], None],
    console: MakeConsole | None,
) -> None:
    """Run one server in this process."""
    # A directory left over from elsewhere would make the metrics library write files into it.
    os.environ.pop(METRICS_DIRECTORY, None)
    watch = watching(settings)
    config = _config(settings, Lifespan(settings, redis_url, watch=watch, console=console))
    if watch is None:
        _Announcing(config, announce).run([sock])
        return
    from broker.app.metrics_server import answering  # noqa: PLC0415 - loads the metrics library

    with answering(settings, watch.registry):
        _Announcing(config, announce).run([sock])


def _metrics_of_workers(settings: Settings) -> "AbstractContextManager[Living]":
    """Answer for the workers, where metrics are wanted; yields what is to be told who lives."""
    if not settings.metrics_address:
        return nullcontext(lambda _: None)
    from broker.app.metrics_server import adding_up  # noqa: PLC0415 - loads the metrics library

    return adding_up(settings)


class _Workers(Multiprocess):
    """Processes that share a listening socket, which closes when they are told to end."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], living: "Living"
    ) -> None:
        super().__init__(config, sockets)
        self._living = living

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        self._living([process.pid for process in self.processes if process.pid is not None])

    def terminate_all(self) -> None:
        # As long as we held it, newcomers would be let in with nobody left to answer them.
        for sock in self.sockets:
            sock.close()
        super().terminate_all()


class _Announcing(uvicorn.Server):
    """A server that says so when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _config(settings: Settings, app: Lifespan | str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge itself reads X-Forwarded-For, and from trusted proxies alone.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=GRACE,
    )


@contextmanager
def _signals_survived() -> Iterator[None]:
    """Outlive the signal that ended the server, so that what it stood on is ended in order."""
    ours = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: None) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
