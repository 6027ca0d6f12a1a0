"""What a run found, for people."""

import re
import time
from collections.abc import Iterator
from typing import Any

from tests.clients.rotation.tally import Judge, Killed, Tally

HEAD = """\
Verifier   verified  refused  expired  revoked   copies   age when judging  age when replaced
                                first    key's     kept    median     most    least      most"""
SHOWN = 10
SHORT = 8
KID = re.compile(r"[\w-]{43}")


def report(tally: Tally, seconds: float, about: str) -> str:
    """Return the report.

    Args:
        tally: what came of the run.
        seconds: how long it took.
        about: one line: what was run.
    """
    parts = (
        (about,),
        _requests(tally, seconds),
        _keys(tally),
        _judges(tally),
        _operations(tally),
        _failures(tally),
    )
    return "\n\n".join("\n".join(part) for part in parts)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 10 % 10)}"


def _requests(tally: Tally, seconds: float) -> Iterator[str]:
    failed = sum(1 for failure in tally.failures if failure.startswith("request"))
    lifetimes = ", ".join(f"{age} s {times:,} times" for age, times in tally.lifetimes.items())
    rate = tally.requests / seconds
    yield f"Refreshes   {tally.requests:,} answered in {seconds:.0f} s ({rate:.0f}/s)"
    yield f"            {failed} requests failed"
    yield f"            {tally.repeated} sent again after a killed worker had cut their connection"
    yield f"JWKS        looked at {tally.looks:,} times; max-age was {lifetimes}"


def _keys(tally: Tally) -> Iterator[str]:
    tokens = sum(signed.tokens for signed in tally.signed.values())
    yield f"{tokens:,} tokens were signed by {len(tally.signed)} keys:"
    for kid, signed in sorted(tally.signed.items(), key=lambda one: one[1].first):
        revoked = "  revoked" if kid == tally.revoking else ""
        span = f"{_clock(signed.first)} to {_clock(signed.last)}"
        yield f"  {kid[:SHORT]}  {signed.tokens:6,} tokens  {span}{revoked}"


def _judges(tally: Tally) -> Iterator[str]:
    yield HEAD
    for name, judge in tally.judges.items():
        yield (
            f"{name:9}{judge.accepted:10,}{sum(judge.failed.values()):9,}{judge.late:9,}"
            f"{judge.of_revoked:9,}{len(judge.replaced) + 1:9,}{_ages(judge)}"
        )


def _ages(judge: Judge) -> str:
    if not judge.ages or not judge.replaced:
        return ""
    median = sorted(judge.ages)[len(judge.ages) // 2]
    least, most = min(judge.replaced), max(judge.replaced)
    return f"{median:8.2f} s{max(judge.ages):7.2f} s{least:7.2f} s{most:8.2f} s"


def _operations(tally: Tally) -> Iterator[str]:
    done = [(kill.at, _killed(kill)) for kill in tally.kills]
    done += [(at, _changed(words, outcome)) for at, words, outcome in tally.changes]
    for at, what in sorted(done):
        yield f"{_clock(at)}  {what}"
    revoked = tally.revocation
    if revoked is None:
        return
    yield f"From the end of that command on the revoked key has {revoked.bound:g} s to vanish:"
    if signed := tally.signed.get(revoked.kid):
        yield f"  its last token came {signed.last - revoked.done:+.2f} s"
    named = tally.named_last
    last = "never" if named is None else f"for the last time {named - revoked.done:+.2f} s"
    yield f"  the JWKS named it {last}"


def _killed(kill: Killed) -> str:
    what = f"worker {kill.pid} killed, which held {kill.connections} connections; "
    if kill.back_after is None:
        return f"{what}it was not replaced"
    return f"{what}another answered after {kill.back_after:.1f} s"


def _changed(words: str, outcome: dict[str, Any]) -> str:
    said = outcome.get("refused") or f"{outcome['happened']} {outcome['then']}"
    return f"keys {_short(words)}: {_short(said)}"


def _short(text: str) -> str:
    """Return a text with the keys' identifiers cut short."""
    return KID.sub(lambda kid: kid[0][:SHORT], text)


def _failures(tally: Tally) -> Iterator[str]:
    if not tally.failures:
        yield "No request failed, and no token of a live key was refused."
        return
    yield f"{len(tally.failures):,} FAILURES"
    yield from (f"  {failure}" for failure in tally.failures[:SHOWN])
    if len(tally.failures) > SHOWN:
        yield f"  and {len(tally.failures) - SHOWN:,} more"
