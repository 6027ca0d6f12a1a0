"""The promises of signing keys, over every place that records and private halves can be in."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet
from keys_helpers import OTHER_SECRET, POLICY, SECRET, START, HandClock, entropy, vault
from sqlalchemy.ext.asyncio import create_async_engine

from keys import jwks, policy
from keys.algorithms import ALGORITHMS
from keys.due import due_for
from keys.errors import ExportRefused, ImportRefused, KeyConflict, KeyRecordCorrupt
from keys.jws import sign_jwt
from keys.keyring import Keyring
from keys.making import make, private_key
from keys.model import KeyRecord, Replace
from keys.rotation import Rotation
from keys.signer import LocalSigner
from keys.stores.directory import DirectoryKeyStore
from keys.stores.sql import SigningKeyRow, SqlKeyStore
from keys.upkeep import commit, ensure, realise, rewrap
from keys.vault import Vault

# The ready-made keys are short on purpose; what is promised does not depend on their length.
pytestmark = pytest.mark.filterwarnings("ignore:The RSA key is")

CLAIMS = {"sub": "ada", "n": 1}
DAY = 86_400.0
T = START + DAY  # when the operator acts: the first pair is known to every cache


@dataclass
class Place:
    """Records and private halves somewhere.

    Attributes:
        store: where the records are.
        clock: the time.
        hsm: the token that has the private halves; None where they are in the records.
    """

    store: Any
    clock: HandClock
    hsm: Any = None

    @property
    def alg(self) -> str:
        """The algorithm of most tests: where no key is ready-made, the one quickest to make."""
        return "ES256" if self.hsm else "RS256"

    def vault(self, *secrets: bytes) -> Vault:
        """Return the vault of a process that has these secrets."""
        return self.hsm.vault(*secrets) if self.hsm else vault(*secrets)

    async def ensured(self, now: float = START, alg: str = ""):
        chosen = (alg or self.alg,)
        return await ensure(self.store, self.vault(), POLICY, now, algorithms=chosen)

    def tool(self) -> Rotation:
        return Rotation(self.store, self.vault(), POLICY, algorithms=(self.alg,))

    def ring(self) -> Keyring:
        return Keyring(self.store, self.vault(), POLICY, self.clock, algorithms=(self.alg,))

    async def halves(self) -> int:
        """Return how many private halves there are."""
        if self.hsm:
            return len(await self.hsm.private_keys())
        return sum(record.sealed is not None for record in await self.store.all())

    async def put(self, record: KeyRecord, **changes) -> KeyRecord:
        """Write over a record, as a vandal or a faulty disk would."""
        changed = replace(record, **changes)
        await self.store.apply(Replace(record, changed))
        return changed


@pytest.fixture(
    params=[
        "sql, sealed",
        "directory, sealed",
        pytest.param("sql, hsm", marks=pytest.mark.softhsm),
        pytest.param("directory, hsm", marks=pytest.mark.softhsm),
    ]
)
async def at(request, tmp_path: Path):
    """Every place in turn."""
    records, _, halves = request.param.partition(", ")
    clock = HandClock()
    if records == "directory":
        store, engine = DirectoryKeyStore(request.getfixturevalue("place"), entropy), None
    else:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/keys.db")
        async with engine.begin() as connection:
            await connection.run_sync(SigningKeyRow.__table__.create)
        store = SqlKeyStore(engine)
    if halves == "hsm":
        from hsm_helpers import opened

        with opened(request.getfixturevalue("softhsm").token(), clock) as hsm:
            yield Place(store, clock, hsm)
    else:
        yield Place(store, clock)
    if engine is not None:
        await engine.dispose()


def verified(token: str, records: tuple[KeyRecord, ...], alg: str) -> None:
    """Two libraries accept the token by the JWKS alone."""
    document = json.loads(jwks.build(records).body)
    assert jose.decode(token, KeySet.import_key_set(document), algorithms=[alg]).claims == CLAIMS
    if alg in pyjwt.algorithms.get_default_algorithms():
        kid = pyjwt.get_unverified_header(token)["kid"]
        key = pyjwt.PyJWKSet.from_dict(document)[kid]
        assert pyjwt.decode(token, key, algorithms=[alg]) == CLAIMS


async def signed(at: Place, now: float, alg: str = "") -> str:
    """A process that starts now signs a token, and verifiers accept it."""
    records, alg = await at.store.all(), alg or at.alg
    signer = await at.vault().open(policy.signing(records, alg, now))
    token = await sign_jwt(signer, "JWT", CLAIMS)
    verified(token, policy.published(records, now, POLICY), alg)
    return signer.kid


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_every_algorithm_signs_what_others_verify(at, alg):
    """A key of each algorithm is made, signs, and is all a verifier needs in the JWKS."""
    await at.vault().support([alg])
    first, second = await at.ensured(alg=alg)
    assert await signed(at, START, alg) == first.kid
    assert await signed(at, second.signs_from, alg) == second.kid


async def test_the_first_start_makes_a_pair_and_the_next_nothing(at):
    """A signing key and its successor are made once."""
    pair = await at.ensured()
    assert len(pair) == await at.halves() == 2
    assert await at.ensured(START + 60) == pair
    assert await at.halves() == 2


async def test_processes_that_start_together_agree(at):
    """One pair comes of many first starts, and the private halves of the losers are gone."""
    rounds = await asyncio.gather(*(at.ensured() for _ in range(4)))
    assert set(map(frozenset, _kids(rounds))) == {
        frozenset(record.kid for record in await at.store.all())
    }
    assert await at.halves() == 2
    await signed(at, START)


def _kids(rounds):
    return ([record.kid for record in records] for records in rounds)


async def test_rotating_changes_over_to_the_published_successor(at):
    """Staged: the successor signs from the announced instant on, the old key before it."""
    first, second = await at.ensured()
    outcome = await at.tool().rotate(T, at.alg)
    assert await signed(at, outcome.switches_at - 1) == first.kid
    assert await signed(at, outcome.switches_at) == second.kid


async def test_rotating_at_once(at):
    """The successor signs from this instant on, and has a successor of its own."""
    first, second = await at.ensured()
    await at.tool().rotate_now(T, at.alg)
    assert await signed(at, T) == second.kid
    assert await at.halves() == 3
    third = next(r for r in await at.store.all() if r.kid not in {first.kid, second.kid})
    await at.vault().open(third)


async def test_a_revoked_key_never_signs_again(at):
    """Its private half is destroyed, its successor signs, and a new successor waits."""
    first, second = await at.ensured()
    await at.tool().revoke(first.kid, "lost", T)
    held = next(r for r in await at.store.all() if r.kid == first.kid)
    assert held.sealed is None
    with pytest.raises(KeyRecordCorrupt):
        await at.vault().open(held)
    assert await signed(at, T) == second.kid
    assert await at.halves() == 2


async def test_a_spent_key_is_erased(at):
    """Where no process can still sign with a retired key its private half is destroyed."""
    first, _ = await at.ensured()
    await at.tool().rotate_now(T, at.alg)
    assert await at.halves() == 3
    await at.ensured(T + POLICY.grace + POLICY.skew + 1)
    assert await at.halves() == 2
    assert next(r for r in await at.store.all() if r.kid == first.kid).sealed is None


async def test_a_ring_follows_what_another_process_does(at):
    """A process signs on through a change-over and a revocation that others made."""
    ring = at.ring()
    await ring.load()
    first, second = ring.records()
    assert ring.signer(at.alg).kid == first.kid
    at.clock.now = T
    await ring.refresh()
    await at.tool().rotate_now(T, at.alg)
    await ring.refresh()
    assert ring.signer(at.alg).kid == second.kid
    await at.tool().revoke(first.kid, "", T)
    await ring.refresh()
    token = await sign_jwt(ring.signer(at.alg), "JWT", CLAIMS)
    verified(token, policy.published(await at.store.all(), T, POLICY), at.alg)
    assert ring.ready() is None


async def test_many_tasks_sign_at_once(at):
    """Every signature belongs to its own message."""
    await at.ensured()
    records = await at.store.all()
    signer = await at.vault().open(policy.signing(records, at.alg, START))
    tokens = await asyncio.gather(*(sign_jwt(signer, "JWT", {"n": n}) for n in range(100)))
    keys = KeySet.import_key_set(json.loads(jwks.build(records).body))
    found = [jose.decode(one, keys, algorithms=[at.alg]).claims["n"] for one in tokens]
    assert found == list(range(100))


async def test_a_secret_is_changed(at):
    """Keys sealed with the old secret are sealed anew; then the old one is not needed."""
    pair = await at.ensured()
    both = at.vault(OTHER_SECRET, SECRET)
    assert set(await rewrap(at.store, both)) == {record.kid for record in pair}
    assert await rewrap(at.store, both) == ()
    for record in await at.store.all():
        at.vault(OTHER_SECRET).check(record)
        await at.vault(OTHER_SECRET).open(record)
        with pytest.raises(KeyRecordCorrupt, match="not configured"):
            at.vault().check(record)


async def test_a_foreign_secret_opens_nothing_and_makes_nothing(at):
    """A process with another secret says so; it never makes keys of its own instead."""
    first, _ = await at.ensured()
    foreign = at.vault(OTHER_SECRET)
    for refuse in (foreign.check, foreign.reveal):
        with pytest.raises(KeyRecordCorrupt, match="not configured"):
            refuse(first)
    with pytest.raises(KeyRecordCorrupt, match="not configured"):
        await foreign.open(first)
    with pytest.raises(KeyRecordCorrupt):
        await ensure(at.store, foreign, POLICY, START + POLICY.period, algorithms=(at.alg,))
    assert len(await at.store.all()) == await at.halves() == 2


@pytest.mark.parametrize("damage", ["flipped", "cut", "swapped", "public"])
async def test_a_damaged_record_is_refused(at, damage):
    """A record that was altered anywhere is refused with a reason, and the reason names the key."""
    first, second = await at.ensured()
    changes: dict[str, dict[str, Any]] = {
        "flipped": {"sealed": first.sealed[:-1] + bytes([first.sealed[-1] ^ 1])},
        "cut": {"sealed": first.sealed[:20]},
        "swapped": {"sealed": second.sealed},
        "public": {"public_jwk": second.public_jwk},
    }
    held = await at.put(first, **changes[damage])
    ring = at.ring()
    with pytest.raises(KeyRecordCorrupt, match=first.kid):
        await ring.load()
    assert ring.ready() is not None
    if damage != "public":
        with pytest.raises(KeyRecordCorrupt, match=first.kid):
            at.vault().check(held)


async def test_a_private_half_goes_in_and_out_or_is_refused(at):
    """Private halves in records can be brought in and out; with an HSM they cannot."""
    first, _ = await at.ensured()
    fresh = make("ES256")
    if at.hsm:
        with pytest.raises(ImportRefused, match="keys rotate"):
            await at.vault().adopt("ES256", fresh)
        with pytest.raises(ExportRefused, match="never leaves the HSM"):
            at.vault().reveal(first)
        return
    new = await at.vault().adopt("ES256", fresh)
    record = replace(first, kid=new.kid, alg="ES256", public_jwk=new.public_jwk, sealed=new.sealed)
    assert at.vault().reveal(record) == fresh.private
    assert isinstance(await at.vault().open(record), LocalSigner)
    assert private_key(first.kid, at.alg, at.vault().reveal(first))


async def test_discarding_and_sweeping_can_be_repeated(at):
    """What is gone already is no error, and what a record names is never swept."""
    pair = await at.ensured()
    new = await at.vault().make("ES256")
    lone = replace(pair[0], kid=new.kid, alg="ES256", public_jwk=new.public_jwk, sealed=new.sealed)
    for _ in range(2):
        await at.vault().discard([lone])
    assert await at.halves() == 2
    assert await at.vault().sweep(pair, START + DAY) == 0
    assert await at.halves() == 2
    await signed(at, START)


async def test_a_conflict_leaves_no_private_half_behind(at):
    """Whoever loses a race over a place destroys what it made for it."""
    first, _ = await at.ensured()

    changes = await realise(due_for((), (at.alg,), START, POLICY), (), at.vault())
    assert await at.halves() == (4 if at.hsm else 2)
    with pytest.raises(KeyConflict):
        await commit(at.store, at.vault(), changes)
    assert await at.halves() == 2
    assert await signed(at, START) == first.kid
