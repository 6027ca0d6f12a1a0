"""What is foretold of the keys, held against what happens."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from keys_helpers import (
    OTHER_SECRET,
    POLICY,
    SECRET,
    START,
    KeyDrawer,
    MemoryKeyStore,
    drawer,
    vault,
)

from keys import policy as rules
from keys.errors import KeysError
from keys.importing import adopt, trust
from keys.making import make
from keys.model import Replace
from keys.plan import MOST_STEPS, plan
from keys.policy import DAY, Policy
from keys.pruning import prune
from keys.risks import Seals, find, look_at_seals
from keys.rotation import Rotation
from keys.upkeep import ensure

T = START
P = POLICY.period
RS = ("RS256",)
SMALL = Policy(
    period=60, cache_lifetime=14, poll_interval=2, skew=3, longest_token=9, hint_retention=80
)
WHOLE = Seals()


class World:
    """A store that maintenance really looks after, second by second."""

    def __init__(self, policy: Policy, algorithms: tuple[str, ...]) -> None:
        self.store, self.policy, self.algorithms = MemoryKeyStore(), policy, algorithms
        self.vault = vault(factory=KeyDrawer())
        self.spare = reversed(drawer())  # made elsewhere: never those that the vault will make
        self.tool = Rotation(self.store, self.vault, policy, algorithms=algorithms)

    async def maintain(self, now: float):
        for _ in range(2):  # what one pass did may make more due
            records = await ensure(
                self.store, self.vault, self.policy, now, algorithms=self.algorithms
            )
        return records

    async def operate(self, what: str, now: float, which: int) -> None:
        records = await self.store.all()
        alg = self.algorithms[which % len(self.algorithms)]
        try:
            if what in {"rotate", "rotate_now"}:
                await getattr(self.tool, what)(now, alg)
            elif what == "revoke":
                await self.tool.revoke(records[which % len(records)].kid, "test", now)
            elif what == "import":
                fresh = next(self.spare) if alg == "RS256" else make(alg)
                await adopt(self.tool, alg, fresh, now)
            elif what == "trust":
                fresh = make("ES256")
                await trust(self.tool, "ES256", named(fresh), now, now + 10 + which)
            elif what == "prune":
                await prune(self.tool, now)
        except KeysError:
            return


def named(fresh):
    return fresh.public_jwk | {"kid": fresh.kid}


def seen(before, after, then, now, policy):
    """Return what an onlooker sees happen between two looks, as (kind, kid); written afresh."""
    old, new = {r.kid: r for r in before}, {r.kid: r for r in after}
    for kid, record in new.items():
        if kid not in old:
            yield "published", kid
            continue
        was = old[kid]
        if was.sealed is not None and record.sealed is None:
            yield "erased", kid
        if record.signs_from < was.signs_from:
            yield "hastened", kid
        alive = record.revoked_at is None and record.verifies_until is None
        if alive and then < record.ready_at <= now:
            yield "known", kid
    for kid in old:
        if kid not in new:
            yield "deleted", kid
    visible = {"next", "signing", "retired"}
    for kid, record in old.items():
        stays = kid in new and rules.state(new[kid], after, now, policy) in visible
        if rules.state(record, before, then, policy) in visible and not stays:
            yield "leaves", kid
    for kid, record in new.items():
        signs = rules.state(record, after, now, policy) == "signing"
        if signs and not (kid in old and rules.state(old[kid], before, then, policy) == "signing"):
            yield "begins", kid


async def lived(world: World, now: int, seconds: int):
    """Return what really happens, and the keys as they were at each second."""
    records = await world.store.all()
    happened, moments = [], []
    for moment in range(now, now + seconds + 1):
        then = max(now, moment - 1)
        after = await world.maintain(moment)
        happened += [(moment, *one) for one in seen(records, after, then, moment, world.policy)]
        moments.append((moment, after))
        records = after
    return happened, moments


OPERATIONS = ["rotate", "rotate_now", "revoke", "import", "trust", "prune", "nothing"]
PHASES = {
    "learning": "next",
    "waiting": "next",
    "signing": "signing",
    "verifying": "retired",
    "revoked": "revoked",
}


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(
    algorithms=st.sampled_from([RS, ("RS256", "ES256")]),
    history=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 90), st.integers(0, 40)), max_size=5
    ),
    pause=st.sampled_from([0, 0, 1, 40, 200]),
)
def test_what_is_foretold_is_what_happens(algorithms, history, pause):
    """Whatever operators did before: the same steps at the same instants, and no others.

    And no drawn phase contradicts what the key is at that moment.
    """

    async def run() -> None:
        world, now = World(SMALL, algorithms), int(T)
        await world.maintain(now)
        for what, wait, which in history:
            for _ in range(wait):
                now += 1
                await world.maintain(now)
            await world.operate(what, now, which)
        now += pause  # nobody looked after the keys meanwhile
        foretold = plan(await world.store.all(), algorithms, now, SMALL, 200)
        happened, moments = await lived(world, now, 200)
        alg_of = {r.kid: r.alg for _, records in moments for r in records}
        names = {}
        for alg in algorithms:  # the first key made is the first foretold, of each algorithm
            made = [kid for _, kind, kid in happened if kind == "published" and alg_of[kid] == alg]
            told = [s.kid for s in foretold.steps if s.kind == "published" and s.alg == alg]
            names |= zip(told, made, strict=True)
        steps = sorted((s.at, s.kind, names.get(s.kid, s.kid)) for s in foretold.steps)
        assert steps == sorted(happened)
        drawn = {names.get(bar.kid, bar.kid): bar for bar in foretold.bars}
        for moment, records in moments:
            for record in records:
                _agrees(drawn.get(record.kid), record, records, moment)

    asyncio.run(run())


def _agrees(bar, record, records, moment) -> None:
    state = rules.state(record, records, moment, SMALL)
    phases = [] if bar is None else bar.phases
    (here,) = [p for p in phases if p.start <= moment and (p.end is None or moment < p.end)] or [
        None
    ]
    if here is None:
        assert state in {"gone", "revoked"}
    else:
        assert PHASES[here.kind] == state
    for one, following in itertools.pairwise(phases):
        assert one.end == following.start


async def test_a_plan_of_an_empty_store_begins_with_the_first_pair():
    """Both keys are named, and the first signs at once."""
    told = plan((), RS, T, POLICY, DAY)
    assert [(s.at, s.kind, s.kid) for s in told.steps] == [
        (T, "published", "new key 1"),
        (T, "published", "new key 2"),
        (T, "begins", "new key 1"),
    ]
    assert [risk.kind for risk in told.risks] == ["no-keys"]


async def test_a_plan_of_a_period_names_every_step(pair):
    """Change-over, new successor, erased half, known, gone from the JWKS: each at its instant."""
    a, b = (record.kid for record in pair)
    told = plan(pair, RS, T + 5, POLICY, P + 2 * DAY)
    over = T + P
    assert [(s.at, s.kind, s.kid, s.other) for s in told.steps] == [
        (over, "begins", b, a),
        (over, "published", "new key 1", None),
        (over + POLICY.grace + POLICY.skew, "erased", a, None),
        (over + POLICY.overlap, "leaves", a, None),
        (over + POLICY.lead, "known", "new key 1", None),
    ]
    assert told.risks == ()
    assert (told.until, told.whole) == (T + 5 + P + 2 * DAY, True)


async def test_a_plan_has_an_end(pair):
    """Keys that change every minute are not foretold for years."""
    quick = replace(SMALL, hint_retention=30)
    told = plan(pair, RS, T, quick, 3650 * DAY)
    assert MOST_STEPS <= len(told.steps) < MOST_STEPS + 9
    assert (told.whole, told.until) == (False, told.steps[-1].at)


def kinds(records, now, algorithms=RS, seals=WHOLE):
    return [risk.kind for risk in find(records, algorithms, now, POLICY, seals)]


@pytest.fixture
async def pair(store):
    return await ensure(store, vault(), POLICY, T)


@pytest.fixture
def tool(store):
    return Rotation(store, vault(), POLICY)


async def test_a_quiet_store_is_not_at_risk(store, pair):
    """A ready successor, nothing due: nothing is said."""
    assert kinds(pair, T + 5) == []


async def test_a_successor_that_caches_still_learn_is_a_risk(store, pair, tool):
    """For as long as its lead lasts; the pause an emergency would bring is said."""
    await tool.rotate_now(T + 100)
    records = await store.all()
    (risk,) = find(records, RS, T + 200, POLICY)
    assert (risk.kind, risk.until, risk.seconds) == (
        "successor-unknown",
        T + 100 + POLICY.lead,
        POLICY.lead - 100,
    )
    assert "successor-unknown" not in kinds(records, T + 100 + POLICY.lead)


async def test_any_successor_that_caches_know_will_do(store, pair, tool):
    """A key imported to sign next is new to caches, the one behind it is not: no risk."""
    await adopt(tool, "RS256", drawer()[-1], T + 100)
    assert kinds(await store.all(), T + 101) == []


async def test_a_missing_successor_is_a_risk_and_soon_overdue(pair):
    """A change-over just now is nothing; one that nobody followed up says that nobody is there."""
    assert kinds(pair, T + P) == ["no-successor"]
    assert kinds(pair, T + P + POLICY.grace + POLICY.skew) == ["overdue", "no-successor"]
    assert kinds(pair, T + 2 * P + POLICY.lead + 1) == ["overdue", "overrun", "no-successor"]


async def test_what_nobody_does_is_overdue(pair):
    """Whatever it is, here a private half to erase, and whichever algorithm is just switched on."""
    spent = replace(pair[0], sealed=b"x", signs_from=T - P)
    waits = replace(pair[1], kid="waits", predecessor=pair[1].kid, signs_from=T + P)
    records = (spent, replace(pair[1], signs_from=T), waits)
    late = T + POLICY.grace + POLICY.skew
    assert "overdue" not in kinds(records, 2 * late - T - 1)
    assert kinds(records, 2 * late - T) == ["overdue"]
    assert kinds(records, 2 * late - T, ("ES256", "RS256")) == ["no-keys", "overdue"]


async def test_a_revoked_key_is_a_risk_until_no_cache_trusts_it(store, pair, tool):
    """And where no heir is ready, that nothing signs."""
    await tool.revoke(pair[0].kid, "x", T + 100)
    records = await store.all()
    assert kinds(records, T + 101) == ["revoked-trusted", "successor-unknown"]
    assert kinds(records, T + 100 + POLICY.lead) == []
    await tool.revoke(pair[1].kid, "x", T + 110)
    risks = find(await store.all(), RS, T + 111, POLICY)
    assert [r.kind for r in risks] == ["nothing-signs", "revoked-trusted", "revoked-trusted"]
    assert risks[0].until == T + 100 + POLICY.lead


async def test_keys_of_an_algorithm_that_is_off_are_a_risk(store, pair):
    """Nobody makes successors of theirs any more; pruning ends it."""
    both = ("RS256", "ES256")
    records = await ensure(store, vault(), POLICY, T + 1, algorithms=both)
    assert kinds(records, T + POLICY.lead + 1, both) == []
    assert kinds(records, T + POLICY.lead + 1) == ["switched-off", "switched-off"]
    await prune(Rotation(store, vault(), POLICY), T + 2)
    assert kinds(await store.all(), T + 2) == []


async def test_how_private_halves_are_sealed_is_a_risk(store, pair):
    """Sealed with a secret that is about to go, or one that is gone."""
    assert look_at_seals(pair, vault()) == Seals()
    behind = look_at_seals(pair, vault(OTHER_SECRET, SECRET))
    assert kinds(pair, T + 5, seals=behind) == ["stale-seal", "stale-seal"]
    shut = look_at_seals(pair, vault(OTHER_SECRET))
    (first, _) = find(pair, RS, T + 5, POLICY, shut)
    assert (first.kind, first.why) == (
        "unopenable",
        "it is sealed with a secret that is not configured",
    )
    await store.apply(Replace(pair[0], replace(pair[0], sealed=b"cut")))
    damaged = look_at_seals(await store.all(), vault())
    assert damaged.broken == {pair[0].kid: "its sealed private half is cut short"}


async def test_a_key_made_elsewhere_that_leaves_soon_is_a_risk(store, pair, tool):
    """A week before, or the last quarter of a shorter stay."""
    fresh = make("ES256")
    await trust(tool, "ES256", named(fresh), T, T + 8 * DAY)
    records = await store.all()
    assert kinds(records, T + 6 * DAY - 1) == []
    assert kinds(records, T + 6 * DAY) == ["leaves-soon"]


async def test_an_algorithm_just_switched_on_has_no_keys_yet(store, pair):
    """That is said; that its first key waits for the caches is not a failure."""
    both = ("RS256", "ES256")
    assert kinds(pair, T + 5, both) == ["no-keys"]
    records = await ensure(store, vault(), POLICY, T + 5, algorithms=both)
    assert kinds(records, T + 6, both) == []
