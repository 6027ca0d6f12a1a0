"""What an operator can do to the keys, and what is said about it."""

from dataclasses import replace

import pytest
from keys_helpers import OTHER_SECRET, POLICY, SECRET, START, drawer, sealer, vault

from keys import policy as rules
from keys.algorithms import RSA_BITS
from keys.errors import (
    KeyNotFound,
    KeyRecordCorrupt,
    KeyStoreUnavailable,
    NoSigningKey,
    RotationRefused,
    VaultUnavailable,
)
from keys.importing import adopt
from keys.making import generate, public_key
from keys.model import Replace
from keys.outcome import span
from keys.rotation import Rotation
from keys.upkeep import ensure, rewrap
from keys.vault import SealedVault

T = START


@pytest.fixture
def tool(store, factory, witness) -> Rotation:
    return Rotation(store, vault(factory=factory), POLICY, witness.announce)


@pytest.fixture
async def pair(store, factory):
    return await ensure(store, vault(factory=factory), POLICY, T)


def signing(records, now: float) -> str:
    return rules.signing(records, "RS256", now).kid


async def test_the_first_start_makes_a_signing_key_and_its_successor(pair):
    """Both at once; the second follows the first."""
    assert [r.predecessor for r in pair] == ["genesis:RS256", pair[0].kid]
    assert signing(pair, T) == pair[0].kid


async def test_maintenance_repeated_changes_nothing(store, pair):
    """Nothing due, nothing written."""
    for _ in range(3):
        assert await ensure(store, vault(), POLICY, T + 1) == pair
    assert store.applied == 1


async def test_keys_are_made_at_full_length():
    """The default factory makes RSA keys of 2048 bits."""
    fresh = await generate("RS256")
    assert public_key(fresh.kid, "RS256", fresh.public_jwk).raw_value.key_size == RSA_BITS == 2048


async def test_a_year_of_maintenance_keeps_the_chain(store, factory):
    """Every period one key; old private halves erased, old rows pruned, never a gap."""
    for day in range(366):
        now = T + day * 86_400
        records = await ensure(store, vault(factory=factory), POLICY, now)
        assert signing(records, now)
        assert rules.successor(records, "RS256", now)
        assert len(records) <= 4
        assert sum(r.sealed is not None for r in records) <= 3


async def test_a_staged_rotation_waits_until_every_process_knows(store, pair, tool, witness):
    """It comes after two polls and the skew, and asking again changes nothing."""
    outcome = await tool.rotate(T + 100)
    assert outcome.changed
    assert outcome.switches_at == T + 100 + POLICY.grace + POLICY.skew
    assert (outcome.signing, outcome.successor) == (pair[0].kid, pair[1].kid)
    assert outcome.leaves_at == outcome.switches_at + POLICY.overlap
    assert witness.marks == {f"{pair[1].kid}@{outcome.switches_at!r}"}
    again = await tool.rotate(T + 130)
    assert not again.changed
    assert again.switches_at == outcome.switches_at


async def test_a_staged_rotation_is_never_earlier_than_caches_allow(tool, pair):
    """A successor made a moment ago still gets its whole lead."""
    await tool.rotate_now(T + 100)
    outcome = await tool.rotate(T + 120)
    assert outcome.switches_at == T + 100 + POLICY.lead


async def test_rotation_at_once_goes_to_the_published_successor(store, pair, tool):
    """The successor signs from this instant and has a successor of its own, in one transaction."""
    before = store.applied
    outcome = await tool.rotate_now(T + 100)
    records = await store.all()
    assert store.applied == before + 1
    assert (outcome.changed, outcome.signing) == (True, pair[1].kid)
    assert signing(records, T + 100) == pair[1].kid
    assert outcome.successor == records[2].kid
    assert records[2].ready_at == T + 100 + POLICY.lead


async def test_rotation_at_once_is_refused_while_caches_may_not_know(tool, pair):
    """The refusal says when it will be possible, and then it is."""
    await tool.rotate_now(T + 100)
    with pytest.raises(RotationRefused, match="may not know it for another 570 s") as e:
        await tool.rotate_now(T + 200)
    assert e.value.possible_at == T + 100 + POLICY.lead
    assert (await tool.rotate_now(e.value.possible_at)).changed


async def test_a_repeated_rotation_at_once_is_done_already(tool, pair):
    """A lost answer or a second operator does not rotate twice."""
    await tool.rotate_now(T + 100)
    again = await tool.rotate_now(T + 105)
    assert (again.changed, again.subject, again.signing) == (False, pair[0].kid, pair[1].kid)


async def test_a_repeated_rotation_at_once_spends_no_further_key(store, pair, tool):
    """Not even where caches know the key after the next too, as with one that was imported."""
    imported = drawer()[-1]
    await adopt(tool, "RS256", imported, T + 100)
    now = T + 100 + POLICY.lead
    assert (await tool.rotate_now(now)).signing == imported.kid
    again = await tool.rotate_now(now + 5)
    assert (again.changed, again.subject, again.signing) == (False, pair[0].kid, imported.kid)
    assert (await tool.rotate_now(now + POLICY.grace)).signing == pair[1].kid


