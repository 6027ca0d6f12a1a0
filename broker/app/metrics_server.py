"""Serving the metrics, on an address of their own and never on the public port.

With one process, that one answers with its own numbers. With several, the process that started
them answers: it adds up what they write into a directory, and drops the gauges of those that died.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from broker.app.addresses import host_and_port
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import METRICS_DIRECTORY, variable
from broker.log import structlog

_log = structlog.get_logger("broker.server")


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


class Numbers(AbstractContextManager["Numbers"]):
    """Answers with the numbers of this process while it serves, with the sum of others' after.

    The directory that those write into is named after the public port, which one server at a time
    can have, and is in the data directory: what a killed server left there is removed.

    Args:
        settings: of the broker.
        own: what this process counts, where it serves.
    """

    def __init__(self, settings: Settings, own: CollectorRegistry | None) -> None:
        self._settings = settings
        self._own = own
        self._folder: Path | None = None
        self._answering = ExitStack()
        self._kept = ExitStack()

    def __enter__(self) -> Self:
        """Answer until the block ends.

        Raises:
            Refused: the address cannot be listened on, or the directory not be made.
        """
        if self._own is None:
            self._add_up()
        else:
            self._answering.enter_context(answering(self._settings, self._own))
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more; the directory is removed."""
        self._answering.close()
        self._kept.close()

    def variables(self) -> dict[str, str]:
        """Return the environment variables by which processes find where to write."""
        return {METRICS_DIRECTORY: str(self._made())}

    def living(self, pids: Collection[int]) -> None:
        """Drop the gauges of processes that no longer serve."""
        if self._folder is not None:
            forget_dead(self._folder, pids)

    def add_up(self) -> None:
        """Answer for others instead of this process. What this one counted begins anew."""
        self._answering.close()
        try:
            self._add_up()
        except Refused as error:
            _log.error("metrics.not_answered", reason=str(error))

    def _add_up(self) -> None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._made()))  # type: ignore[no-untyped-call]
        self._answering.enter_context(answering(self._settings, registry))

    def _made(self) -> Path:
        """Return the directory; it is made, empty, when it is first asked for."""
        if self._folder is None:
            folder = self._settings.data_dir.absolute() / f"metrics-{self._settings.port}"
            try:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(mode=0o700)
            except OSError as error:
                reason = f"cannot make {folder}: {error.strerror}"
                raise Refused(Problem(variable("data_dir"), reason)) from None
            self._kept.callback(shutil.rmtree, folder, ignore_errors=True)
            self._folder = folder
        return self._folder


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
