"""The way in: address, TLS, redirects, speed, clock, who stands in between."""

from collections.abc import Iterable
from typing import Final

from broker.doctor import caching, going_between
from broker.doctor.model import (
    Answer,
    Finding,
    Look,
    Silence,
    Trip,
    counted,
    fail,
    ok,
    quoted,
    warn,
)
from broker.doctor.places import is_loopback, is_safe, origin
from broker.doctor.wording import span

SOON: Final = 14 * 86400.0
SLOW: Final = 1.0
TOO_SLOW: Final = 5.0
SKEW: Final = 30.0


def address(asked: str) -> Finding:
    """Judge the issuer's scheme: https, or plain http that does not leave the machine."""
    if asked.startswith("https://"):
        return ok("address", asked)
    if is_loopback(asked):
        return ok("address", f"{asked} (plain http, which is right on loopback alone)")
    return fail(
        "address",
        f"{asked} is plain http: anybody on the way can put in keys of their own",
        "serve it over https, and set BROKER_ISSUER to the https address",
    )


def certificate(answer: Answer, now: float) -> Finding | None:
    """Judge how long the server's certificate still lasts; None over plain http."""
    found = answer.certificate
    if found is None:
        return None
    left = found.ends_at - now
    seen = f"valid for another {span(left)}, issued by {quoted(found.issuer)}"
    if left < SOON:
        cure = "renew it now, and look at why it was not renewed by itself"
        return warn("TLS certificate", seen, cure)
    return ok("TLS certificate", seen)


def refused(silence: Silence) -> Finding:
    """Say what to do where no TLS connection came about."""
    cure = "every verifier stops here too: let the proxy speak TLS 1.2 or 1.3 on this port"
    if silence.reason.startswith("certificate"):
        cure = (
            "every verifier stops here too: install a certificate for this name with its whole "
            "chain (a private authority: --ca-file here, and the same in each verifier)"
        )
    return fail("TLS certificate", silence.reason, cure)


def redirects(name: str, trip: Trip) -> Finding:
    """Judge the redirects on the way to a document: many verifiers follow none."""
    if not trip.hops:
        return ok(name, "none on the way")
    places = [trip.hops[0].url, *(hop.header("location") or "?" for hop in trip.hops)]
    seen = f"{counted(len(trip.hops), 'redirect')}: {' → '.join(places)}"
    final = trip.end.url
    if not is_safe(final) or not all(is_safe(hop.url) for hop in trip.hops[1:]):
        return fail(name, seen, "a redirect leads to plain http: answer there and then, over https")
    if isinstance(trip.end, Answer) and 300 <= trip.end.status < 400:
        return fail(name, f"{seen}, and no end of it", "stop the redirects in front of the broker")
    if origin(final) != origin(trip.hops[0].url):
        cure = "a verifier must not follow this to another origin: answer at the first address"
        return fail(name, seen, cure)
    return warn(name, seen, "many verifiers follow none: answer at the first address itself")


def speed(name: str, looks: Iterable[Look]) -> Finding | None:
    """Judge the slowest answer, connecting included; None where nothing answered."""
    took = sorted(look.took for look in looks if isinstance(look, Answer))
    if not took:
        return None
    usual, slowest = took[(len(took) - 1) // 2], took[-1]
    seen = f"{usual * 1000:.0f} ms"
    if len(took) > 1:
        seen += f"; the slowest of {len(took)} took {slowest * 1000:.0f} ms"
    cure = "look at the proxy's and the broker's load: a verifier waits for it with a request"
    if slowest > TOO_SLOW:
        return fail(name, f"{seen}: verifiers give up (npm jose after 5 s)", cure)
    return warn(name, seen, cure) if slowest > SLOW else ok(name, seen)


def clock(answer: Answer) -> Finding:
    """Compare the server's Date, with the Age of a stored answer, to this machine's time."""
    made = caching.moment(answer.header("date") or "")
    if made is None:
        cure = "let the proxy send Date (RFC 9110 §6.6.1): caches count from it"
        return warn("clock", "no usable Date header", cure)
    # A Date has whole seconds, so half of one is what it is wrong by on average.
    off = answer.at - (made + 0.5 + (caching.age(answer) or 0.0))
    if abs(off) > SKEW:
        way = "behind" if off > 0 else "ahead of"
        return warn(
            "clock",
            f"the server's is {span(abs(off))} {way} this machine's",
            "set both by NTP: tokens seem expired or not yet valid where clocks differ",
        )
    return ok("clock", f"within {max(1.0, abs(off)):.0f} s of this machine's")


def in_between(*answers: Answer) -> Finding:
    """Name the proxies and caches that give themselves away in any answer. Only tells."""
    names = dict.fromkeys(name for one in answers for name in going_between.proxies(one))
    hints = dict.fromkeys(hint for one in answers for hint in going_between.hints(one))
    if not names:
        return ok("in between", "no proxy or cache gives itself away")
    return ok("in between", ", ".join(names) + (f" ({'; '.join(hints)})" if hints else ""))
