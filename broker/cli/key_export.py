"""``broker keys export``."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import key_reports as reports
from broker.cli.key_choices import Passphrase, named, passphrase_in
from broker.cli.key_words import SHORT
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.model import KeyRecord


class Writing(StrEnum):
    """How a key is written."""

    PEM = "pem"
    JWK = "jwk"
    JWKS = "jwks"


def export(
    kid: Annotated[
        str | None,
        typer.Argument(metavar="KID", help="The key, or its beginning. Default: all of the JWKS."),
    ] = None,
    *,
    form: Annotated[
        Writing | None,
        typer.Option("--format", help="How to write it. Default: pem for one key, jwks for all."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A new file to write; - is standard output."),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="The private half, too. You are asked once more.")
    ] = False,
    sure: Annotated[
        bool,
        typer.Option("--yes-private-really", help="The second yes to --private, for scripts."),
    ] = False,
    passphrase_file: Passphrase = None,
) -> None:
    """Write public keys, or one private key where you ask twice.

    Public halves go to standard output unless --output names a new file.

    A private half needs --private and a second yes: on a terminal you type the beginning of the
    key, in a script you give --yes-private-really. It goes into the new file that --output names,
    readable by its owner alone, or to standard output where you say --output -. With
    --passphrase-file it is encrypted (PEM). Whoever has it can sign as this broker until the key
    is revoked; that it left is written to the audit log before it does.

    Exit code 4 where the private half was erased, or is in an HSM that gives it to nobody.
    """
    with reported():
        _check_wish(kid, form, output, private=private, sealed=passphrase_file is not None)
        secret = None if passphrase_file is None else passphrase_in(passphrase_file)
        if private and not sure:
            _ask_again(kid or "")

    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> bytes:
        from keys import policy as rules

        records = await stores.keys.all()
        if kid is None:
            shown = rules.published(records, clock.now(), settings.key_policy)
            return _public(shown, form or Writing.JWKS)
        record = named(records, kid)
        if not private:
            return _public((record,), form or Writing.PEM)
        written = _private(record, stores, form or Writing.PEM, secret)
        await reports.remember(stores, clock, "keys.export-private", {"kid": record.kid})
        return written

    written = with_stores(work)
    with reported():
        _write(written, output)


def _check_wish(
    kid: str | None, form: Writing | None, output: Path | None, *, private: bool, sealed: bool
) -> None:
    if kid is None and form is Writing.PEM:
        raise Failure(Exit.USAGE, "PEM holds one key; name it, or use --format jwks")
    if kid is None and form is Writing.JWK:
        raise Failure(Exit.USAGE, "a JWK is one key; name it, or use --format jwks")
    if sealed and not (private and form in {None, Writing.PEM}):
        raise Failure(Exit.USAGE, "--passphrase-file is for --private in PEM")
    if output is not None and str(output) != "-" and output.exists():
        raise Failure(Exit.REFUSED, f"{output} is there already; it is not overwritten")
    if not private:
        return
    if kid is None or form is Writing.JWKS:
        raise Failure(Exit.USAGE, "--private writes one key: name it, as pem or jwk")
    if output is None:
        raise Failure(
            Exit.USAGE,
            "say where the private key goes: --output FILE, or --output - for the screen",
        )


def _ask_again(kid: str) -> None:
    """Ask for the second yes.

    Raises:
        Failure: It was not given, or nobody is there to give it.
    """
    if not sys.stdin.isatty():
        raise Failure(Exit.REFUSED, "a private key is asked for twice: add --yes-private-really")
    typer.echo("Whoever has the private half can sign as this broker until the key is revoked.")
    typed = typer.prompt(f"Type {kid[:SHORT]} to write it")
    if typed.strip() != kid[:SHORT]:
        raise Failure(Exit.REFUSED, "that is not it; nothing was written")


def _public(records: "tuple[KeyRecord, ...]", form: Writing) -> bytes:
    from keys import files

    if form is Writing.JWKS:
        return files.jwks(records)
    writes = {Writing.PEM: files.public_pem, Writing.JWK: files.jwk}[form]
    return b"".join(writes(record) for record in records)


def _private(
    record: "KeyRecord", stores: "Stores", form: Writing, passphrase: bytes | None
) -> bytes:
    from keys import files

    if record.sealed is None:
        raise Failure(
            Exit.REFUSED, f"the private half of key {record.kid} was erased, or never here"
        )
    half = stores.vault.reveal(record)
    return files.jwk(record, half) if form is Writing.JWK else files.private_pem(half, passphrase)


def _write(data: bytes, output: Path | None) -> None:
    """Write to a file that is not there yet, for its owner alone; else to standard output."""
    if output is None or str(output) == "-":
        typer.echo(data.decode(), nl=False)
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(Exit.REFUSED, f"{output} is there already; it is not overwritten") from None
    except OSError as error:
        raise Failure(Exit.FAILED, f"{output} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    typer.echo(f"Written to {output}, for its owner alone.", err=True)
