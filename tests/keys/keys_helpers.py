"""What the tests of `keys` share: a store in memory, a drawer of ready-made keys, a hand clock."""

import itertools
import random
import warnings
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import rsa

from keys.errors import KeyConflict, KeyStoreUnavailable
from keys.making import FreshKey, KeyFactory, describe, make
from keys.model import Delete, Insert, KeyRecord
from keys.policy import Policy
from keys.sealing import Sealer
from keys.vault import SealedVault

SECRET = b"s" * 32
OTHER_SECRET = b"o" * 32
START = 1_000_000.0
POLICY = Policy()


def entropy(size: int) -> bytes:
    return random.randbytes(size)


def sealer(*secrets: bytes) -> Sealer:
    return Sealer(secrets or (SECRET,), entropy)


@lru_cache(maxsize=1)
def drawer() -> tuple[FreshKey, ...]:
    """A few dozen short keys, made once: what the tests look at does not depend on their length."""
    return tuple(_short() for _ in range(48))


def _short() -> FreshKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return describe("RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024))


class KeyDrawer:
    """A key factory that hands out ready-made keys, no key twice."""

    def __init__(self) -> None:
        self._keys = itertools.chain(drawer(), (_short() for _ in itertools.count()))

    async def __call__(self, alg: str) -> FreshKey:
        return next(self._keys) if alg == "RS256" else make(alg)


def vault(*secrets: bytes, factory: KeyFactory | None = None) -> SealedVault:
    """A vault that seals with these secrets and hands out ready-made keys."""
    return SealedVault(sealer(*secrets), factory or KeyDrawer())


class HandClock:
    """A clock that is set by hand."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryKeyStore:
    """The key store contract over a dictionary; can be told to be out of reach."""

    def __init__(self) -> None:
        self.rows: dict[str, KeyRecord] = {}
        self.down = False
        self.applied = 0

    async def all(self) -> tuple[KeyRecord, ...]:
        self._reach()
        return tuple(sorted(self.rows.values(), key=lambda r: (r.created_at, r.signs_from)))

    async def apply(self, *changes) -> None:
        self._reach()
        rows = dict(self.rows)
        for change in changes:
            if isinstance(change, Insert):
                new = change.record
                taken = {row.predecessor for row in rows.values()}
                if new.kid in rows or new.predecessor in taken:
                    raise KeyConflict("taken")
                rows[new.kid] = new
                continue
            if rows.get(change.expected.kid) != change.expected:
                raise KeyConflict("changed")
            del rows[change.expected.kid]
            if not isinstance(change, Delete):
                rows[change.record.kid] = change.record
        self.rows = rows
        self.applied += 1

    def _reach(self) -> None:
        if self.down:
            raise KeyStoreUnavailable("told to be out of reach")


class Witness:
    """A second channel in memory; can be told to be out of reach."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.down = False

    async def announce(self, mark: str) -> None:
        if self.down:
            raise KeyStoreUnavailable("told to be out of reach")
        self.marks.add(mark)

    async def revoked_kids(self) -> frozenset[str]:
        if self.down:
            raise KeyStoreUnavailable("told to be out of reach")
        return frozenset(self.marks)
