"""``broker doctor discord-provider``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from broker.cli import findings as shown
from broker.cli import looking, show
from broker.cli.running import Exit, Failure, reported


def discord_provider(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="The issuer as it is given to Discord, to the letter."),
    ],
    *,
    client_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The client id that is given to Discord."),
    ] = None,
    id_token: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge the ID token in this file as well; - reads standard input. Never shown.",
        ),
    ] = None,
    ca_file: looking.CaFile = None,
    timeout: looking.Timeout = 10.0,
    strict: looking.Strict = False,
    json: show.Json = False,
) -> None:
    """Tell whether Discord takes a deployment as OpenID provider, through its front door.

    Games on Discord's Social SDK name one under External Auth, so that people
    get a provisional account without one at Discord. Judged is all that
    Discord demands: the issuer's address, discovery and JWKS without a
    redirect, and, with --id-token, an ID token of the app that --client-id
    names.

    Needs no settings and no stores, and runs from any machine; run it from
    outside, where Discord comes from.

    ✓ right, ! risky, ✗ wrong; the last two with the cure (→).

    Exit codes: 0 right or risky, 1 something is wrong (with --strict: or
    risky), 2 wrong usage, 5 nothing answered.
    """
    with reported():
        from broker.app.clock import SystemClock
        from broker.doctor.fetching import Fetcher
        from broker.doctor.places import NotAnAddressError, configured
        from broker.doctor.provider import examine_provider, gather_provider

        try:
            issuer = configured(url)
        except NotAnAddressError as error:
            raise Failure(Exit.USAGE, f"{url}: {error}") from None
        received = looking.received("--id-token", id_token)
        clock = SystemClock()
        fetcher = Fetcher(clock, timeout=timeout, trust=looking.trust(ca_file))
        evidence, places = asyncio.run(gather_provider(issuer, fetcher, clock.now()))
        sections = examine_provider(
            evidence, places, issuer, client_id=client_id, received=received
        )
        if json:
            show.document(looking.document(evidence, sections))
        else:
            shown.tell(issuer, sections)
        looking.leave(evidence, sections, strict=strict, json=json)
