"""The keys as a process holds them: read once, opened once, never changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keys import jwks
from keys import policy as rules
from keys.due import hasten
from keys.jws import VerificationKey
from keys.making import public_key
from keys.model import KeyRecord
from keys.policy import Policy
from keys.signer import Signer
from keys.vault import Vault


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An immutable view of the key store.

    Attributes:
        records: The keys as they are to be taken.
        signers: Those this process can sign with, now or later, by `kid`.
        public: Every public half, by `kid`.
        as_read: The keys as the store had them, without what was announced since.
        announced: The keys that were announced to be revoked since, by `kid`.
    """

    records: tuple[KeyRecord, ...]
    signers: Mapping[str, Signer]
    public: Mapping[str, VerificationKey]
    as_read: tuple[KeyRecord, ...] = ()
    announced: frozenset[str] = frozenset()

    def revoking(self, kids: Iterable[str], now: float) -> "Snapshot":
        """Return this snapshot with these keys revoked, and the heirs of those that signed.

        An heir begins where every cache knows it, as the operation that revokes has it too.
        """
        gone = frozenset(kids)
        since = {r.kid: r.revoked_at for r in self.records if r.kid in self.announced}
        records = tuple(
            replace(record, revoked_at=since.get(record.kid, now), revoked_reason="announced")
            if record.kid in gone
            else record
            for record in self.as_read
        )
        for alg in {record.alg for record in records if record.kid in gone}:
            heirs = hasten((r for r in records if r.alg == alg), alg, now)
            records = tuple(heirs.get(record.kid, record) for record in records)
        signers = {kid: signer for kid, signer in self.signers.items() if kid not in gone}
        return Snapshot(records, signers, self.public, self.as_read, gone)


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


async def take(
    records: tuple[KeyRecord, ...],
    now: float,
    vault: Vault,
    previous: Snapshot = EMPTY,
) -> Snapshot:
    """Check and open the keys of a reading; what `previous` has opened is taken from there.

    Args:
        records: The keys as stored.
        now: The moment, in epoch seconds.
        vault: Opens private halves.
        previous: An earlier snapshot.

    Raises:
        KeyRecordCorrupt: A key that is to sign cannot be opened, or a public half is damaged.
        VaultUnavailable: What holds the private halves does not answer.
    """
    known = {record.kid: record for record in previous.records}
    signers: dict[str, Signer] = {}
    public: dict[str, VerificationKey] = {}
    for record in records:
        before = known.get(record.kid)
        same = before is not None and (before.alg, before.public_jwk) == (
            record.alg,
            record.public_jwk,
        )
        public[record.kid] = previous.public[record.kid] if same else _verifier(record)
        if _may_sign(record, records, now):
            held = previous.signers.get(record.kid)
            unchanged = same and before is not None and before.sealed == record.sealed
            signers[record.kid] = held if held and unchanged else await vault.open(record)
    return Snapshot(records, signers, public, records)


def _verifier(record: KeyRecord) -> VerificationKey:
    key = public_key(record.kid, record.alg, record.public_jwk)
    return VerificationKey(record.kid, record.alg, key)


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
    if record.revoked_at is not None or record.verifies_until is not None:
        return False
    return record.signs_from > now or record == rules.current(records, record.alg, now)
