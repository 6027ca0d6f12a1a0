"""Keys in time: several processes, an operator and every cache there could be, under all faults.

Time is real time; each process and the operator see it through a clock of their own. Instead of
sampling verifiers, the model keeps every JWKS that any process handed out for as long as it
allowed, and holds every token against all of them: the worst verifier is always among these.
"""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from keys_helpers import START, KeyDrawer, MemoryKeyStore, Witness, vault

from keys import policy as rules
from keys.errors import KeysError, KeyStoreUnavailable, NoSigningKey, StaleKeyring
from keys.importing import adopt
from keys.keyring import Keyring
from keys.policy import Policy
from keys.rotation import Rotation

TIMES = {
    "period": 120.0,
    "cache_lifetime": 40.0,
    "poll_interval": 4.0,
    "skew": 8.0,
    "longest_token": 20.0,
    "hint_retention": 60.0,
}
PROCESSES = 3
EPSILON = 1e-6


class NoLead(Policy):
    """A policy that lets a key sign the moment it is published."""

    __slots__ = ()
    lead = 0.0


class NoOverlap(Policy):
    """A policy that withdraws a key the moment it stops signing."""

    __slots__ = ()
    overlap = 0.0


class Crash(KeyStoreUnavailable):
    """The process died here."""


class Access:
    """One process's way to the shared store: may be cut, may die before or after a commit."""

    def __init__(self, store: MemoryKeyStore) -> None:
        self._store = store
        self.cut = False
        self.dies: str | None = None

    async def all(self):
        if self.cut:
            raise KeyStoreUnavailable("cut off")
        await asyncio.sleep(0)  # others may come between reading and writing
        return await self._store.all()

    async def apply(self, *changes) -> None:
        await asyncio.sleep(0)
        dies, self.dies = self.dies, None
        if self.cut or dies == "before":
            raise Crash
        await self._store.apply(*changes)
        if dies == "after":
            raise Crash


