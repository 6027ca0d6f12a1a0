"""For how long the JWKS is kept: a key is learned, and a revoked one trusted, that much later."""

from typing import Final

from broker.doctor import going_between
from broker.doctor.caching import age, control_of, expires_after, lifetime
from broker.doctor.model import Answer, Finding, fail, ok, quoted, warn
from broker.doctor.wording import span

SHORTEST: Final = 60.0
LONGEST: Final = 86400.0
SLACK: Final = 60.0
_OURS: Final = frozenset({"public", "max-age", "no-cache"})
_OVERTIME: Final = ("stale-while-revalidate", "stale-if-error")


def cache_control(answer: Answer) -> Finding:
    """Judge that Cache-Control is there, public and of one mind."""
    control = control_of(answer)
    text = answer.header("cache-control")
    who = going_between.suspect(answer)
    if control is None:
        return fail(
            "Cache-Control",
            "missing: each verifier and proxy makes up its own lifetime (RFC 9111 §4.2.2)",
            f"the broker sends one: let {who} hand it on",
        )
    if control.contradicts:
        cure = f"one Cache-Control, as the broker writes it: {who} adds another"
        return fail("Cache-Control", f"{quoted(text)} contradicts itself", cure)
    if "private" in control:
        cure = f"it is for everybody: let {who} hand on the broker's `public, max-age=…`"
        return warn("Cache-Control", f"{quoted(text)}: no shared cache may keep it", cure)
    added = sorted(control.names - _OURS)
    if added:
        told = f"{quoted(text)}: {', '.join(added)} not written by the broker but by {who}"
        return ok("Cache-Control", told)
    if "public" not in control and lifetime(answer):
        cure = f"say public, as the broker does; {who} seems to rewrite it"
        return warn("Cache-Control", f"{quoted(text)}, without public", cure)
    return ok("Cache-Control", quoted(text))


def duration(answer: Answer) -> Finding:
    """Judge the lifetime: long enough to be kept, short enough for a revoked key to end."""
    seconds = lifetime(answer)
    if seconds is None:
        cure = "set BROKER_JWKS_CACHE, and let the proxy hand on what the broker sends"
        return fail("lifetime", "none said", cure)
    if seconds == 0:
        return warn(
            "lifetime",
            "not to be kept: every verification may come to the broker",
            "the broker says no-cache when it has lost its key store: see /readyz; "
            "else the proxy rewrites Cache-Control",
        )
    seen = f"verifiers keep it for {span(seconds)}"
    if seconds < SHORTEST:
        return warn("lifetime", seen, "raise BROKER_JWKS_CACHE: verifiers ask very often")
    if seconds > LONGEST:
        cure = "lower it to an hour or less (BROKER_JWKS_CACHE, or the proxy that rewrites it)"
        return warn("lifetime", f"{seen}: a revoked key is trusted that long", cure)
    return ok("lifetime", f"{seen}; so long is a revoked key trusted at the most")


def by_staleness(answer: Answer) -> tuple[bool, bool, float]:
    """Return what orders stored copies, the worst last: overdue, of hidden age, old."""
    spent = (age(answer) or 0.0) - (lifetime(answer) or 0.0)
    hidden = age(answer) is None and going_between.from_cache(answer)
    return age(answer) is not None and spent > 0, hidden, spent


def overtime(answer: Answer) -> Finding | None:
    """Judge directives that let caches serve it beyond its lifetime; None where there are none."""
    control = control_of(answer)
    if control is None:
        return None
    keep = control.seconds("max-age") or 0.0
    told = [f"{name} {span(control.seconds(name) or 0)}" for name in _OVERTIME if name in control]
    shared = control.seconds("s-maxage")
    if shared is not None and shared > keep:
        told.append(f"s-maxage {span(shared)} beyond max-age {span(keep)}")
    if not told:
        return None
    return warn(
        "overtime",
        f"caches may serve old copies: {', '.join(told)}",
        f"take it out ({going_between.suspect(answer)} adds it): "
        "a new key may sign before a copy served that late knows it",
    )


def stored(answer: Answer) -> Finding:
    """Judge Age (RFC 9111 §5.1): what a shared cache hands out is within its lifetime."""
    seconds, keep, who = age(answer), lifetime(answer), going_between.suspect(answer)
    if seconds is None:
        return _without_age(answer, who)
    if keep is not None and seconds > keep:
        return fail(
            "Age",
            f"a copy {span(seconds)} old, {span(seconds - keep)} beyond its {span(keep)}",
            f"{who} serves beyond max-age: stop it (nginx: proxy_cache_valid, "
            "proxy_cache_use_stale; a CDN: its minimum or edge TTL) and purge the copy",
        )
    if keep is None or seconds == 0:
        return ok("Age", f"{span(seconds)} in a shared cache")
    return ok(
        "Age",
        f"{span(seconds)} of {span(keep)} in a shared cache; a verifier that overlooks Age "
        f"keeps this copy until it is {span(seconds + keep)} old",
    )


def _without_age(answer: Answer, who: str) -> Finding:
    if not going_between.from_cache(answer):
        return ok("Age", "none: not from a shared cache, as far as it says")
    return warn(
        "Age",
        "a shared cache answered and does not say how old its copy is (RFC 9111 §5.1)",
        f"{who} makes every lifetime up to twice as long: do not cache the JWKS there "
        "(nginx: proxy_cache off for /.well-known/), the broker answers it from memory",
    )


def expires(answer: Answer) -> Finding | None:
    """Judge Expires against max-age: older caches read only that; None where there is none."""
    told = expires_after(answer)
    if told is None:
        return None
    keep = lifetime(answer) or 0.0
    if abs(told - keep) > SLACK and (told or keep):
        cure = f"drop Expires, or let it agree: {going_between.suspect(answer)} adds it"
        return warn("Expires", f"{span(told)} after Date, and max-age says {span(keep)}", cure)
    return ok("Expires", "agrees with max-age")
