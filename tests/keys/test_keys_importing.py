"""Keys made elsewhere, and keys that are given up."""

from dataclasses import replace

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import rule
from keys_helpers import POLICY, START, KeyDrawer, MemoryKeyStore, drawer, vault
from test_keys_in_time import World, check, offsets

from keys import policy as rules
from keys.errors import ImportRefused, KeyConflict, KeyRecordCorrupt, KeysError, NoSigningKey
from keys.importing import adopt, trust
from keys.making import make
from keys.model import Delete, outsider
from keys.policy import DAY
from keys.pruning import past_use, prune
from keys.rotation import Rotation
from keys.upkeep import ensure
from keys.vault import SealedVault

T = START
P = POLICY.period
BOTH = ("RS256", "ES256")


@pytest.fixture
def theirs():
    return drawer()[-1]


@pytest.fixture
async def pair(store):
    return await ensure(store, vault(), POLICY, T)


@pytest.fixture
def tool(store, factory):
    for _ in range(8):  # not those that the first pair has
        next(factory._keys)
    return Rotation(store, vault(factory=factory), POLICY)


async def held(store, kid):
    return next(record for record in await store.all() if record.kid == kid)


# ── a private key ──


async def test_an_imported_key_is_the_next_to_sign(store, pair, tool, theirs):
    """It signs at the planned change-over; the successor waits on and signs after it."""
    a, b = pair
    before = store.applied
    outcome = await adopt(tool, "RS256", theirs, T + 100)
    assert store.applied == before + 1
    assert (outcome.signing, outcome.successor) == (a.kid, theirs.kid)
    record = await held(store, theirs.kid)
    assert (record.created_at, record.ready_at) == (T + 100, T + 100 + POLICY.lead)
    assert (record.signs_from, record.predecessor) == (b.signs_from, b.kid)
    assert (await held(store, b.kid)).signs_from == b.signs_from + P
    assert {a.kid, b.kid, theirs.kid} == {
        r.kid for r in rules.published(await store.all(), T + 100, POLICY)
    }
    assert "every cache knows it in 11 min 10 s" in outcome.verifiers


async def test_an_imported_key_waits_until_caches_know_it(store, pair, tool, theirs):
    """Near the change-over it takes its whole lead, and the old key signs on meanwhile."""
    a, b = pair
    now = b.signs_from - 5
    outcome = await adopt(tool, "RS256", theirs, now)
    assert outcome.switches_at == now + POLICY.lead
    assert rules.signing(await store.all(), "RS256", now + POLICY.lead - 1).kid == a.kid


async def test_keys_imported_one_after_another_all_come_to_sign(store, pair, tool):
    """The last one first, and each a period after the one before."""
    first, second = drawer()[-1], drawer()[-2]
    await adopt(tool, "RS256", first, T + 10)
    await adopt(tool, "RS256", second, T + 20)
    order = rules.waiting(await store.all(), "RS256", T + 30)
    assert [r.kid for r in order] == [second.kid, first.kid, pair[1].kid]
    assert [r.signs_from for r in order] == [T + P, T + 2 * P, T + 3 * P]


async def test_a_line_with_an_imported_key_goes_on(store, pair, tool, theirs):
    """It signs with its own private half, has one successor, and is followed by new keys."""
    await adopt(tool, "RS256", theirs, T + 100)
    for period in range(1, 5):
        records = await ensure(store, tool.vault, POLICY, T + period * P)
        now = rules.signing(records, "RS256", T + period * P)
        assert rules.successor(records, "RS256", T + period * P) is not None
        if period == 1:
            assert (await tool.vault.open(now)).kid == theirs.kid == now.kid


async def test_after_an_import_the_key_that_caches_know_is_the_heir(store, pair, tool, theirs):
    """An emergency in between goes to the old successor: nothing stops."""
    await adopt(tool, "RS256", theirs, T + 100)
    outcome = await tool.revoke(pair[0].kid, "x", T + 110)
    assert (outcome.signing, outcome.successor) == (pair[1].kid, theirs.kid)


