"""The refresh token against a model: a state machine with injected time on a real server."""

import asyncio
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broker.core.ports import GrantAlive, GrantRefused, Proof, Refusal, Rotation
from broker.stores.redis import RedisStores, connect
from tests.stores.redis_world import ACCOUNT, CLIENT, OTHER, SID, START, World

GRACE, IDLE, LIFETIME, SESSION = 10, 600, 2000, 1500
_numbers = count()


@dataclass
class Model:
    """What the grant should be; times are of the store's clock, which only goes forward."""

    offline: bool
    created: float
    expires: float
    idle: float
    seen: float
    generation: int = 1
    over: bool = False  # ended: every step answers UNKNOWN


class RefreshTokens(RuleBasedStateMachine):
    """Clients, thieves, logouts, clocks and fail-overs around one grant."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        client = connect(self.url)
        self.world = World(RedisStores(client, prefix=f"m{next(_numbers)}:"))
        self.spent: dict[int, float] = {}
        self.session_over = False
        self.session_seen = START
        self.version = 1
        self.disabled = False
        self.model = Model(offline=False, created=START, expires=START, idle=START, seen=START)
        self.gid = ""

    def run(self, step):
        return self.loop.run_until_complete(step)

    @initialize(offline=st.booleans(), bound=st.booleans())
    def begin(self, offline, bound) -> None:
        self.run(self.world.sign_in(expires_at=START + SESSION))
        scope, self.bound = "openid offline_access" if offline else "openid", bound
        lives = {"grant_lifetime": LIFETIME, "grant_idle": IDLE}
        self.used = self.proof()
        step = self.world.grant(scope=scope, proof=self.used, bind=bound, **lives)
        self.gid = self.run(step)
        self.model = Model(offline, START, START + LIFETIME, START + IDLE, START)

    @rule(seconds=st.sampled_from([0.001, 1, 5, 9.999, 10, 10.001, 60, 300, 599, 700]))
    def time_passes(self, seconds) -> None:
        self.world.now = round(self.world.now + seconds, 3)

    @rule(seconds=st.sampled_from([0.5, 5, 11, 400]))
    def clock_steps_back(self, seconds) -> None:
        self.world.now = round(max(self.world.now - seconds, START), 3)

    @rule(back=st.integers(0, 4))
    def refresh(self, back) -> None:
        """Present the current token, or one of those before it."""
        self.present(max(self.model.generation - back, 0))

    @rule(back=st.integers(0, 2), public=st.booleans())
    def refresh_where_rotation_is_off(self, back, public) -> None:
        """A token that is kept stays the live one; a public client's is spent all the same."""
        kept = not public or self.bound
        self.present(max(self.model.generation - back, 0), kept=kept, public=public)

    @rule(ahead=st.integers(1, 3))
    def refresh_after_lost_writes(self, ahead) -> None:
        self.present(self.model.generation + ahead)

    @rule()
    def refresh_by_another_client(self) -> None:
        answer = self.run(self.world.refresh(self.gid, 0, client_id=OTHER))
        wanted = Refusal.UNKNOWN if self.model.over else Refusal.FOREIGN
        assert answer == GrantRefused(wanted)

    @rule(thief=st.booleans(), back=st.integers(0, 2))
    def refresh_without_the_key(self, thief, back) -> None:
        """A thief has the token, and a key of its own or none (RFC 9449 §5)."""
        generation = max(self.model.generation - back, 0)
        if not self.bound:
            self.present(generation, proof=None)
            return
        given = Proof("thief", f"thief-{next(_numbers)}", 180) if thief else None
        answer = self.run(self.attempt(generation, proof=given))
        assert answer == GrantRefused(Refusal.UNKNOWN if self.model.over else Refusal.KEY)

    @rule(back=st.integers(0, 2))
    def refresh_with_a_used_proof(self, back) -> None:
        """A request seen on the way, sent again with any of the tokens: nothing is spent."""
        generation = max(self.model.generation - back, 0)
        answer = self.run(self.attempt(generation, proof=self.used))
        assert answer == GrantRefused(Refusal.UNKNOWN if self.model.over else Refusal.PROOF)

    @rule()
    def refresh_with_wider_scope(self) -> None:
        wanted = self.stopped() or Refusal.SCOPE
        answer = self.run(self.attempt(0, scope=("email",)))
        assert answer == GrantRefused(wanted)

    @rule(many=st.integers(2, 5))
    def refresh_in_parallel(self, many) -> None:
        """Several tabs at once: one successor."""

        async def all_at_once() -> list[GrantAlive | GrantRefused]:
            steps = (self.attempt(generation) for _ in range(many))
            return list(await asyncio.gather(*steps))

        generation = self.model.generation
        expected = self.expect(generation)
        answers = self.run(all_at_once())
        if isinstance(expected, Refusal):
            assert {a.reason for a in answers if isinstance(a, GrantRefused)} == {expected}
            return
        assert {a.grant.generation for a in answers if isinstance(a, GrantAlive)} == {
            generation + 1
        }
        assert len([a for a in answers if isinstance(a, GrantRefused)]) == 0

    @precondition(lambda self: not self.session_over)
    @rule()
    def sign_out(self) -> None:
        ended = self.run(self.world.stores.sessions.end(ACCOUNT, SID, now=self.world.now))
        took = not self.model.over and not self.model.offline
        assert ended.grants == (((self.gid, CLIENT),) if took else ())
        self.session_over = True
        self.model.over = self.model.over or not self.model.offline

    @rule()
    def revoke(self) -> None:
        if self.world.now > START + LIFETIME / 2:
            assert self.run(self.world.stores.grants.end(ACCOUNT, self.gid, CLIENT))
            self.model.over = True

    @rule()
    def switch_the_account(self) -> None:
        self.version += 1
        self.disabled = not self.disabled
        facts = replace(self.world.facts, version=self.version, disabled=self.disabled)
        self.run(self.world.stores.accounts.put_facts(ACCOUNT, facts))

    @invariant()
    def looking_agrees(self) -> None:
        if not self.gid:
            return
        reason = self.stopped()
        answer = self.run(self.world.look(self.gid))
        if reason:
            assert answer == GrantRefused(reason)
        else:
            assert isinstance(answer, GrantAlive)
            assert answer.grant.generation == self.model.generation

    def proof(self) -> Proof:
        """A proof of the client's key that nobody has used."""
        return Proof("key", f"proof-{next(_numbers)}", 180)

    def attempt(self, generation: int, **changes):
        given = {"grace": GRACE, "grant_idle": IDLE, "proof": self.proof()} | changes
        return self.world.refresh(self.gid, generation, **given)

    def present(
        self, generation: int, *, kept: bool = False, public: bool = False, **changes
    ) -> None:
        current = self.model.generation
        expected = self.expect(generation, kept=kept)
        rotate = not (kept or public)
        given = {"proof": self.proof()} | changes
        answer = self.run(self.attempt(generation, rotate=rotate, public=public, **given))
        if isinstance(expected, Refusal):
            ended = self.gid if expected is Refusal.REUSED else None
            assert answer == GrantRefused(expected, ended)
            return
        assert isinstance(answer, GrantAlive), (answer, expected, generation, current)
        assert (answer.rotation, answer.grant.generation) == (expected, self.model.generation)
        self.used = given["proof"] or self.used

    def stopped(self) -> Refusal | None:
        """Why nothing goes on for the grant; a look at it moves the time that was seen over."""
        model = self.model
        if model.over:
            return Refusal.UNKNOWN
        now = max(self.world.now, model.seen)
        if now >= model.expires or now >= model.idle:
            model.seen = now
            return Refusal.EXPIRED
        if not model.offline:
            now = max(now, self.session_seen)
            if self.session_over or now >= START + SESSION:
                self.session_seen = now
                return Refusal.NO_SESSION
        return Refusal.DISABLED if self.disabled else None

    def expect(self, generation: int, *, kept: bool = False) -> Refusal | Rotation:
        """What presenting a generation should answer; moves the model on."""
        reason = self.stopped()
        if reason:
            return reason
        model = self.model
        now = max(self.world.now, model.seen)
        if generation < model.generation:
            first = self.spent.get(generation)
            if first is not None and now - first <= GRACE + 0.0001:
                return Rotation.REPEATED
            model.over = True
            return Refusal.REUSED
        if kept and generation == model.generation:
            model.seen, model.idle = now, max(model.idle, min(now + IDLE, model.expires))
            return Rotation.KEPT
        rotation = Rotation.ROTATED if generation == model.generation else Rotation.ADOPTED
        self.spent[generation] = now
        model.generation = generation + 1
        model.seen = now
        model.idle = max(model.idle, min(now + IDLE, model.expires))
        return rotation

    def teardown(self) -> None:
        self.run(self.world.stores.close())
        self.loop.close()


def test_refresh_tokens_keep_to_the_model(bundled_redis_url: str) -> None:
    """At most one live token; grace, reuse, adoption, expiry, logout and clocks as designed."""
    machine = type("Machine", (RefreshTokens,), {"url": bundled_redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
