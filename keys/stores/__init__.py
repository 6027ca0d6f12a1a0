"""Where keys are kept: the contract that every store keeps."""

from typing import Protocol

from keys.model import Change, KeyRecord


class KeyStore(Protocol):
    """A set of keys, read whole and changed in single transactions.

    Both methods raise `KeyStoreUnavailable` when the store cannot be reached, and nothing of
    what lies under the store.
    """

    async def all(self) -> tuple[KeyRecord, ...]:
        """Return every key, as one consistent view.

        Raises:
            KeyStoreUnavailable: The store cannot be reached.
            KeyRecordCorrupt: A stored row is not a key at all.
        """
        ...

    async def apply(self, *changes: Change) -> None:
        """Make all of these changes in one transaction, or none of them.

        Args:
            changes: What to do; each carries what it expects to find.

        Raises:
            KeyConflict: What was expected is not what is stored; nothing was changed.
            KeyStoreUnavailable: The store cannot be reached. Whether the change was made is
                unknown; every operation on keys may be repeated.
        """
        ...