async def test_a_key_that_is_known_is_refused(store, pair, tool, theirs):
    """There already, or revoked before: the store stays as it was."""
    await adopt(tool, "RS256", theirs, T + 1)
    with pytest.raises(ImportRefused, match="there already"):
        await adopt(tool, "RS256", theirs, T + 2)
    await tool.revoke(theirs.kid, "x", T + 3)
    rows = dict(store.rows)
    with pytest.raises(ImportRefused, match="was revoked"):
        await adopt(tool, "RS256", theirs, T + 4)
    named = theirs.public_jwk | {"kid": theirs.kid}
    with pytest.raises(ImportRefused, match="was revoked"):
        await trust(tool, "RS256", named, T + 4, T + DAY)
    assert store.rows == rows


async def test_a_key_is_refused_where_it_could_not_sign(store, pair, tool, theirs):
    """Its algorithm is off; or nothing signs, and another key would put that off."""
    with pytest.raises(ImportRefused, match="ES256 is switched off"):
        await adopt(tool, "ES256", make("ES256"), T + 1)
    await tool.revoke(pair[0].kid, "x", T + 2)
    await tool.revoke(pair[1].kid, "x", T + 3)
    with pytest.raises(NoSigningKey) as e:
        await adopt(tool, "RS256", theirs, T + 4)
    assert e.value.retry_at == T + 2 + POLICY.lead


class Closed(SealedVault):
    """A vault that takes in no key, as a device may be."""

    async def adopt(self, alg, fresh):
        raise ImportRefused("this device takes in no key")


async def test_a_vault_may_take_none(store, pair, tool, theirs):
    """Then nothing is changed."""
    closed = Closed(vault()._sealer, KeyDrawer())
    with pytest.raises(ImportRefused, match="takes in no key"):
        await adopt(replace(tool, vault=closed), "RS256", theirs, T + 1)
    assert await store.all() == pair


class Contended(MemoryKeyStore):
    """A store in which another process is always first."""

    async def apply(self, *changes):
        if self.rows:
            raise KeyConflict("another was first")
        await super().apply(*changes)


async def test_losing_every_race_is_said(theirs):
    """It ends; the private half is not left behind in a record."""
    store = Contended()
    tool = Rotation(store, vault(), POLICY)
    pair = await ensure(store, tool.vault, POLICY, T)
    with pytest.raises(KeyConflict, match="kept changing"):
        await adopt(tool, "RS256", theirs, T + 1)
    with pytest.raises(KeyConflict, match="kept changing"):
        await trust(tool, "RS256", theirs.public_jwk | {"kid": theirs.kid}, T + 1, T + DAY)
    assert await store.all() == pair


class Importing(World):
    """The model of the keys in time, with operators who import keys at any moment."""

    @rule(offset=offsets, dies=st.sampled_from([None, None, "before", "after"]))
    def bring(self, offset: float, dies: str | None) -> None:
        self.operator_access.dies = dies
        self.run_async(self._bring(self.time + offset))
        self.operator_access.dies = None
        self.look()

    async def _bring(self, now: float) -> None:
        tool = Rotation(
            self.operator_access, self.vault, self.policy, self.witness.announce, self.algorithms
        )
        try:
            await adopt(tool, "ES256", make("ES256"), now)
        except KeysError:
            return


def test_no_cache_ever_meets_an_unknown_key_whatever_is_imported():
    """Imports at any moment, between any two steps, break nothing of what must hold."""
    check(Importing, 30, Phase.generate)


# ── a public key ──


@pytest.fixture
def public():
    fresh = make("ES256")
    return fresh.public_jwk | {"kid": fresh.kid}


async def test_a_public_key_verifies_for_a_while(store, pair, tool, public):
    """It is in the JWKS until then, never signs, and its row goes by itself much later."""
    kid, until = public["kid"], T + 3 * DAY
    outcome = await trust(tool, "ES256", public, T + 10, until)
    record = await held(store, kid)
    assert (record.sealed, record.predecessor) == (None, outsider(kid))
    assert outcome.leaves_at == until
    assert rules.state(record, await store.all(), until - 1, POLICY) == "retired"
    assert rules.state(record, await store.all(), until, POLICY) == "gone"
    assert rules.current(await store.all(), "ES256", T + DAY) is None
    assert "for 2 d 23 h" in outcome.then + outcome.verifiers


async def test_the_first_public_key_comes_with_a_pair(store, tool, public):
    """An empty store gets its own keys too, else the first start would not be the first."""
    await trust(tool, "ES256", public, T, T + DAY)
    records = await store.all()
    assert rules.signing(records, "RS256", T)
    assert len(records) == 3


