"""What came of a run."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.clients.verifiers.lines import EXPIRED

TOO_EARLY = 0.01  # seconds by which two clocks of one machine may read differently


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was received; times in epoch seconds.

    Attributes:
        kind: ``access_token`` or ``id_token``.
        text: the token.
        kid: the key that signed it.
        exp: when it expires.
        sent: when the request was sent that it answers.
    """

    kind: str
    text: str
    kid: str
    exp: float
    sent: float


@dataclass(slots=True)
class Signed:
    """What one key signed; times in epoch seconds."""

    first: float
    last: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation; times in epoch seconds.

    Attributes:
        kid: the key.
        asked: when the command was given; it was not revoked before.
        done: when the command had answered; it was revoked by then.
        heir: the key that signs instead.
        bound: within how many seconds of ``done`` every process has followed.
    """

    kid: str
    asked: float
    done: float
    heir: str | None
    bound: float

    @property
    def until(self) -> float:
        """From when on no process may use the key."""
        return self.done + self.bound


@dataclass(frozen=True, slots=True)
class Killed:
    """A worker that was killed.

    Attributes:
        at: when, in epoch seconds.
        pid: its number.
        connections: how many it held.
        back_after: after how many seconds another answered in its place; None where none did.
    """

    at: float
    pid: int
    connections: int
    back_after: float | None


@dataclass(slots=True)
class Judge:
    """What one verifier did.

    Attributes:
        accepted: tokens it verified.
        late: tokens that had expired when their turn came; nobody's promise.
        of_revoked: tokens of a revoked key that it refused, after the revocation.
        failed: refusals by reason.
        ages: of its copy at each judgement, in seconds.
        replaced: ages of its copies when it asked for others, in seconds.
        resets: connections cut while it asked.
    """

    accepted: int = 0
    late: int = 0
    of_revoked: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    ages: list[float] = field(default_factory=list)
    replaced: list[float] = field(default_factory=list)
    resets: int = 0


@dataclass(slots=True)
class Tally:
    """Everything that came of a run.

    Attributes:
        began: when, in epoch seconds.
        ended: when, in epoch seconds.
        requests: answered refreshes.
        repeated: requests whose connection a killed worker cut, which were sent again.
        looks: how often the JWKS was looked at from outside.
        lifetimes: the max-age values seen, and how often.
        signed: by key.
        judges: by name.
        killed_at: when a worker was last killed, in epoch seconds.
        kills: of workers.
        changes: commands about keys: when, which, what they answered.
        revocation: the one of the run.
        named_last: when the JWKS last named the revoked key after it was revoked.
        failures: every broken promise, in words.
        revoking: the key that is being or was revoked.
        revoking_since: when the command was given.
    """

    began: float = 0.0
    ended: float = 0.0
    requests: int = 0
    repeated: int = 0
    looks: int = 0
    lifetimes: Counter[int] = field(default_factory=Counter)
    signed: dict[str, Signed] = field(default_factory=dict)
    judges: dict[str, Judge] = field(default_factory=dict)
    killed_at: float = float("-inf")
    kills: list[Killed] = field(default_factory=list)
    changes: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    revocation: Revocation | None = None
    named_last: float | None = None
    failures: list[str] = field(default_factory=list)
    revoking: str | None = None
    revoking_since: float = 0.0

    def issued(self, token: Token, now: float) -> None:
        """Count a token that was issued; one of a key revoked long enough ago is a failure."""
        signed = self.signed.setdefault(token.kid, Signed(token.sent))
        signed.last, signed.tokens = now, signed.tokens + 1
        revoked = self.revocation
        if revoked and token.kid == revoked.kid and token.sent > revoked.until:
            self.failures.append(
                f"{token.kind} by revoked key {token.kid}, {token.sent - revoked.done:.2f} s after"
            )

    def published(self, kids: set[str], sent: float, lifetime: int) -> None:
        """Count a look at the JWKS; one that names a key revoked long enough ago is a failure."""
        self.looks += 1
        self.lifetimes[lifetime] += 1
        revoked = self.revocation
        if revoked is None or revoked.kid not in kids:
            return
        self.named_last = sent
        if sent > revoked.until:
            self.failures.append(
                f"the JWKS names revoked key {revoked.kid}, {sent - revoked.done:.2f} s after"
            )

    def judged(self, name: str, token: Token, said: dict[str, Any]) -> None:
        """Count a verdict; a live key's token that is refused is a failure."""
        judge = self.judges[name]
        if said["age"] is not None:
            judge.ages.append(said["age"])
        if said["ok"]:
            judge.accepted += 1
        elif said["why"] == EXPIRED and said["at"] >= token.exp:
            judge.late += 1
        elif token.kid == self.revoking and said["at"] >= self.revoking_since:
            judge.of_revoked += 1
        else:
            judge.failed[said["why"]] += 1
            age = "none" if said["age"] is None else f"{said['age']:.2f} s old"
            self.failures.append(
                f"{name} refuses a live {token.kind} of key {token.kid}: {said['why']} "
                f"(its copy: {age}; {said['at'] - token.sent:.2f} s after it was asked for)"
            )

    def fetched(self, name: str, age: float | None, allowed: float | None) -> None:
        """Count a verifier's question for a new copy; one before the old has ended is a failure."""
        if age is None or allowed is None:
            return
        self.judges[name].replaced.append(age)
        if age < allowed - TOO_EARLY:
            self.failures.append(f"{name} asked for the JWKS again after {age:.2f} s")