class Channel:
    """One process's way to the witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.cut = False

    async def revoked_kids(self):
        if self.cut:
            raise KeyStoreUnavailable("cut off")
        return await self._witness.revoked_kids()


class Process:
    def __init__(self, world: "World", offset: float) -> None:
        self.world, self.offset = world, offset
        self.access, self.channel = Access(world.store), Channel(world.witness)
        self.asleep = False
        self.start()

    def start(self) -> None:
        self.ring = Keyring(
            self.access,
            self.world.vault,
            self.world.policy,
            lambda: self.world.time + self.offset,
            self.channel,
            algorithms=self.world.algorithms,
        )
        self.loaded = False

    async def step(self) -> None:
        try:
            if not self.loaded:
                await self.ring.load()
                self.loaded = True
            else:
                await self.ring.refresh()
                await self.ring.maintain()
        except KeysError:
            return


offsets = st.sampled_from([-4.0, -3.9, 0.0, 1.3, 4.0])
processes = st.integers(0, PROCESSES - 1)


WHAT = ["rotate", "rotate_now", "revoke signing", "revoke next", "revoke", "import"]


class World(RuleBasedStateMachine):
    policy = Policy(**TIMES)
    algorithms = ("RS256", "ES256")

    def __init__(self) -> None:
        super().__init__()
        self.time = START
        self.loop = asyncio.new_event_loop()
        self.store, self.witness = MemoryKeyStore(), Witness()
        self.factory = KeyDrawer()
        self.vault = vault(factory=self.factory)
        self.copies: dict[frozenset[str], float] = {}
        self.tokens: dict[str, float] = {}
        self.operator_access = Access(self.store)

    def teardown(self) -> None:
        self.loop.close()

    def run_async(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    @initialize(shifts=st.lists(offsets, min_size=PROCESSES, max_size=PROCESSES))
    def begin(self, shifts) -> None:
        self.processes = [Process(self, shift) for shift in shifts]
        self.pass_time(1, 0.0)

    @rule(steps=st.integers(1, 14), pace=st.sampled_from([1.0, 2.0, 4.0]))
    def pass_time(self, steps: int, pace: float) -> None:
        for _ in range(steps):
            self.time += pace
            self.look()
            for process in self.processes:
                if not process.asleep:
                    self.run_async(process.step())
            self.look()

    @rule(who=processes, store=st.booleans(), witness=st.booleans(), asleep=st.booleans())
    def disturb(self, who: int, store: bool, witness: bool, asleep: bool) -> None:
        process = self.processes[who]
        process.access.cut, process.channel.cut, process.asleep = store, witness, asleep

    @rule(store=st.booleans(), witness=st.booleans())
    def disturb_all(self, store: bool, witness: bool) -> None:
        for who in range(PROCESSES):
            self.disturb(who, store, witness, asleep=False)

    @rule()
    def heal(self) -> None:
        self.disturb_all(store=False, witness=False)

    @rule(who=processes, offset=offsets)
    def restart(self, who: int, offset: float) -> None:
        self.processes[who].offset = offset
        self.processes[who].start()

    @rule(who=processes, dies=st.sampled_from(["before", "after"]))
    def crash_at_next_write(self, who: int, dies: str) -> None:
        self.processes[who].access.dies = dies

    @rule(
        what=st.sampled_from(WHAT),
        offset=offsets,
        dies=st.sampled_from([None, None, None, "before", "after"]),
        which=st.integers(0, 5),
        second=st.booleans(),
    )
    def operate(self, what: str, offset: float, dies: str | None, which: int, second: bool) -> None:
        alg = self.algorithms[-1 if second else 0]
        self.operator_access.dies = dies
        self.run_async(self._operate(what, offset, which, alg))
        self.operator_access.dies = None
        self.look()

    @rule(
        what=st.lists(st.sampled_from(WHAT), min_size=2, max_size=3),
        offsets=st.lists(offsets, min_size=3, max_size=3),
        which=st.integers(0, 5),
    )
    def operate_at_once(self, what: list[str], offsets: list[float], which: int) -> None:
        """Several operators, each on a clock of its own, while the processes do their rounds."""

        async def together() -> None:
            operators = (
                self._operate(one, offset, which, self.algorithms[0])
                for one, offset in zip(what, offsets, strict=False)
            )
            awake = (process.step() for process in self.processes if not process.asleep)
            await asyncio.gather(*operators, *awake)

        self.run_async(together())
        self.look()

    async def _operate(self, what: str, offset: float, which: int, alg: str) -> None:
        now = self.time + offset
        tool = Rotation(
            self.operator_access,
            self.vault,
            self.policy,
            self.witness.announce,
            self.algorithms,
        )
        try:
            if what.startswith("revoke"):
                await self._revoke(tool, what, which, now, alg)
            elif what == "import":
                await adopt(tool, alg, await self.factory(alg), now)
            else:
                await getattr(tool, what)(now, alg)
        except KeysError:
            return

    async def _revoke(self, tool: Rotation, what: str, which: int, now: float, alg: str) -> None:
        live = sorted(
            (r for r in await self.store.all() if r.revoked_at is None and r.alg == alg),
            key=lambda r: r.signs_from,
        )
        if what == "revoke signing":
            live = [r for r in live if r.signs_from <= now][-1:]
        elif what == "revoke next":
            live = live[-1:]
        if live:
            await tool.revoke(live[which % len(live)].kid, "test", now)

    # ── what must hold, at every moment ──

    def look(self) -> None:
        self._note_revocations()
        for process in self.processes:
            self._fetch(process)
            self._sign(process)
        self.copies = {kids: end for kids, end in self.copies.items() if end > self.time}
        self.tokens = {kid: end for kid, end in self.tokens.items() if end > self.time}
        # What was announced counts as revoked, even where the operator died before the commit.
        for kid in self.tokens.keys() - self._revoked.keys() - self.witness.marks:
            for kids in self.copies:
                assert kid in kids, f"a cached JWKS does not know {kid}"

    _revoked: dict[str, float]

    def _note_revocations(self) -> None:
        known = self.__dict__.setdefault("_revoked", {})
        for row in self.store.rows.values():
            if row.revoked_at is not None:
                known.setdefault(row.kid, self.time)

    def _fetch(self, process: Process) -> None:
        try:
            _, max_age = process.ring.jwks()
        except StaleKeyring:
            return
        if max_age > 0:
            kids = frozenset(process.ring.verification_keys())
            self.copies[kids] = max(self.copies.get(kids, 0.0), self.time + max_age)

    def _sign(self, process: Process) -> None:
        for alg in self.algorithms:
            try:
                kid = process.ring.signer(alg).kid
            except (StaleKeyring, NoSigningKey):
                continue
            self.tokens[kid] = self.time + self.policy.longest_token
            if kid in self._revoked:
                late = self.time - self._revoked[kid]
                assert late <= self.policy.grace + EPSILON, "a revoked key still signs"


class Plain(World):
    """A world with one algorithm: there what is broken shows soonest."""

    algorithms = ("RS256",)


def check(machine, examples: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


SCHEDULES = 3000 if os.environ.get("BROKER_TEST_LONG") == "1" else 40


@pytest.mark.timeout(3600 if SCHEDULES > 40 else 120)
def test_no_cache_ever_meets_an_unknown_key():
    """Whatever rotates, is revoked, crashes or is cut off, every honest verifier knows every key.

    And nothing is signed with a revoked key later than twice the polling interval after.
    """
    check(World, SCHEDULES, Phase.generate, Phase.shrink)


@pytest.mark.parametrize(
    "policy", [NoLead(**TIMES), NoOverlap(**TIMES)], ids=lambda p: type(p).__name__
)
def test_the_model_sees_what_a_wrong_policy_breaks(policy):
    """Without the lead, or without the overlap, the same model finds a verifier that fails."""
    machine = type("Broken", (Plain,), {"policy": policy})
    with pytest.raises(AssertionError, match="does not know"):
        check(machine, 200, Phase.generate)


def test_the_model_sees_a_successor_that_is_not_published(monkeypatch):
    """With a JWKS of the keys that sign or signed alone, the same model finds the failure."""
    whole = rules.published

    def hidden(records, now, policy):
        return tuple(r for r in whole(records, now, policy) if r.signs_from <= now)

    monkeypatch.setattr(rules, "published", hidden)
    with pytest.raises(AssertionError, match="does not know"):
        check(Plain, 200, Phase.generate)


def test_the_model_sees_a_process_that_signs_on(monkeypatch):
    """Without the bound on staleness, the same model finds a key used after its time."""
    monkeypatch.setattr(
        Keyring, "signer", lambda ring, alg="RS256": ring._window(alg, ring._clock.tick())[1]
    )
    with pytest.raises(AssertionError, match=r"revoked key|does not know"):
        check(Plain, 200, Phase.generate)
