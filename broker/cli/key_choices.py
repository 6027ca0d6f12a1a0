"""What commands about keys are told in the same way: which key, which algorithm, how long."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.running import Exit, Failure

if TYPE_CHECKING:
    from broker.app.settings import Settings
    from keys.model import KeyRecord

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's identifier, or its beginning.")]
Algorithm = Annotated[
    str | None,
    typer.Option(metavar="ALG", help="One signature algorithm alone. Default: all that are on."),
]

Passphrase = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="File with the passphrase of an encrypted private key."
    ),
]

SHORTEST: Final = 4
"""A beginning of a `kid` that is shorter names no key."""


def chosen(algorithm: str | None, settings: "Settings") -> tuple[str, ...]:
    """Return the algorithms that are meant: the one named, else all that are on.

    Raises:
        Failure: it is none of ours, or is off.
    """
    from keys.algorithms import ALGORITHMS

    if algorithm is None:
        return settings.algorithms
    if algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise Failure(Exit.USAGE, f"{algorithm} is no algorithm of ours; there are {known}")
    if algorithm not in settings.algorithms:
        raise Failure(Exit.REFUSED, f"{algorithm} is switched off; see BROKER_SIGNING_ALGORITHMS")
    return (algorithm,)


def seconds(option: str, text: str) -> float:
    """Return a length of time that an option was given, in seconds.

    Raises:
        Failure: it is none, or is nothing.
    """
    from broker.core import durations

    try:
        found = float(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{option} {text}: {error}") from None
    if found <= 0:
        raise Failure(Exit.USAGE, f"{option} {text}: it must be more than nothing")
    return found


def named(records: "tuple[KeyRecord, ...]", kid: str) -> "KeyRecord":
    """Return the key that is meant.

    Raises:
        Failure: there is none, or several begin like that.
    """
    meant = [one for one in records if one.kid == kid] or [
        one for one in records if len(kid) >= SHORTEST and one.kid.startswith(kid)
    ]
    if len(meant) > 1:
        raise Failure(Exit.USAGE, f"several keys begin with {kid}")
    if not meant:
        raise Failure(Exit.NOT_FOUND, f"there is no signing key {kid}")
    return meant[0]


def contents(file: Path) -> bytes:
    """Return what a file holds, or standard input for ``-``: a little more than a key may take.

    Raises:
        Failure: it cannot be read.
    """
    from keys.files import LARGEST

    if str(file) == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{file} cannot be read: {error.strerror}") from None


def passphrase_in(file: Path) -> bytes:
    """Return the passphrase that a file holds; the end of its line does not count.

    Raises:
        Failure: it cannot be read, or is empty.
    """
    words = contents(file).rstrip(b"\r\n")
    if not words:
        raise Failure(Exit.USAGE, f"{file} holds no passphrase")
    return words
