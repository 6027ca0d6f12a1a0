"""The keys as a process holds them: fresh, stale, cut off, damaged."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest
from joserfc.jwk import RSAKey
from keys_helpers import OTHER_SECRET, POLICY, HandClock, KeyDrawer, sealer, vault

from keys.errors import (
    KeyRecordCorrupt,
    KeyStoreUnavailable,
    NoSigningKey,
    StaleKeyring,
    VaultUnavailable,
)
from keys.importing import trust
from keys.jwks import max_age
from keys.jws import sign_jwt, verify_jwt
from keys.keyring import Keyring
from keys.model import Replace
from keys.policy import Policy
from keys.rotation import Rotation
from tests.pace import until


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def build(store, clock, factory, witness):
    def make(**options) -> Keyring:
        return Keyring(
            store,
            vault(*options.pop("secrets", ()), factory=factory),
            options.pop("policy", POLICY),
            clock,
            options.pop("witness", None),
        )

    return make


@pytest.fixture
async def ring(build) -> Keyring:
    ring = build()
    await ring.load()
    return ring


@pytest.fixture
def tool(store, factory, witness) -> Rotation:
    return Rotation(store, vault(factory=factory), POLICY, witness.announce)


async def damage(store, record, **changes) -> None:
    held = store.rows[record.kid]
    await store.apply(Replace(held, replace(held, **changes)))


async def test_a_first_load_makes_the_pair_and_signs(ring):
    """After the first start a token is signed and verified with nothing further."""
    token = await sign_jwt(ring.signer(), "JWT", {"a": 1})
    assert verify_jwt(token, ring.key_for, typ="JWT") == {"a": 1}
    assert ring.ready() is None
    assert len(json.loads(ring.jwks()[0].body)["keys"]) == 2


async def test_before_it_is_loaded_nothing_works(build):
    """Not ready, no signature, no JWKS: never an empty one that verifiers would cache."""
    ring = build()
    assert ring.ready() == "the signing keys are not loaded yet"
    with pytest.raises(StaleKeyring):
        ring.signer()
    with pytest.raises(StaleKeyring):
        ring.jwks()
    with pytest.raises(StaleKeyring):
        ring.key_for("any")


async def test_the_jwks_shows_public_members_alone(ring):
    """Exactly six members a key; nothing private, no times."""
    for key in json.loads(ring.jwks()[0].body)["keys"]:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


async def test_the_etag_changes_exactly_with_the_keys(ring, clock, tool):
    """Polling, a change-over and the passing of time leave it; a new key changes it."""
    first = ring.jwks()[0]
    clock.now += 5
    await ring.refresh()
    await tool.rotate(clock.now)
    await ring.refresh()
    assert ring.jwks()[0] == first
    assert first.etag.startswith('"')
    clock.now += 100
    await ring.refresh()
    await ring.maintain()
    assert ring.jwks()[0].etag != first.etag


async def test_every_process_has_the_same_jwks(ring, build):
    """Body and ETag agree, so a load balancer does not defeat caches."""
    other = build()
    await other.load()
    assert other.jwks() == ring.jwks()


async def test_a_process_cut_off_stops_signing(ring, clock, store):
    """At twice the polling interval it still signs, a moment later it does not; then it heals."""
    store.down = True
    clock.now += POLICY.grace
    await ring.refresh()
    assert ring.signer()
    clock.now += 0.01
    with pytest.raises(StaleKeyring):
        ring.signer()
    assert "too long" in ring.ready()
    store.down = False
    await ring.refresh()
    assert ring.ready() is None


async def test_a_process_cut_off_still_shows_its_jwks(ring, clock, store):
    """JWKS and verification go on; how long it may be cached shrinks to nothing."""
    store.down = True
    held = ring.signer().kid
    clock.now += POLICY.grace
    assert ring.jwks()[1] == 600
    clock.now += 100
    assert ring.jwks()[1] == 500
    clock.now += 1000
    assert ring.jwks()[1] == 0
    assert ring.key_for(held) is not None


async def test_a_process_cut_off_withdraws_no_key(build, clock, store, witness):
    """The successor it believes in may be revoked, so that the old key signs on elsewhere."""
    ring = build(witness=witness)
    await ring.load()
    first, second = ring.records()
    store.down = True
    clock.now = second.signs_from + POLICY.overlap + 1
    await ring.refresh()
    assert {first.kid, second.kid} == set(ring.verification_keys())


async def test_an_unknown_key_is_not_judged_by_an_outdated_process(ring, clock, store):
    """It may be a new one: an error that means 503, instead of calling a good token forged."""
    assert ring.key_for("unknown") is None
    store.down = True
    clock.now += POLICY.cache_lifetime + POLICY.grace + 1
    with pytest.raises(StaleKeyring):
        ring.key_for("unknown")


def test_the_cache_lifetime_is_bounded_by_the_lead():
    """Whole while the store is followed, then by what is left; whole seconds, never negative."""
    ages = [0, POLICY.grace, POLICY.grace + 0.5, POLICY.grace + 600, 10_000]
    assert [max_age(age, POLICY) for age in ages] == [600, 600, 599, 0, 0]


async def test_a_change_over_needs_no_store(ring, clock, store, tool):
    """The times are known ahead: the switch comes at its instant between two polls."""
    outcome = await tool.rotate(clock.now)
    await ring.refresh()
    clock.now = outcome.switches_at - 1
    await ring.refresh()
    old = ring.signer().kid
    clock.now = outcome.switches_at
    store.down = True
    assert ring.signer().kid == outcome.successor != old


async def test_a_revocation_is_followed_at_the_next_poll(ring, clock, tool):
    """The successor signs, the revoked key is out of the JWKS and verifies nothing."""
    old = ring.signer().kid
    await tool.revoke(old, "x", clock.now + 1)
    clock.now += 2
    await ring.refresh()
    assert ring.signer().kid != old
    assert old not in ring.verification_keys()
    assert ring.key_for(old) is None
    assert ring.hint_key_for(old) is None


async def test_keys_that_never_sign_are_not_opened(ring, build, clock, store, tool):
    """A successor that was revoked, a key that only verifies: no private half is missing.

    Neither here nor at a start; not even by a clock that is behind.
    """
    await tool.revoke(ring.records()[1].kid, "x", clock.now)
    other = (await KeyDrawerFrom(10)("RS256")).public_jwk
    named = {"kid": RSAKey.import_key(other).thumbprint()}
    await trust(tool, "RS256", other | named, clock.now + 30, clock.now + 900)
    for one in (ring, build()):
        await (one.refresh() if one is ring else one.load())
        assert one.ready() is None
        assert named["kid"] in one.verification_keys()


async def test_an_algorithm_that_was_just_switched_on_is_waited_for(ring, store, clock, factory):
    """Its first keys wait for the caches, and the process serves; later it has to sign."""
    both = Keyring(store, vault(factory=factory), POLICY, clock, algorithms=("RS256", "ES256"))
    await both.load()
    assert both.ready() is None
    clock.now += POLICY.lead
    await both.refresh()
    assert both.ready() is None
    tool = Rotation(store, vault(factory=factory), POLICY, algorithms=("RS256", "ES256"))
    for record in both.records():
        if record.alg == "ES256":
            await tool.revoke(record.kid, "x", clock.now)
    await both.refresh()
    assert "no key may sign" in both.ready()


async def test_hints_of_retired_keys_are_still_judged(ring, clock, tool):
    """Out of the JWKS after the overlap, but kept for hints; the others know no such key."""
    old = ring.signer().kid
    await tool.rotate_now(clock.now + 1)
    clock.now += POLICY.overlap + 2
    await ring.refresh()
    assert ring.key_for(old) is None
    assert ring.hint_key_for(old) is not None
    assert ring.hint_key_for("unknown") is None


async def test_nothing_signs_while_no_key_may(ring, clock, tool):
    """The error says when signing resumes, and so does readiness that it does not."""
    first, second = ring.records()
    await tool.revoke(first.kid, "x", clock.now)
    outcome = await tool.revoke(second.kid, "x", clock.now)
    await ring.refresh()
    with pytest.raises(NoSigningKey) as e:
        ring.signer()
    assert e.value.retry_at == outcome.resumes_at
    assert "no key may sign" in ring.ready()


async def test_a_clock_that_steps_back_brings_no_key_back(ring, clock, tool):
    """The latest time seen counts: after a change-over the old key stays retired."""
    outcome = await tool.rotate(clock.now)
    await ring.refresh()
    clock.now = outcome.switches_at
    await ring.refresh()
    assert ring.signer().kid == outcome.successor
    clock.now -= 3600
    assert ring.signer().kid == outcome.successor


async def test_a_clock_that_steps_back_does_not_hide_staleness(ring, clock, store):
    """Time that passes counts, even while the clock reads less than before."""
    store.down = True
    clock.now -= 3600
    assert ring.signer()
    clock.now += POLICY.grace + 1
    with pytest.raises(StaleKeyring):
        ring.signer()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sealed": b"\x01short"}, "cut short"),
        ({"sealed": b"\x02" + b"x" * 60}, "unknown version"),
        ({"sealed": None}, "missing"),
        ({"public_jwk": {}}, "not a key for RS256"),
        ({"public_jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, "public half"),
    ],
    ids=["truncated", "version", "missing", "empty", "foreign"],
)
async def test_a_corrupt_record_stops_the_start(ring, build, store, changes, why):
    """A process does not start on a damaged key, says which and why, and makes no new one."""
    signing = store.rows[ring.signer().kid]
    store.rows[signing.kid] = replace(signing, **changes)
    with pytest.raises(KeyRecordCorrupt, match=why) as e:
        await build().load()
    assert e.value.kid == signing.kid
    assert len(store.rows) == 2


async def test_a_key_is_relieved_by_one_that_was_revoked_since(ring, clock, store, tool):
    """By a clock that is behind, the key that took over may be revoked before it began.

    The one before it still stops at that instant: others have counted its overlap from there.
    """
    old = ring.signer().kid
    ahead = clock.now + POLICY.skew / 2
    heir = (await tool.rotate_now(ahead)).signing
    await tool.revoke(heir, "x", ahead)
    await ring.refresh()
    assert ring.signer().kid == old
    clock.now = ahead
    await ring.refresh()
    with pytest.raises(NoSigningKey):
        ring.signer()


async def test_a_foreign_secret_stops_the_start(ring, build, store):
    """Keys sealed with a secret we do not have: refused, nothing overwritten."""
    with pytest.raises(KeyRecordCorrupt, match="secret that is not configured"):
        await build(secrets=(OTHER_SECRET,)).load()
    assert len(store.rows) == 2


async def test_a_private_half_under_another_name_stops_the_start(ring, build, store):
    """Even a key that opens is checked against its `kid`."""
    held = store.rows[ring.signer().kid]
    private = (await KeyDrawerFrom(10)("RS256")).private
    store.rows[held.kid] = replace(held, sealed=sealer().seal(held.kid, private))
    with pytest.raises(KeyRecordCorrupt, match="belongs to another key"):
        await build().load()


async def test_a_running_process_keeps_its_keys_beside_a_corrupt_one(ring, clock, store):
    """A damaged successor: not ready, with the reason; the key in use signs on; it heals."""
    signing, waits = ring.records()
    await damage(store, waits, sealed=b"damaged")
    for _ in range(4):
        clock.now += POLICY.poll_interval
        await ring.refresh()
    assert "cut short" in ring.ready()
    assert ring.signer().kid == signing.kid
    await damage(store, store.rows[waits.kid], sealed=waits.sealed)
    await ring.refresh()
    assert ring.ready() is None


@pytest.mark.parametrize("heir", ["waits", "signs"])
async def test_a_revocation_beside_a_corrupt_record_is_obeyed(ring, clock, store, heir):
    """Damage elsewhere, or of the heir that took over, is no reason to go on with a revoked key."""
    signing, waits = ring.records()
    begins = clock.now if heir == "signs" else waits.signs_from
    await damage(store, waits, public_jwk={}, signs_from=begins)
    store.rows[signing.kid] = replace(signing, revoked_at=clock.now, sealed=None)
    clock.now += POLICY.grace + 1
    await ring.refresh()
    with pytest.raises(StaleKeyring):
        ring.signer()


async def test_an_older_reading_that_comes_late_undoes_nothing(ring, clock, store, tool):
    """Two passes may cross: what was read later has seen a revocation, and that counts."""
    whole, held, go = store.all, await store.all(), asyncio.Event()

    async def late():
        await go.wait()
        return held

    store.all = late
    slow = asyncio.create_task(ring.refresh())
    await asyncio.sleep(0)
    store.all = whole
    old = ring.signer().kid
    await tool.revoke(old, "x", clock.now)
    clock.now += 1
    await ring.refresh()
    go.set()
    await slow
    assert ring.signer().kid != old
    assert old not in ring.verification_keys()


async def test_a_store_that_hangs_counts_as_out_of_reach(build, store, monkeypatch):
    """Each pass has a time-out of its own."""
    ring = build(policy=Policy(poll_interval=0.05))
    await ring.load()

    async def hang():
        await asyncio.sleep(60)

    monkeypatch.setattr(store, "all", hang)
    async with asyncio.timeout(10):
        await ring.refresh()
    with pytest.raises(KeyStoreUnavailable, match="in time"):
        async with asyncio.timeout(10):
            await ring.load()


class TestWitness:
    """SQL is out of reach; a second channel answers."""

    @pytest.fixture
    async def ring(self, build, witness):
        ring = build(witness=witness)
        await ring.load()
        return ring

    async def pass_time(self, ring, clock, seconds: float) -> None:
        for _ in range(int(seconds // POLICY.poll_interval)):
            clock.now += POLICY.poll_interval
            await ring.refresh()

    async def test_signing_goes_on_while_nothing_is_revoked(self, ring, clock, store):
        """For as long as it lasts; ready all the while. New keys cannot be known: no caching."""
        store.down = True
        await self.pass_time(ring, clock, 1000)
        assert ring.ready() is None
        assert ring.jwks()[1] == 0

    async def test_signing_stops_when_it_does_not_answer_either(self, ring, clock, store, witness):
        """Nothing fails open."""
        store.down = witness.down = True
        await self.pass_time(ring, clock, POLICY.grace + 5)
        with pytest.raises(StaleKeyring):
            ring.signer()

    async def test_an_announced_revocation_is_obeyed(self, ring, clock, store, tool):
        """The revoked key signs and verifies no more, before SQL is back; its heir signs."""
        old, heir = ring.signer().kid, ring.records()[-1].kid
        rows = dict(store.rows)
        await tool.revoke(old, "x", clock.now)
        store.rows, store.down = rows, True
        await ring.refresh()
        assert ring.signer().kid == heir
        assert old not in ring.verification_keys()
        assert old not in ring.jwks()[0].body.decode()

    async def test_an_heir_that_caches_may_not_know_waits(self, ring, clock, store, tool):
        """Revoked a moment after its successor was made: nothing signs until caches know that."""
        await tool.rotate_now(clock.now)
        await ring.refresh()
        rows = dict(store.rows)
        await tool.revoke(ring.signer().kid, "x", clock.now)
        store.rows, store.down = rows, True
        await ring.refresh()
        with pytest.raises(NoSigningKey) as caught:
            ring.signer()
        assert caught.value.retry_at == clock.now + POLICY.lead
        await self.pass_time(ring, clock, POLICY.lead + POLICY.poll_interval)
        assert ring.signer()

    async def test_a_successor_announced_as_revoked_may_still_take_over(
        self, ring, clock, store, tool
    ):
        """Whoever announced it may have died before the commit: from its time on, nobody knows."""
        outcome = await tool.rotate(clock.now)
        await ring.refresh()
        old, rows = ring.signer().kid, dict(store.rows)
        await tool.revoke(outcome.successor, "x", clock.now)
        store.rows, store.down = rows, True
        await self.pass_time(ring, clock, outcome.switches_at - clock.now - POLICY.grace - 1)
        assert ring.signer().kid == old
        await self.pass_time(ring, clock, 2 * POLICY.grace + 10)
        with pytest.raises(StaleKeyring):
            ring.signer()
        store.down = False
        await ring.refresh()
        assert ring.signer().kid == outcome.successor

    @pytest.mark.parametrize("how", ["rotate", "rotate_now"])
    async def test_an_early_change_over_ends_its_word(self, ring, clock, store, tool, how):
        """A process that missed it would sign on with a key about to leave the JWKS: it stops."""
        rows = dict(store.rows)
        await getattr(tool, how)(clock.now + 1)
        changed, store.rows, store.down = store.rows, rows, True
        await self.pass_time(ring, clock, POLICY.grace + 5)
        with pytest.raises(StaleKeyring):
            ring.signer()
        store.rows, store.down = changed, False
        await ring.refresh()
        store.down = True
        await self.pass_time(ring, clock, POLICY.grace + 5)
        assert ring.signer()

    async def test_a_successor_that_is_late_does_not_end_it(self, ring, clock, store):
        """It is known when that begins, so nobody can have taken over before."""
        waits = ring.records()[1]
        await damage(store, waits, signs_from=waits.signs_from + 100)
        await ring.refresh()
        held, store.down = ring.signer().kid, True
        clock.now = waits.signs_from + 50
        await ring.refresh()
        assert ring.signer().kid == held

    async def test_a_period_that_ends_without_a_successor_ends_its_word(self, ring, clock, store):
        """Others may have made a successor meanwhile, which relieves the key we know."""
        store.down = True
        clock.now = ring.records()[1].signs_from + POLICY.period - POLICY.poll_interval
        await ring.refresh()
        with pytest.raises(StaleKeyring):
            ring.signer()


async def test_following_polls_and_maintains_until_told_to_stop(build, store, clock, caplog):
    """Errors are logged once and survived; a revocation is seen; the stop is prompt."""
    ring = build(policy=Policy(poll_interval=0.02))
    await ring.load()
    stop = asyncio.Event()

    def told() -> list[str]:
        return [r.message for r in caplog.records if r.name == "keys.keyring"]

    with caplog.at_level(logging.INFO):
        task = asyncio.create_task(ring.follow(stop))
        store.down = True
        await until(lambda: len(told()) == 1)
        await asyncio.sleep(0.1)  # it goes on failing
        store.down = False
        await until(lambda: len(told()) == 2)
        rotation = Rotation(store, vault(factory=KeyDrawerFrom(5)), POLICY)
        outcome = await rotation.revoke(ring.signer().kid, "x", clock.now)
        await until(lambda: ring.signer().kid == outcome.signing)
        clock.now = ring.records()[-1].signs_from
        await until(lambda: ring.records()[-1].created_at == clock.now)
        stop.set()
        async with asyncio.timeout(10):
            await task
    assert told() == [
        "signing keys: told to be out of reach",
        "signing keys: the key store is followed again",
    ]


async def test_following_survives_a_vault_that_is_away(store, clock, factory, caplog):
    """An HSM that does not answer when a key is due is told of, and asked again."""
    away = False

    async def make(alg):
        if away:
            raise VaultUnavailable("told to be away")
        return await factory(alg)

    ring = Keyring(store, vault(factory=make), Policy(poll_interval=0.02), clock)
    await ring.load()
    stop, away = asyncio.Event(), True
    task = asyncio.create_task(ring.follow(stop))
    clock.now = ring.records()[1].signs_from
    await until(lambda: any("told to be away" in r.message for r in caplog.records))
    away = False
    await until(lambda: len(ring.records()) == 3)
    stop.set()
    await task


class KeyDrawerFrom(KeyDrawer):
    """A drawer whose first keys are taken already."""

    def __init__(self, skip: int) -> None:
        super().__init__()
        for _ in range(skip):
            next(self._keys)


async def test_following_survives_what_nobody_foresaw(build, store, monkeypatch, caplog):
    """A bug in a pass is logged whole, and the next pass comes."""
    ring = build(policy=Policy(poll_interval=0.02))
    await ring.load()
    stop = asyncio.Event()
    whole = store.all

    async def explode():
        raise ZeroDivisionError

    monkeypatch.setattr(store, "all", explode)
    task = asyncio.create_task(ring.follow(stop))
    await until(lambda: any(r.exc_info for r in caplog.records))
    passes = []

    async def counted():
        passes.append(1)
        return await whole()

    monkeypatch.setattr(store, "all", counted)
    await until(lambda: passes)
    assert not task.done()
    stop.set()
    await task
    assert any(r.exc_info for r in caplog.records)
