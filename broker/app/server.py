"""Serving: what is looked after once, before and around the processes that answer requests."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from broker.app import logs
from broker.app.absence import Absence
from broker.app.checks import check_serving
from broker.app.children import Nursery
from broker.app.data_dir import prepare, refuse_demo
from broker.app.handover import PARTING, fixed
from broker.app.listening import Doors, listening
from broker.app.open_files import raise_limit
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.shares import HERE, Table
from broker.app.sources import EMBEDDED_REDIS, METRICS_DIRECTORY, unknown_variables, variable
from broker.app.spawning import NotStarted, Unfit
from broker.app.supervising import Supervisor
from broker.log import structlog
from broker.stores.embedded import DataDirectoryBusy, EmbeddedRedis, EmbeddedRedisFailed

if TYPE_CHECKING:  # they load the metrics library
    from broker.app.metrics_server import Numbers
    from broker.app.watching import Watch

_log = structlog.get_logger("broker.server")

Announce = Callable[[str], None]


def serve(settings: Settings, announce: Announce) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); requests under way may finish.

    Args:
        settings: of this installation; with several workers the environment must say the same.
        announce: told in plain words where the broker listens.

    Raises:
        Refused: the settings are not safe, or what they name cannot be used.
    """
    check_serving(settings)
    logs.configure(settings)
    for name in unknown_variables(Settings):
        _log.warning("settings.unknown_variable", name=name)
    raise_limit()
    prepare(settings.data_dir)
    refuse_demo(settings.data_dir)
    # A directory left over from elsewhere would make the metrics library write files into it.
    os.environ.pop(METRICS_DIRECTORY, None)
    serve_by = _alone if settings.workers == 1 else _others
    with listening(settings) as doors, redis_of(settings) as redis_url:
        serve_by(settings, redis_url, doors, partial(announce, _where(settings, doors)))


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


def _alone(settings: Settings, redis_url: str, doors: Doors, announce: Callable[[], None]) -> None:
    """Serve by this process.

    Raises:
        Refused: the address is taken, or a store must not be used.
    """
    # Where others serve, this process needs none of these.
    from broker.app.answering import Server, config  # noqa: PLC0415
    from broker.app.asgi import Lifespan, console, watching  # noqa: PLC0415
    from broker.app.beforehand import make_ready  # noqa: PLC0415

    asyncio.run(make_ready(settings, redis_url))
    doors.open()
    watch = watching(settings)
    served = config(Lifespan(settings, redis_url, watch=watch, console=console(settings)))
    table = Table()
    with _numbers(settings, watch) as numbers:
        supervisor = _supervisor(settings, redis_url, doors, table, numbers)
        ours = [one.dup() for one in doors.sockets]
        server = Server(served, ours, table.share(HERE), announce)
        with asyncio.Runner(loop_factory=served.get_loop_factory()) as runner:
            runner.run(supervisor.serve_here(server))


def _others(settings: Settings, redis_url: str, doors: Doors, announce: Callable[[], None]) -> None:
    """Serve by other processes, and look after them.

    Raises:
        Refused: they do not serve.
    """
    with _numbers(settings, None) as numbers:
        supervisor = _supervisor(settings, redis_url, doors, Table(), numbers)
        try:
            asyncio.run(supervisor.serve(settings.workers, doors.open, announce))
        except Unfit as error:
            raise Refused(*error.problems) from None
        except NotStarted as error:
            reason = f"a process does not serve: {error}"
            raise Refused(Problem(variable("workers"), reason)) from None


def _supervisor(
    settings: Settings, redis_url: str, doors: Doors, table: Table, numbers: "Numbers | None"
) -> Supervisor:
    nursery = Nursery(
        doors.sockets,
        table,
        patience=PARTING,
        fixed=fixed(settings),
        variables=partial(_variables, settings, redis_url, numbers),
        living=numbers.living if numbers else lambda _: None,
    )
    handed_over = numbers.add_up if numbers else lambda: None
    return Supervisor(nursery, handed_over, PARTING, Absence(doors.sockets))


def _variables(settings: Settings, redis_url: str, numbers: "Numbers | None") -> dict[str, str]:
    """Return what a process that is started finds in its environment besides ours."""
    ours = {} if settings.redis_url is not None else {EMBEDDED_REDIS: redis_url}
    return ours | (numbers.variables() if numbers else {})


def _numbers(settings: Settings, watch: "Watch | None") -> "AbstractContextManager[Numbers | None]":
    """Answer with the metrics, where they are wanted."""
    if not settings.metrics_address:
        return nullcontext()
    from broker.app.metrics_server import Numbers  # noqa: PLC0415 - loads the metrics library

    return Numbers(settings, watch.registry if watch else None)


def _where(settings: Settings, doors: Doors) -> str:
    said = f"Token Broker listens on {doors} as {settings.public_issuer}"
    if settings.metrics_address:
        said += f", its metrics are on http://{settings.metrics_address}/metrics"
    return said if settings.workers == 1 else f"{said}, with {settings.workers} processes"
