"""``broker doctor`` without a further word: this installation."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from broker.cli import findings as shown
from broker.cli import show
from broker.cli.running import Exit, embedded_or, reported


def installation(
    context: typer.Context,
    *,
    outside: Annotated[
        bool,
        typer.Option(
            "--outside/--no-outside", help="Whether to ask the public address as well.", metavar=""
        ),
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings as well.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Look at this installation: settings, Redis, SQL, keys, Discord and the public address.

    ✓ right, ! risky, ✗ wrong; the last two with the cure (→). Changes nothing.

    Exit codes: 0 right or risky, 1 something is wrong (with --strict: or risky).

    The commands below look at any deployment from outside, and need no settings.
    """
    if context.invoked_subcommand is not None:
        return
    with reported():
        from broker.app.loading import load
        from broker.app.settings import Settings
        from broker.app.sources import unknown_variables
        from broker.cli.quiet import quiet
        from broker.doctor.examine import worst
        from broker.doctor.installation import begun, look
        from broker.doctor.model import Verdict

        settings = load()
        quiet(settings)
        with embedded_or(settings, needed=begun(settings)) as redis_url:
            unknown = unknown_variables(Settings)
            sections = asyncio.run(look(settings, redis_url, unknown, outside=outside))
        verdict = worst(sections)
        if json:
            checks = [{"section": s.title, **asdict(one)} for s in sections for one in s.findings]
            counts = shown.counts(sections)
            show.document({"verdict": verdict, "counts": counts, "checks": checks})
        else:
            shown.tell(settings.public_issuer, sections)
            shown.summary(sections)
        if verdict is Verdict.FAIL or (strict and verdict is Verdict.WARN):
            raise typer.Exit(Exit.FAILED)
