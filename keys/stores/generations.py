"""A value that is replaced as a whole, kept as numbered files in one directory.

Each state is a file of its own, complete before it has its name: `generation-000012.json` is
written and flushed under another name, and then linked (`link(2)`) to its own. Linking is the one
instant at which anything changes, and it is an exclusive creation: of several writers that follow
generation 11 one gets the name, on NFS too. So the next name is lock and commit in one. A process
that dies, or sleeps, at any instant leaves no lock behind: there is nothing to break, and no
guessing whether its holder lives.

Why no change is ever lost:

- The newest generation is never removed and older ones are emptied, not removed: their names stay
  taken, so a writer that slept cannot take one.
- A name is freed only once `KEPT` newer generations exist. A writer that took its name and then
  finds fewer took a name that was never free before: its change was made on the newest state.
  One that finds more says that it does not know.
- A reader takes the newest of a listing, reads it, and lists again: where the same one is still
  the newest, it was the state at that moment, and was read before anyone emptied it.
- An empty file that is the newest was cut short, or what came after it was deleted. Either is
  damage; only a directory without any generation was never written to.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keys.errors import KeyRecordCorrupt, KeyStoreUnavailable

KEPT: Final = 16
"""How many older generations keep their name, emptied."""
LIMIT: Final = 4 * 1024 * 1024
"""The size in bytes beyond which a file is not read."""
ATTEMPTS: Final = 64
_GENERATION: Final = re.compile(r"generation-(\d{6,18})\.json")
_PENDING: Final = re.compile(r"\.pending-(\d{6,18})-[0-9a-f]+")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Generation:
    """One state of the value.

    Attributes:
        number: Counts the states; the first is 1.
        data: The content of its file.
    """

    number: int
    data: bytes


def file_name(number: int) -> str:
    """Return the name of a generation's file."""
    return f"generation-{number:06d}.json"


