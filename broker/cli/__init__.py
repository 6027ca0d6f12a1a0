"""The ``broker`` command."""


def main() -> None:
    """Run the command line; never returns."""
    from broker.cli.app import app

    app(prog_name="broker")
