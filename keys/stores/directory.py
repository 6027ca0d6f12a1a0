"""Signing keys in a directory, for deployments that would rather have files than a database.

One file is the whole set, so a transaction of several changes is one new file; what makes that
atomic, lasting and exclusive is in `keys.stores.generations`, what a file looks like in
`keys.stores.document`. Private halves are in it only sealed; those that were erased leave the
directory with the generation they were in.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from keys.errors import KeyConflict
from keys.model import Change, Delete, Insert, KeyRecord
from keys.stores import document
from keys.stores.generations import Generation, Generations, file_name

ATTEMPTS: Final = 64
"""How often a change is tried again after another process wrote first."""
_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05


class DirectoryKeyStore:
    """The key store in a directory.

    Args:
        path: The directory: there already, of mode 700, of the user this process runs as.
        entropy: Returns that many random bytes; they name files that are being written.
    """

    def __init__(self, path: Path, entropy: Callable[[int], bytes]) -> None:
        self._files = Generations(path, entropy)

    async def all(self) -> tuple[KeyRecord, ...]:
        """Return every key, oldest first.

        Raises:
            KeyStoreUnavailable: The directory is missing, open to others, or cannot be read.
            KeyRecordCorrupt: Its newest file is damaged, foreign, or gone.
        """
        records = (await asyncio.to_thread(self._read))[1]
        return tuple(sorted(records, key=lambda record: (record.created_at, record.signs_from)))

    async def apply(self, *changes: Change) -> None:
        """Make all of these changes in one transaction, or none.

        Raises:
            KeyConflict: What was expected is not what is stored; nothing was changed.
            KeyStoreUnavailable: The directory cannot be used or has no room; or whether the change
                was made is unknown.
            KeyRecordCorrupt: Its newest file is damaged, foreign, or gone.
            ValueError: A key has a value that a file cannot hold exactly.
        """
        for attempt in range(1, ATTEMPTS + 1):
            if await asyncio.to_thread(self._try, changes):
                return
            await asyncio.sleep(min(_PAUSE * attempt, _LONGEST_PAUSE))
        raise KeyConflict("other processes kept changing the keys")

    def _read(self) -> tuple[int, tuple[KeyRecord, ...]]:
        newest = self._files.newest()
        if newest is None:
            return 0, ()
        return newest.number, self._load(newest)

    def _try(self, changes: Iterable[Change]) -> bool:
        """Make the changes on the keys as they are; False where another wrote meanwhile."""
        number, records = self._read()
        after = changed(records, changes)
        following = Generation(number + 1, document.dump(after, number + 1))
        if self._load(following) != after:
            raise ValueError("a key has a value that a file cannot hold exactly")
        return self._files.add(following.number, following.data)

    def _load(self, generation: Generation) -> tuple[KeyRecord, ...]:
        where = self._files.path / file_name(generation.number)
        return document.load(generation.data, generation.number, where)


def changed(records: Iterable[KeyRecord], changes: Iterable[Change]) -> tuple[KeyRecord, ...]:
    """Return the keys after these changes, made in order.

    Raises:
        KeyConflict: A change expects what is not there.
    """
    rows = {record.kid: record for record in records}
    for change in changes:
        if not isinstance(change, Insert):
            if rows.get(change.expected.kid) != change.expected:
                raise KeyConflict(f"signing key {change.expected.kid} is no longer as it was read")
            del rows[change.expected.kid]
        if not isinstance(change, Delete):
            record = change.record
            if record.kid in rows or record.predecessor in {r.predecessor for r in rows.values()}:
                raise KeyConflict("another process made that key first")
            rows[record.kid] = record
    return tuple(rows.values())
