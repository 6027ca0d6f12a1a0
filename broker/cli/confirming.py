"""Asking before something is done that cannot be undone: alike for every command that does such."""

import sys
from typing import Annotated

import typer

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def asks(*, yes: bool) -> bool:
    """Whether there is somebody to ask: on a terminal alone, a script means what it says."""
    return not yes and sys.stdin.isatty()


def sure(what: str, *, yes: bool) -> None:
    """Ask on standard error; a "no" ends the command with exit code 1, and nothing is done.

    Args:
        what: what would be done: ``Remove the app``.
        yes: whether ``--yes`` was given.
    """
    if asks(yes=yes):
        typer.confirm(f"{what}: are you sure?", abort=True, err=True)