async def test_a_public_key_can_stay_longer_and_not_shorter(store, pair, tool, public):
    """Importing it again moves its end; repeating changes nothing."""
    await trust(tool, "ES256", public, T, T + DAY)
    assert (await trust(tool, "ES256", public, T + 5, T + 2 * DAY)).changed
    for until in (T + 2 * DAY, T + DAY):
        assert not (await trust(tool, "ES256", public, T + 6, until)).changed
    assert (await held(store, public["kid"])).verifies_until == T + 2 * DAY


async def test_a_public_key_that_was_revoked_stays_revoked(store, pair, tool, public):
    """Nothing that is said of its end brings it back."""
    await trust(tool, "ES256", public, T, T + DAY)
    await tool.revoke(public["kid"], "x", T + 1)
    with pytest.raises(ImportRefused, match="revoked here"):
        await trust(tool, "ES256", public, T + 2, T + 2 * DAY)


async def test_a_key_of_the_line_is_no_outsider(store, pair, tool):
    """Its public half alone does not turn it into a key that only verifies."""
    own = pair[0].public_jwk | {"kid": pair[0].kid}
    with pytest.raises(ImportRefused, match="there already"):
        await trust(tool, "RS256", own, T + 1, T + DAY)
    with pytest.raises(KeyRecordCorrupt):
        await trust(tool, "RS256", own | {"kid": "another"}, T + 1, T + DAY)


# ── giving up ──


async def test_an_algorithm_that_is_off_is_given_up(store):
    """Its keys verify as long as a token can live, their private halves go, the rest stays."""
    records = await ensure(store, vault(), POLICY, T, algorithms=BOTH)
    tool = Rotation(store, vault(), POLICY)
    pruned = await prune(tool, T + 100)
    theirs = [r for r in await store.all() if r.alg == "ES256"]
    assert set(pruned.given_up) == {r.kid for r in theirs}
    assert {(r.sealed, r.verifies_until) for r in theirs} == {(None, T + 100 + POLICY.overlap)}
    assert [r for r in await store.all() if r.alg == "RS256"] == [
        r for r in records if r.alg == "RS256"
    ]
    assert not (await prune(tool, T + 101)).changed


async def test_giving_up_brings_no_key_back(store):
    """A key that had left the JWKS stays out; one about to leave leaves no later."""
    made = vault()
    await ensure(store, made, POLICY, T, algorithms=BOTH)
    on = Rotation(store, made, POLICY, algorithms=BOTH)
    old = (await on.rotate_now(T + 1, "ES256")).subject
    later = T + 1 + POLICY.overlap - 50
    pruned = await prune(Rotation(store, made, POLICY), later)
    assert (len(pruned.given_up), pruned.erased) == (3, ())
    assert pruned.verifies_until == later + POLICY.overlap  # the last of them
    assert (await held(store, old)).verifies_until == T + 1 + POLICY.overlap
    assert rules.state(await held(store, old), await store.all(), later + 50, POLICY) == "gone"


async def test_an_algorithm_switched_on_again_begins_anew(store):
    """A new pair with its own lead; what was given up stays given up."""
    await ensure(store, vault(), POLICY, T, algorithms=BOTH)
    await prune(Rotation(store, vault(), POLICY), T + 100)
    records = await ensure(store, vault(), POLICY, T + 200, algorithms=BOTH)
    waits = rules.waiting(records, "ES256", T + 200)
    assert [r.ready_at for r in waits] == [T + 200 + POLICY.lead] * 2
    assert rules.current(records, "ES256", T + 200) is None


async def test_what_is_past_use_goes_at_once(store, pair):
    """What maintenance would erase and delete; of algorithms that are off, too."""
    tool = Rotation(store, vault(), POLICY)
    fresh = make("ES256")
    spent = T + P + POLICY.grace + POLICY.skew
    until = spent - POLICY.hint_retention
    await trust(tool, "ES256", fresh.public_jwk | {"kid": fresh.kid}, T, until)
    records = await store.all()
    assert past_use(records, ("RS256",), spent - 1, POLICY) == ()
    pruned = await prune(tool, spent)
    assert (pruned.erased, pruned.deleted) == ((pair[0].kid,), (fresh.kid,))
    assert len(await store.all()) == 2  # and no key is made


async def test_a_dry_look_changes_nothing(store, pair):
    """The changes are reckoned from the records alone."""
    now = T + P + POLICY.hint_retention
    assert Delete(pair[0]) in past_use(await store.all(), ("RS256",), now, POLICY)
    assert await store.all() == pair
