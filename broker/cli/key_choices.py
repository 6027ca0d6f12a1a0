"""What commands about keys are told in the same way: which key, which algorithm, how long."""

from typing import TYPE_CHECKING, Annotated

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

SHORTEST: int = 4


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
    from broker.app import durations

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
