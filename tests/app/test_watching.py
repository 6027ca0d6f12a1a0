"""What is counted around the keyring, and what is written down of how it stands."""

import math

import pytest

from broker.app.watching import KeyWatch, Watch
from broker.core.community.recheck import Outcome
from keys.errors import NoSigningKey, SigningFailed, StaleKeyring
from keys.jws import sign_jwt
from keys.keyring import Keyring
from keys.rotation import Rotation
from tests.keys.keys_helpers import POLICY, HandClock, MemoryKeyStore, vault

pytestmark = pytest.mark.filterwarnings("ignore:Key size should be")

PREFIX = "token_broker_"


class Now:
    """The broker's form of a clock that is set by hand."""

    def __init__(self, hand):
        self._hand = hand

    def now(self):
        return self._hand.now


class World:
    """A keyring over a store in memory, watched."""

    def __init__(self, **more):
        self.clock = HandClock()
        self.store = MemoryKeyStore()
        self.vault = vault()
        self.ring = Keyring(self.store, self.vault, POLICY, self.clock, **more)
        self.watch = Watch()
        self.keys = self.watch.keys(self.ring)
        self.key_watch = KeyWatch(self.ring, POLICY, self.watch.metrics.keys, Now(self.clock))

    async def seen(self):
        """Let the keyring follow its store, and look."""
        await self.ring.refresh()
        await self.ring.maintain()
        self.key_watch.look()

    def value(self, name, **labels):
        return self.watch.registry.get_sample_value(PREFIX + name, labels)

    def states(self, alg="RS256"):
        states = ("next", "signing", "retired", "revoked")
        return [self.value("keys", alg=alg, state=state) for state in states]


@pytest.fixture
async def world():
    made = World()
    await made.ring.load()
    made.key_watch.look()
    return made


async def test_moments_follow_the_life_of_a_key(world):
    """Age, next change-over and when the successor is known, over one whole period."""
    start = world.clock.now
    assert world.value("key_signs_since_timestamp_seconds", alg="RS256") == start
    change = world.value("key_change_over_timestamp_seconds", alg="RS256")
    assert change == start + POLICY.period
    assert world.value("key_successor_known_timestamp_seconds", alg="RS256") == start
    assert world.states() == [1, 1, 0, 0]

    world.clock.now = change + 1
    await world.seen()
    assert world.value("key_signs_since_timestamp_seconds", alg="RS256") == change
    later = change + 1 + POLICY.lead
    assert world.value("key_successor_known_timestamp_seconds", alg="RS256") == later
    after = world.value("key_change_over_timestamp_seconds", alg="RS256")
    assert after == change + POLICY.period
    assert world.states() == [1, 1, 1, 0]


async def test_a_change_over_that_cannot_come_is_overdue(world):
    """No process can write: the period ends and no successor is there."""
    signs = world.ring.signer().kid
    world.store.rows = {signs: world.store.rows[signs]}
    world.clock.now += 5
    await world.ring.refresh()
    world.key_watch.look()
    assert world.value("key_successor_known_timestamp_seconds", alg="RS256") == math.inf
    due = world.value("key_change_over_timestamp_seconds", alg="RS256")
    assert due == world.value("key_signs_since_timestamp_seconds", alg="RS256") + POLICY.period
    assert world.states()[0] == 0


async def test_a_revocation_shows(world):
    """The revoked key is counted; the moment since which a key signs is its heir's."""
    tool = Rotation(store=world.store, vault=world.vault, policy=POLICY)
    signs = world.ring.signer().kid
    world.clock.now += 100
    await tool.revoke(signs, "a test", world.clock.now)
    await world.seen()
    assert world.states()[1:] == [1, 0, 1]
    assert world.value("key_signs_since_timestamp_seconds", alg="RS256") == world.clock.now


async def test_a_keyring_cut_off_is_not_ready_and_its_reading_grows_old(world):
    """What readiness says; the moment of the last reading stays where it was."""
    read = world.value("keyring_read_timestamp_seconds")
    assert (read, world.value("keyring_ready")) == (world.clock.now, 1)
    world.store.down = True
    world.clock.now += POLICY.grace + 1
    await world.ring.refresh()
    world.key_watch.look()
    assert world.value("keyring_read_timestamp_seconds") == read
    assert world.value("keyring_ready") == 0
    world.store.down = False
    await world.seen()
    assert world.value("keyring_read_timestamp_seconds") == world.clock.now
    assert world.value("keyring_ready") == 1


