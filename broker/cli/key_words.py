"""What is said of keys: steps and risks as sentences, names short enough to read."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from broker.cli import show

if TYPE_CHECKING:
    from keys.risks import Risk
    from keys.steps import Step

SHORT: Final = 8
"""So many characters of a `kid` are shown; commands take them for the whole."""

KID_LENGTH: Final = 43
"""Of a SHA-256 thumbprint (RFC 7638)."""


def short(kid: str) -> str:
    """Return the beginning of a `kid`; other names stay as they are."""
    return kid[:SHORT] if len(kid) == KID_LENGTH else kid


def step(one: "Step", name: Callable[[str], str] = short) -> str:
    """Return what happens at a step, as a sentence without its full stop."""
    key = name(one.kid)
    if one.kind == "begins":
        return f"{key} takes over from {name(one.other)}" if one.other else f"{key} begins to sign"
    return f"{key} {_STEPS[one.kind]}"


_STEPS: Final = {
    "published": "is made and published",
    "known": "is known to every cache",
    "hastened": "is brought forward",
    "erased": "loses its private half",
    "leaves": "leaves the JWKS",
    "deleted": "is forgotten: no hint needs it",
}


def risk(one: "Risk", now: float) -> tuple[str, str]:
    """Return what is at risk, and what to do about it, a sentence each."""
    from keys.outcome import span

    facts = {
        "alg": one.alg,
        "key": short(one.kid or ""),
        "why": one.why or "",
        "pause": span(one.seconds or 0.0),
        "until": f"{show.stamp(one.until)} (in {span((one.until or now) - now)})",
        "since": f"{show.stamp(one.since)} ({span(now - (one.since or now))} ago)",
        "takes_over": f", which it does at {show.stamp(one.until)}" if one.until else "",
    }
    seen, cure = _RISKS[one.kind]
    return seen.format_map(facts), cure.format_map(facts)


_MAINTAIN: Final = "broker keys rotate --if-due"
_RISKS: Final[Mapping[str, tuple[str, str]]] = {
    "no-keys": (
        "There are no {alg} keys yet, so nothing can be signed with them.",
        f"Start the broker, which makes them, or run: {_MAINTAIN}.",
    ),
    "nothing-signs": (
        "Nothing signs with {alg}: its key was revoked before caches knew the successor.",
        "Wait: signing resumes by itself at {until}.",
    ),
    "unopenable": (
        "Key {key} cannot be opened: {why}. The broker does not start with it, and makes no keys.",
        "Give back the secret it was sealed with, or run: broker keys revoke {key}.",
    ),
    "revoked-trusted": (
        "Key {key} is revoked, but a cache may go on trusting it until {until}.",
        "Wait, or empty the caches of your services now: restart them.",
    ),
    "overdue": (
        "Nobody has done what is due for {alg} since {since} or longer: no server seems to run.",
        f"Start the broker, or let cron run: {_MAINTAIN}.",
    ),
    "overrun": (
        "Key {key} signs past its period, which ended at {since}.",
        f"Its successor has to take over{{takes_over}}; see that the broker runs, or: {_MAINTAIN}.",
    ),
    "no-successor": (
        "Key {key} has no successor: revoking it now would stop {alg} for {pause}.",
        f"A running broker makes one within seconds; without one, run: {_MAINTAIN}.",
    ),
    "successor-unknown": (
        "Successor {key} is still new to some caches: revoking now would stop {alg} for {pause}.",
        "Wait: it is known at {until}.",
    ),
    "leaves-soon": (
        "Key {key}, made elsewhere, leaves the JWKS at {until}; what it signed is refused then.",
        "Where that is too early, import it once more with a longer --for.",
    ),
    "switched-off": (
        "Key {key} is of {alg}, which is switched off: nobody looks after it.",
        "Once {alg} is off in every process, run: broker keys prune.",
    ),
    "stale-seal": (
        "Key {key} is not sealed with the first secret; dropping the other would lose it.",
        "Run: broker secrets rewrap.",
    ),
}
