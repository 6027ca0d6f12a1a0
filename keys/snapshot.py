"""The keys as a process holds them: read once, opened once, never changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from keys import jwks
from keys import policy as rules
from keys.errors import KeyRecordCorrupt
from keys.jws import VerificationKey
from keys.making import public_key
from keys.model import KeyRecord
from keys.policy import Policy
from keys.sealing import Sealer
from keys.signer import Signer

SignerLoader = Callable[[str, bytes], Signer]
"""Makes a signer of a `kid` and its opened private half (or of what stands for it elsewhere)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An immutable view of the key store.

    Attributes:
        records: The keys as stored.
        signers: Those this process can sign with, now or later, by `kid`.
        public: Every public half, by `kid`.
    """

    records: tuple[KeyRecord, ...]
    signers: Mapping[str, Signer]
    public: Mapping[str, VerificationKey]

    def revoking(self, kids: Iterable[str], now: float) -> "Snapshot":
        """Return this snapshot with these keys revoked."""
        gone = frozenset(kids)
        records = tuple(
            replace(record, revoked_at=now, revoked_reason="announced")
            if record.kid in gone
            else record
            for record in self.records
        )
        signers = {kid: signer for kid, signer in self.signers.items() if kid not in gone}
        return Snapshot(records, signers, self.public)


EMPTY = Snapshot((), {}, {})


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the outside may rely on at the time of a reading.

    Attributes:
        verifying: The keys of the JWKS, by `kid`.
        hinting: The keys that may have signed an `id_token_hint`, by `kid`.
        document: The JWKS.
    """

    verifying: Mapping[str, VerificationKey]
    hinting: Mapping[str, VerificationKey]
    document: jwks.JwksDocument


def take(
    records: tuple[KeyRecord, ...],
    now: float,
    sealer: Sealer,
    load: SignerLoader,
    previous: Snapshot = EMPTY,
) -> Snapshot:
    """Check and open the keys of a reading; what `previous` has opened is taken from there.

    Args:
        records: The keys as stored.
        now: The moment, in epoch seconds.
        sealer: Opens private halves.
        load: Makes signers of them.
        previous: An earlier snapshot.

    Raises:
        KeyRecordCorrupt: A key that is to sign cannot be opened, or a public half is damaged.
    """
    known = {record.kid: record for record in previous.records}
    signers: dict[str, Signer] = {}
    public: dict[str, VerificationKey] = {}
    for record in records:
        before = known.get(record.kid)
        if before is not None and before.public_jwk == record.public_jwk:
            public[record.kid] = previous.public[record.kid]
        else:
            key = public_key(record.kid, record.public_jwk)
            public[record.kid] = VerificationKey(record.kid, record.alg, key)
        if _may_sign(record, records, now):
            held = previous.signers.get(record.kid)
            same = held is not None and before is not None and before.sealed == record.sealed
            signers[record.kid] = held if held and same else _open(record, sealer, load)
    return Snapshot(records, signers, public)


def expose(snapshot: Snapshot, read_at: float, policy: Policy) -> Exposure:
    """Work out what the outside may rely on, as of the reading.

    It is judged at the time of the reading, never later: a process cut off from its store could
    otherwise drop a key as retired whose successor was revoked meanwhile, so that it signs on.
    """
    shown = rules.published(snapshot.records, read_at, policy)
    hints = rules.hint_keys(snapshot.records, read_at, policy)
    return Exposure(
        verifying={record.kid: snapshot.public[record.kid] for record in shown},
        hinting={record.kid: snapshot.public[record.kid] for record in hints},
        document=jwks.build(shown),
    )


def _may_sign(record: KeyRecord, records: tuple[KeyRecord, ...], now: float) -> bool:
    if record.revoked_at is not None:
        return False
    return record.signs_from > now or record == rules.current(records, record.alg, now)


def _open(record: KeyRecord, sealer: Sealer, load: SignerLoader) -> Signer:
    if record.sealed is None:
        raise KeyRecordCorrupt(record.kid, "its private half is missing")
    return load(record.kid, sealer.open(record.kid, record.sealed))