class Generations:
    """The numbered files of one directory; synchronous, safe among threads, processes and hosts.

    Args:
        path: The directory: there already, of mode 700, of the user this process runs as.
        entropy: Returns that many random bytes; they name files that are being written.
    """

    def __init__(self, path: Path, entropy: Callable[[int], bytes]) -> None:
        self.path = path
        self._entropy = entropy
        self._settled = 0

    def newest(self) -> Generation | None:
        """Return the state at this moment; None where there never was one.

        Raises:
            KeyStoreUnavailable: The directory is missing, open to others, or cannot be read.
            KeyRecordCorrupt: The newest file is empty, too large, or no file.
        """
        with self._opened() as folder:
            for _ in range(ATTEMPTS):
                number = _newest(folder)
                if number is None:
                    return None
                data = self._read(folder, file_name(number))
                if data is None or _newest(folder) != number:
                    continue
                if not data:
                    raise self._cut_short(number)
                self._settle(folder, number)
                return Generation(number, data)
        raise KeyStoreUnavailable(f"{self.path}: other processes kept changing the keys")

    def add(self, number: int, data: bytes) -> bool:
        """Make the state that follows generation `number - 1`.

        Args:
            number: The number of the new state.
            data: The whole of it.

        Returns:
            False where another process made that generation first; nothing was changed then.

        Raises:
            KeyStoreUnavailable: It cannot be written, or whether it was is unknown.
        """
        with self._opened() as folder:
            pending = f".pending-{number:06d}-{self._entropy(8).hex()}"
            try:
                _write(folder, pending, data)
                won = self._link(folder, pending, file_name(number))
            finally:
                with suppress(OSError):
                    os.unlink(pending, dir_fd=folder)
            if not won:
                return False
            newest = _newest(folder) or 0
            if newest - number >= KEPT:
                _sweep(folder, newest)
                raise KeyStoreUnavailable(
                    f"{self.path}: whether the change was made is unknown, for {newest - number} "
                    "others were made meanwhile; look at the keys, and repeat it if need be"
                )
            self._settle(folder, newest)
            return True

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the directory, once it is sure to be its owner's alone."""
        try:
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            self._refuse_open_doors(folder)
            yield folder
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            os.close(folder)

    def _refuse_open_doors(self, folder: int) -> None:
        found = os.fstat(folder)
        user = os.geteuid()
        if found.st_uid != user:
            raise KeyStoreUnavailable(
                f"the key directory {self.path} belongs to user id {found.st_uid} and this process "
                f"runs as {user}; run it as its owner, or give it: chown -R {user} {self.path}"
            )
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            raise KeyStoreUnavailable(
                f"the key directory {self.path} is open to other users (mode {mode:03o}); "
                f"close it: chmod 700 {self.path}"
            )

    def _read(self, folder: int, name: str) -> bytes | None:
        """Return the content of a file; None where it has gone."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            file = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise KeyRecordCorrupt("?", f"{self.path / name} is not a file")
            if found.st_size > LIMIT:
                raise KeyRecordCorrupt("?", f"{self.path / name} is too large to be a set of keys")
            return b"".join(iter(lambda: os.read(file, 1 << 16), b""))
        finally:
            os.close(file)

    def _link(self, folder: int, pending: str, name: str) -> bool:
        """Give a finished file its name; tell whether it was still free."""
        try:
            os.link(pending, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            # NFS may repeat a request whose answer was lost: then the name is taken by ourselves
            return _same(folder, pending, name)
        except FileNotFoundError:
            return False  # swept away as left behind: others are further on already
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise KeyStoreUnavailable(
                f"the file system of {self.path} has no hard links; keep the keys on one that has"
            ) from error
        return True

    def _settle(self, folder: int, number: int) -> None:
        """See to it, once a generation, that it lasts and that what was before it is emptied."""
        if number != self._settled:
            _sync(folder)
            _sweep(folder, number)
            self._settled = number

    def _cut_short(self, number: int) -> KeyRecordCorrupt:
        return KeyRecordCorrupt(
            "?",
            f"{self.path / file_name(number)} is empty: it was cut short, or the file after it was "
            "deleted; empty the directory, then restore the newest file of a backup",
        )

    def _unavailable(self, error: OSError) -> KeyStoreUnavailable:
        if isinstance(error, FileNotFoundError):
            return KeyStoreUnavailable(
                f"there is no key directory {self.path}; make it: install -d -m 700 {self.path}"
            )
        return KeyStoreUnavailable(f"the key directory {self.path} cannot be used: {error}")


def _numbers(names: Iterable[str], pattern: re.Pattern[str]) -> dict[str, int]:
    found = ((name, pattern.fullmatch(name)) for name in names)
    return {name: int(match[1]) for name, match in found if match}


def _newest(folder: int) -> int | None:
    return max(_numbers(os.listdir(folder), _GENERATION).values(), default=None)


def _write(folder: int, name: str, data: bytes) -> None:
    file = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _same(folder: int, one: str, other: str) -> bool:
    try:
        return os.path.samestat(
            os.stat(one, dir_fd=folder, follow_symlinks=False),
            os.stat(other, dir_fd=folder, follow_symlinks=False),
        )
    except FileNotFoundError:
        return False


def _sync(folder: int) -> None:
    """Make the names of a directory outlast a power cut, where its file system can."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _sweep(folder: int, newest: int) -> None:
    """Empty what is older than the newest generation, and remove what nobody can need.

    It may be interrupted, repeated and done by several at once; what fails is left to the next.
    """
    names = os.listdir(folder)
    older = {n: i for n, i in _numbers(names, _GENERATION).items() if i < newest}
    if not older:  # so that the first generation is missed when somebody deletes it
        with suppress(OSError):
            os.close(os.open(file_name(newest - 1), _NEW, 0o600, dir_fd=folder))
    for name, number in older.items():
        with suppress(OSError):
            _empty(folder, name, forget=number <= newest - KEPT)
    for name, number in _numbers(names, _PENDING).items():
        if number <= newest:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)


def _empty(folder: int, name: str, *, forget: bool) -> None:
    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_size:
        flags = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
        os.close(os.open(name, flags, dir_fd=folder))
    if forget:
        os.unlink(name, dir_fd=folder)
