"""The ``broker`` command."""

import sys


def main() -> None:
    """Run the command line; never returns."""
    from broker.cli.commands import command_line

    command_line(*sys.argv[1:2])(prog_name="broker")
