"""``broker doctor``."""

import asyncio
import ssl
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli import findings as shown
from broker.cli import show
from broker.cli.running import Exit, Failure, reported

if TYPE_CHECKING:
    from broker.doctor.fetching import Fetcher
    from broker.doctor.model import Clock, Evidence, Section

# Characters; enough to say that it is longer than any token.
LONGEST_TOKEN: Final = 1 << 16

app = typer.Typer(
    help="Look at a deployment from outside: what is right, what is risky, and the cure.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keep the name of each command, even while there is one."""


@app.command("keys")
def keys(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The issuer, such as https://login.example.org.")
    ],
    *,
    connections: Annotated[
        int,
        typer.Option(min=1, max=100, help="Fresh connections to compare, over every address."),
    ] = 8,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge the token in this file as well; - reads standard input. Never shown.",
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="Go on watching, such as 10m."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="PEM file of a private authority to trust."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=120, help="Seconds to wait for an answer.")
    ] = 10.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings as well.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Look at a deployment's keys through its front door, as a service does.

    Proxies, CDNs and cache headers in between are part of what is judged:
    discovery, the JWKS and its keys, how long and by whom they are kept,
    whether every address and process gives the same ones.

    Needs no settings and no stores, and runs from any machine. It asks the
    deployment itself: proxies this machine is set to use are left aside.

    ✓ right, ! risky, ✗ wrong; the last two with the cure (→).

    With --token-file it tells why a service refuses a token: put it in a file
    or pipe it in, so that it stays out of the shell's history. With --for it
    goes on looking and tells each key that comes or goes, and by when every
    verifier knows.

    Exit codes: 0 right or risky, 1 something is wrong (with --strict: or
    risky), 2 wrong usage, 5 nothing answered.
    """
    with reported():
        from broker.app.clock import SystemClock
        from broker.doctor.fetching import Fetcher
        from broker.doctor.places import NotAnAddressError, issuer_of

        try:
            issuer = issuer_of(url)
        except NotAnAddressError as error:
            raise Failure(Exit.USAGE, f"{url}: {error}") from None
        seconds, received = _seconds(watch), _received(token_file)
        clock = SystemClock()
        fetcher = Fetcher(clock, timeout=timeout, trust=_trust(ca_file))
        look = _look(
            issuer,
            fetcher=fetcher,
            clock=clock,
            connections=connections,
            received=received,
            seconds=seconds,
            json=json,
        )
        evidence, sections = asyncio.run(look)
        if json:
            show.document(_document(evidence, sections))
        _leave(evidence, sections, strict=strict, json=json)


async def _look(
    issuer: str,
    *,
    fetcher: "Fetcher",
    clock: "Clock",
    connections: int,
    received: str | None,
    seconds: float,
    json: bool,
) -> "tuple[Evidence, tuple[Section, ...]]":
    """Look, tell, and go on watching where that is asked for."""
    from broker.doctor.examine import examine, unreachable
    from broker.doctor.gathering import gather
    from broker.doctor.model import Section
    from broker.doctor.watching import watch

    evidence = await gather(issuer, fetcher, clock.now(), connections=connections)
    if unreachable(evidence):
        return evidence, ()
    sections = examine(evidence, received)
    if not json:
        shown.tell(issuer, sections)
    answer = evidence.jwks_answer
    if not seconds or answer is None:
        return evidence, sections
    report = _silent if json else shown.line
    if not json:
        shown.heading("Through time")
    changes = await watch(answer, fetcher, clock, seconds, report)
    return evidence, (*sections, Section("Through time", changes))


def _silent(_finding: Any) -> None:
    """Tell nothing now: it stands in the document at the end."""


def _leave(
    evidence: "Evidence", sections: "Sequence[Section]", *, strict: bool, json: bool
) -> None:
    """Sum up and end with the exit code that says the same."""
    from broker.doctor.examine import unreachable, worst
    from broker.doctor.model import Verdict

    reason = unreachable(evidence)
    if reason:
        raise Failure(
            Exit.OUT_OF_REACH,
            f"{evidence.asked} cannot be reached: {reason}\n"
            "check the address and the way there (DNS, firewall, proxy), and that the broker runs",
        )
    if not json:
        shown.summary(sections)
    verdict = worst(sections)
    if verdict is Verdict.FAIL or (strict and verdict is Verdict.WARN):
        raise typer.Exit(Exit.FAILED)


def _document(evidence: "Evidence", sections: "Sequence[Section]") -> dict[str, Any]:
    from broker.doctor.examine import unreachable, worst

    reason = unreachable(evidence)
    return {
        "issuer": evidence.asked,
        "looked_at": show.stamp(evidence.at),
        "reachable": reason is None,
        "reason": reason,
        "verdict": "fail" if reason else worst(sections),
        "counts": shown.counts(sections),
        "checks": [
            {"section": section.title, **asdict(one)}
            for section in sections
            for one in section.findings
        ],
    }


def _seconds(text: str | None) -> float:
    from broker.core import durations

    if text is None:
        return 0.0
    try:
        return float(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--for {text}: {error}") from None


def _received(source: Path | None) -> str | None:
    """Return the token to judge; it comes by file or standard input, never by the command line."""
    if source is None:
        return None
    if str(source) == "-":
        return sys.stdin.read(LONGEST_TOKEN)
    try:
        with source.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_TOKEN)
    except OSError as error:
        raise Failure(Exit.USAGE, f"--token-file {source}: {error.strerror}") from None


def _trust(ca_file: Path | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise Failure(
            Exit.USAGE, f"{ca_file}: no PEM certificates in it ({error.reason})"
        ) from None
