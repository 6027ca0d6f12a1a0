"""``broker config``."""

from dataclasses import asdict

import typer

from broker.cli import show
from broker.cli.running import reported


def config(json: show.Json = False) -> None:
    """Show every setting: its value in effect (secrets masked), where it came from, its meaning.

    Exit code 4 where the settings would be refused, with the reasons.
    """
    with reported():
        from broker.app.checks import check
        from broker.app.loading import load, shown
        from broker.app.settings import Settings
        from broker.app.sources import unknown_variables

        settings = load()
        rows = shown(settings)
        if json:
            show.document([asdict(row) for row in rows])
        else:
            show.table(
                ("setting", "value", "source", "meaning"),
                [(row.name, _text(row.value), row.source, row.description) for row in rows],
                empty="",
            )
        for name in unknown_variables(Settings):
            typer.secho(f"broker: {name} is set but is no setting", fg="yellow", err=True)
        check(settings)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={_text(held)}" for name, held in value.items())
    return str(value)
