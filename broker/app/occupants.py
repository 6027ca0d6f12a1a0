"""Which process has a port, as far as Linux tells this one.

It tells of other users' processes that they listen, and no more.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
TABLES: Final = ("net/tcp", "net/tcp6")
LISTENS: Final = "0A"  # the state, as those tables write it


def occupant(port: int) -> str | None:
    """Return who listens on a TCP port of this machine, such as ``process 17 (nginx)``.

    Args:
        port: its number.

    Returns:
        None where nobody does, or nothing is told of whoever does.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    for process in PROC.glob("[0-9]*"):
        try:
            if not sockets.isdisjoint(_open_in(process)):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue  # somebody else's, or gone meanwhile
    return None


def _open_in(process: Path) -> Iterator[str]:
    """Yield what a process has open."""
    for file in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(file.readlink())


def _listening(port: int) -> Iterator[str]:
    """Yield the numbers of the sockets that listen on a port."""
    for table in TABLES:
        try:
            lines = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue  # not Linux, or no IPv6
        for line in lines:
            _, local, _, phase, *_, inode = line.split()[:10]
            if phase == LISTENS and int(local.rpartition(":")[2], 16) == port:
                yield inode
