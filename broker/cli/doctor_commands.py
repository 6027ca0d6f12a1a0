"""``broker doctor``."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import findings as shown
from broker.cli import looking, show
from broker.cli.doctor_installation import installation
from broker.cli.running import Exit, Failure, reported

if TYPE_CHECKING:
    from broker.doctor.fetching import Fetcher
    from broker.doctor.model import Clock, Evidence, Section

app = typer.Typer()
app.callback(invoke_without_command=True)(installation)


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
    ca_file: looking.CaFile = None,
    timeout: looking.Timeout = 10.0,
    strict: looking.Strict = False,
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
        seconds = _seconds(watch)
        received = looking.received("--token-file", token_file)
        clock = SystemClock()
        fetcher = Fetcher(clock, timeout=timeout, trust=looking.trust(ca_file))
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
            show.document(looking.document(evidence, sections))
        looking.leave(evidence, sections, strict=strict, json=json)


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


def _seconds(text: str | None) -> float:
    from broker.core import durations

    if text is None:
        return 0.0
    try:
        return float(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--for {text}: {error}") from None
