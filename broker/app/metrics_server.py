"""Serving the metrics, on an address of their own and never on the public port.

With one process, that one answers with its own numbers. With several, the process that started
them answers: it adds up what they write into a directory, and drops the gauges of those that died.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from broker.app.addresses import host_and_port
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import METRICS_DIRECTORY, variable

Living = Callable[[Collection[int]], None]
"""Is told now and then which processes serve, by their numbers."""


@contextmanager
def answering(settings: Settings, registry: CollectorRegistry) -> Iterator[None]:
    """Answer with the metrics of a registry, in a thread, until the block ends.

    Raises:
        Refused: the address cannot be listened on.
    """
    found = host_and_port(settings.metrics_address)
    if found is None:
        raise Refused(Problem(variable("metrics_address"), "is no host:port"))
    host, port = found
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        reason = f"cannot listen on {settings.metrics_address}: {error.strerror}"
        raise Refused(Problem(variable("metrics_address"), reason)) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def adding_up(settings: Settings) -> Iterator[Living]:
    """Answer for processes that are started in this block; they find the directory by environment.

    The directory is named after the public port, which one server at a time can have, and is in
    the data directory: what a killed server left there is removed at its next start.

    Raises:
        Refused: the address cannot be listened on, or the directory not be made.
    """
    folder = settings.data_dir.absolute() / f"metrics-{settings.port}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        reason = f"cannot make {folder}: {error.strerror}"
        raise Refused(Problem(variable("data_dir"), reason)) from None
    os.environ[METRICS_DIRECTORY] = str(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    try:
        with answering(settings, registry):
            yield lambda living: forget_dead(folder, living)
    finally:
        os.environ.pop(METRICS_DIRECTORY, None)
        shutil.rmtree(folder, ignore_errors=True)


def forget_dead(folder: Path, living: Collection[int]) -> None:
    """Drop the gauges of processes that no longer serve; what they counted stays.

    Args:
        folder: where the processes write.
        living: the numbers of those that serve.
    """
    written = {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*_*.db")}
    for pid in written - {str(number) for number in living}:
        with suppress(OSError):  # wrong numbers for a while, but nobody's server ends over them
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