async def test_signatures_are_counted_by_algorithm_and_are_as_before(world):
    """A counted signer is the keyring's own in all but the count."""
    assert world.value("signatures_total", alg="RS256") == 0
    signer = await world.keys.fresh_signer()
    assert (signer.kid, signer.alg) == (world.ring.signer().kid, "RS256")
    assert await world.keys.fresh_signer() is signer
    token = await sign_jwt(signer, "JWT", {"a": 1})
    assert token == await sign_jwt(world.ring.signer(), "JWT", {"a": 1})
    assert world.value("signatures_total", alg="RS256") == 1


async def test_the_next_key_signs_after_the_change_over(world):
    """The counting keeps no signer longer than the keyring does."""
    before = (await world.keys.fresh_signer()).kid
    world.clock.now += POLICY.period
    await world.seen()
    assert (await world.keys.fresh_signer()).kid != before
    assert (await world.keys.fresh_signer()).kid == world.ring.signer().kid


async def test_refusals_are_counted_by_reason(world, monkeypatch):
    """Not followed; no key may sign; what holds the key did not sign. Errors pass unchanged."""
    signer = await world.keys.fresh_signer()

    async def broken(_):
        raise SigningFailed("the device is gone")

    monkeypatch.setattr(type(world.ring.signer()), "sign", lambda _, data: broken(data))
    with pytest.raises(SigningFailed):
        await signer.sign(b"x")
    world.clock.now += POLICY.grace + 1
    world.store.down = True
    with pytest.raises(StaleKeyring):
        await world.keys.fresh_signer()
    empty = World()
    await empty.ring.refresh()
    with pytest.raises(NoSigningKey):
        await empty.keys.fresh_signer()
    reasons = ("stale", "no_key", "failed")
    assert [world.value("signing_refused_total", reason=r) for r in reasons] == [1, 0, 1]
    assert [empty.value("signing_refused_total", reason=r) for r in reasons] == [0, 1, 0]
    assert world.value("signatures_total", alg="RS256") == 0


async def test_unknown_kids_are_counted_and_not_named(world):
    """However many there are, they make no new series."""
    series = sum(1 for family in world.watch.registry.collect() for _ in family.samples)
    known = world.ring.signer().kid
    assert world.keys.key_for(known) is not None
    assert world.keys.hint_key_for(known) is not None
    for number in range(50):
        assert world.keys.key_for(f"kid-{number}") is None
    assert world.keys.hint_key_for("../../etc/passwd") is None
    assert world.value("unknown_kid_requests_total", where="access_token") == 50
    assert world.value("unknown_kid_requests_total", where="id_token_hint") == 1
    assert series == sum(1 for family in world.watch.registry.collect() for _ in family.samples)


async def test_every_algorithm_that_is_on_has_its_own_line():
    """One just switched on, whose first key waits until caches know it, has no age yet."""
    world = World(algorithms=("RS256", "ES256"))
    await world.ring.load()
    await world.seen()
    for alg in ("RS256", "ES256"):
        assert world.states(alg)[0] >= 1
        assert world.value("key_change_over_timestamp_seconds", alg=alg) > world.clock.now
    assert world.value("signatures_total", alg="ES256") == 0
    assert world.value("keyring_ready") == 1


def test_checks_of_membership_are_counted_by_what_came_of_them():
    """All are there from the start, so that an alert sees the first of its kind."""
    watch = Watch()
    count = watch.checks()
    for outcome in (Outcome.READ, Outcome.READ, Outcome.LAST_KNOWN):
        count(outcome)
    seen = {
        outcome: watch.registry.get_sample_value(
            f"{PREFIX}membership_checks_total", {"outcome": outcome}
        )
        for outcome in ("read", "last_known", "unavailable", "lost")
    }
    assert seen == {"read": 2, "last_known": 1, "unavailable": 0, "lost": 0}


def test_every_metric_says_what_it_is():
    """Help texts are for people; names have their unit."""
    watch = Watch()
    assert watch.metrics
    for family in watch.registry.collect():
        assert family.name.startswith(PREFIX)
        assert len(family.documentation) > 25, family.name
        assert family.documentation.endswith("."), family.name
        assert "timestamp" not in family.name or family.name.endswith("_timestamp_seconds")
