"""``broker keys import``."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import key_reports as reports
from broker.cli import show
from broker.cli.key_choices import Passphrase, chosen, contents, passphrase_in, seconds
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.files import KeyFile
    from keys.outcome import Outcome


class Reading(StrEnum):
    """How a key file is read."""

    AUTO = "auto"
    PEM = "pem"
    JWK = "jwk"


def import_key(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            allow_dash=True,
            help="The key, in PEM or as a JWK; - reads standard input.",
        ),
    ],
    *,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="ALG", help="What it signs with. Default: what the file says or fits."
        ),
    ] = None,
    stay: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", help="How long a public key verifies, such as 30d."
        ),
    ] = None,
    form: Annotated[Reading, typer.Option("--format", help="How to read the file.")] = Reading.AUTO,
    passphrase_file: Passphrase = None,
    json: show.Json = False,
) -> None:
    """Take in a key made elsewhere: a private one signs next, a public one only verifies.

    A private key (PKCS #8, PKCS #1 or SEC 1 in PEM, or a JWK) is published at once and becomes the
    next to sign: at the planned change-over, or once every cache knows it, whichever is later. The
    successor that waits stays published and signs after it. To sign with it sooner:
    broker keys rotate.

    A public key is published for as long as --for says, and never signs. So tokens of the issuer
    you move from stay good while they live.

    A key is named by its RFC 7638 thumbprint here, whatever its file calls it.

    Exit code 4 for a key that is weak, not for signatures, there already or was revoked, and
    where an HSM takes in none.
    """
    with reported():
        data = contents(file)
        secret = None if passphrase_file is None else passphrase_in(passphrase_file)

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[Outcome, KeyFile]":
        from keys.importing import adopt, trust

        found = _read(data, form, algorithm, settings, secret)
        tool, now = stores.rotation(settings), clock.now()
        if found.private is not None:
            if stay is not None:
                raise Failure(
                    Exit.USAGE, "--for is for public keys; this one is private, and signs"
                )
            outcome = await adopt(tool, chosen(found.alg, settings)[0], found.private, now)
        else:
            if stay is None:
                raise Failure(
                    Exit.USAGE, "it is a public key; say how long it verifies, such as --for 30d"
                )
            jwk = found.public_jwk | {"kid": found.kid}
            outcome = await trust(tool, found.alg, jwk, now, now + seconds("--for", stay))
        await reports.remember_outcome(stores, clock, outcome)
        return outcome, found

    outcome, found = with_stores(work)
    renamed = found.named not in {None, found.kid}
    if json:
        facts = {"alg": found.alg, "named": found.named}
        show.document(reports.outcome_facts(outcome) | facts)
        return
    reports.tell_outcome(outcome)
    if renamed and found.private is None:
        typer.secho(
            f"Its file calls it {found.named}. Tokens that name it so are not matched by verifiers "
            f"that look for that kid in the JWKS: there it is {found.kid}.",
            fg="yellow",
            err=True,
        )


def _read(
    data: bytes,
    form: Reading,
    algorithm: str | None,
    settings: "Settings",
    secret: bytes | None,
) -> "KeyFile":
    """Read the file; ask for the passphrase where it needs one and somebody is there."""
    from keys.errors import PassphraseMissing
    from keys.files import read

    def attempt(passphrase: bytes | None) -> "KeyFile":
        return read(
            data,
            form=form.value,
            alg=algorithm,
            preferred=settings.algorithms,
            passphrase=passphrase,
        )

    try:
        return attempt(secret)
    except PassphraseMissing:
        if not sys.stdin.isatty():
            raise Failure(
                Exit.REFUSED, "the private key is encrypted; give --passphrase-file"
            ) from None
        return attempt(typer.prompt("Passphrase", hide_input=True).encode())
