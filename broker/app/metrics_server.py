"""Serving the metrics, on an address of their own and never on the public port.

With one process, that one answers with its own numbers. With several, the process that started
them answers: it adds up what they write into a directory, and drops the gauges of those that died.

This module loads the metrics library: import it where metrics are wanted and not before.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from broker.app.addresses import host_and_port
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import METRICS_DIRECTORY, variable
from broker.log import structlog

ENDED: Final = "0"  # stands for the number of all processes that ended

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
        self._sum: Sum | None = None
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
        if self._sum is not None:
            self._sum.forget(pids)

    def add_up(self) -> None:
        """Answer for others instead of this process. What this one counted begins anew."""
        self._answering.close()
        try:
            self._add_up()
        except Refused as error:
            _log.error("metrics.not_answered", reason=str(error))

    def _add_up(self) -> None:
        self._sum, registry = Sum(self._made()), CollectorRegistry()
        registry.register(self._sum)
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


class Sum(MultiProcessCollector):
    """Adds up what processes wrote, those that ended included.

    Each process has files of its own. Those of processes that ended are added to one and removed:
    servers live long, and every reload leaves some.

    Args:
        folder: where they write.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(None, str(folder))  # type: ignore[no-untyped-call]
        self._folder = folder
        self._folding = Lock()  # nobody reads while a number is in two files, or in none

    def collect(self) -> Any:
        """Return what all have counted."""
        with self._folding:
            return super().collect()  # type: ignore[no-untyped-call]

    def forget(self, living: Collection[int]) -> None:
        """Drop the gauges of processes that no longer serve; what they counted stays.

        Args:
            living: the numbers of those that serve. Others may still be about to end.
        """
        numbers = {str(number) for number in living}
        written = {path.stem.rpartition("_")[2]: path for path in self._folder.glob("*_*.db")}
        for pid in written.keys() - numbers - {ENDED}:
            with suppress(OSError):  # wrong for a while, but nobody's server ends over it
                mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
                if not _lives(int(pid)):
                    self._fold(pid)

    def _fold(self, pid: str) -> None:
        with self._folding:
            for path in self._folder.glob(f"[!g]*_{pid}.db"):  # no gauges: they are no sums
                kind = path.stem.rpartition("_")[0]
                ended = MmapedDict(str(self._folder / f"{kind}_{ENDED}.db"))  # type: ignore[no-untyped-call]
                for key, value, moment, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
                    before, _ = ended.read_value(key)  # type: ignore[no-untyped-call]
                    ended.write_value(key, before + value, moment)  # type: ignore[no-untyped-call]
                ended.close()  # type: ignore[no-untyped-call]
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's: the number is in use again
    return True