async def test_revoking_the_signing_key_hands_over_at_once(store, pair, tool, witness):
    """Its ready successor signs at that instant; its private half is erased; all is announced."""
    outcome = await tool.revoke(pair[0].kid, "laptop stolen", T + 100)
    records = await store.all()
    assert signing(records, T + 100) == pair[1].kid == outcome.signing
    dead = next(r for r in records if r.kid == pair[0].kid)
    assert (dead.revoked_at, dead.revoked_reason, dead.sealed) == (T + 100, "laptop stolen", None)
    assert pair[0].kid not in [r.kid for r in rules.published(records, T + 100, POLICY)]
    assert witness.marks == {pair[0].kid}
    assert outcome.successor is not None
    assert outcome.resumes_at is None
    assert "up to 10 min later" in outcome.verifiers


async def test_revoking_twice_in_a_row_pauses_signing(store, pair, tool):
    """Where caches cannot know the next key yet, nothing signs until they do, as is said."""
    await tool.revoke(pair[0].kid, "first", T + 100)
    outcome = await tool.revoke(pair[1].kid, "second", T + 110)
    assert outcome.signing is None
    assert outcome.resumes_at == T + 100 + POLICY.lead
    assert "Nothing signs until" in outcome.then
    records = await store.all()
    with pytest.raises(NoSigningKey) as e:
        rules.signing(records, "RS256", T + 120)
    assert e.value.retry_at == outcome.resumes_at
    assert signing(records, outcome.resumes_at) == outcome.successor


async def test_revoking_the_successor_makes_a_new_one(store, pair, tool):
    """The signing key signs on; the new successor relieves it when the old one would have."""
    outcome = await tool.revoke(pair[1].kid, "x", T + 100)
    assert outcome.signing == pair[0].kid
    assert outcome.switches_at == pair[1].signs_from
    assert outcome.successor not in {pair[0].kid, pair[1].kid}


async def test_revoking_a_retired_key_takes_it_out_of_the_jwks(store, pair, tool):
    """Nothing else changes."""
    await tool.rotate_now(T + 100)
    outcome = await tool.revoke(pair[0].kid, "x", T + 110)
    assert outcome.signing == pair[1].kid
    shown = rules.published(await store.all(), T + 110, POLICY)
    assert pair[0].kid not in [r.kid for r in shown]
    assert len(await store.all()) == 3


async def test_a_private_half_that_cannot_be_destroyed_now_stops_nothing(
    store, pair, tool, monkeypatch
):
    """What counts is stored: an HSM that is away just then has it swept up later."""

    async def away(_self, records):
        raise VaultUnavailable(f"{len(records)}")

    monkeypatch.setattr(SealedVault, "discard", away)
    outcome = await tool.revoke(pair[0].kid, "x", T + 100)
    assert (outcome.changed, outcome.signing) == (True, pair[1].kid)


async def test_revoking_again_changes_nothing(store, pair, tool):
    """The first reason and time stay."""
    await tool.revoke(pair[0].kid, "first", T + 100)
    outcome = await tool.revoke(pair[0].kid, "second", T + 200)
    assert not outcome.changed
    assert next(r for r in await store.all() if r.kid == pair[0].kid).revoked_reason == "first"


async def test_an_unknown_key_is_named(tool, pair):
    """A typing error revokes nothing."""
    with pytest.raises(KeyNotFound, match="no signing key nope"):
        await tool.revoke("nope", "x", T)


async def test_nothing_is_revoked_that_cannot_be_announced(store, pair, tool, witness):
    """A process cut off from SQL would not learn of it; the operator does, and decides."""
    witness.down = True
    with pytest.raises(KeyStoreUnavailable):
        await tool.revoke(pair[0].kid, "x", T + 1)
    assert await store.all() == pair


async def test_a_process_with_another_secret_makes_no_key(store, pair):
    """What it would seal the others could not open: it stops, and writes nothing."""
    with pytest.raises(KeyRecordCorrupt, match="not configured"):
        await ensure(store, vault(OTHER_SECRET), POLICY, T + POLICY.period)
    assert await store.all() == pair


async def test_a_damaged_successor_can_be_revoked(store, pair, tool):
    """The way out of a corrupt record: revoke it, and a new one is made."""
    await store.apply(Replace(pair[1], replace(pair[1], sealed=b"damaged")))
    outcome = await tool.revoke(pair[1].kid, "damaged", T + 5)
    assert outcome.successor not in {None, pair[1].kid}


async def test_rewrapping_moves_every_key_to_the_first_secret(store, pair):
    """Afterwards the old secret can go; a second run finds nothing to do."""
    both = vault(OTHER_SECRET, SECRET)
    assert set(await rewrap(store, both)) == {r.kid for r in pair}
    assert await rewrap(store, both) == ()
    for record in await store.all():
        assert sealer(OTHER_SECRET).open(record.kid, record.sealed)


async def test_a_key_revoked_the_instant_it_was_made_is_relieved(store, tool):
    """Times that are all equal leave the order of the chain: the second key follows the first."""
    for _ in range(6):
        store.rows.clear()
        first, second = await tool._settled(T)
        first, second = (first, second) if second.predecessor == first.kid else (second, first)
        assert (await tool.revoke(first.kid, "x", T)).signing == second.kid


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (70, "1 min 10 s"), (600, "10 min"), (3670, "1 h 1 min"),
     (2_592_000, "30 d"), (90_000, "1 d 1 h"), (-5, "0 s")],
)  # fmt: skip
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """An operator reads when something happens without reckoning."""
    assert span(seconds) == said
