"""``broker serve`` and ``broker demo``."""

import os
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.app import signals
from broker.cli.running import Exit, Failure, reported


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on.")] = None,
    workers: Annotated[
        str | None, typer.Option(help="Number of processes that serve; auto: one for each core.")
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Public base address of the broker.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of embedded Redis, SQLite and secret.")
    ] = None,
) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C); requests under way may finish.

    SIGHUP replaces what serves, without a failed request: by processes that read settings and
    program anew. If those cannot serve, all stays as it was, and the log says why.

    With nothing but Discord's credentials set it runs on this machine alone: an embedded Redis,
    SQLite and a secret of its own are made in the data directory. BROKER_ISSUER, BROKER_REDIS_URL,
    BROKER_DATABASE_URL and BROKER_SECRETS make it a service; options here go before settings.
    """
    _open_standard_files()
    with reported(), signals.heeded():
        from broker.app.checks import check_serving
        from broker.app.loading import load

        given = {
            "host": host,
            "port": port,
            "workers": workers,
            "issuer": issuer,
            "data_dir": data_dir,
        }
        _hand_on(given)
        settings = load()
        check_serving(settings)  # before what serving needs is loaded: a refusal is quick
        from broker.app.server import serve as run

        run(settings, _say)


def _say(text: str) -> None:
    """Write to standard output, where somebody reads."""
    with suppress(OSError):
        typer.echo(text)


def _open_standard_files() -> None:
    """Open what was closed of standard input, output and error: a socket would get its number.

    Whatever writes there, here or in a process that serves, would write to somebody's connection.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _hand_on(given: dict[str, Any]) -> None:
    """Put options where the processes that serve find them."""
    from broker.app.sources import variable

    for name, value in given.items():
        if value is not None:
            os.environ[variable(name)] = str(value)


def demo(
    port: Annotated[
        int, typer.Option(min=1, max=65533, help="The broker's port; two more follow it.")
    ] = 8000,
    check: Annotated[
        bool, typer.Option("--check", help="Walk a whole sign-in on free ports, then stop.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The demonstration's own data directory. Default: .broker-demo."),
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Print the broker's log: a line for each request.")
    ] = False,
) -> None:
    """Run everything on this machine: a broker, a simulated Discord and a sample app.

    Needs no account and no settings. With --check it walks the sign-in by itself, prints each step
    and exits with 0, or with 1 and what failed.
    """
    with reported():
        if check:
            _walk(data_dir)
            return
        from broker.demo.launch import obstacle, run

        if (reason := obstacle(port)) is not None:
            raise Failure(Exit.FAILED, f"{reason}; end it, or take another --port")
        try:
            run(port, data_dir, _invite, log=log)
        except OSError as error:
            reason = f"a port from {port} to {port + 2} is taken: {error.strerror}; try --port"
            raise Failure(Exit.FAILED, reason) from None


def _walk(data_dir: Path | None) -> None:
    from broker.demo.launch import run_check

    def report(name: str, good: bool, detail: str) -> None:
        mark, colour = ("✓", "green") if good else ("✗", "red")
        typer.echo(f"{typer.style(mark, fg=colour)} {name:<24} {detail}")

    if not run_check(data_dir, report):
        raise Failure(Exit.FAILED, "the sign-in does not work; see the step marked ✗")
    typer.echo("Everything works.")


def _invite(ports: Any, data_dir: Path) -> None:
    from rich.console import Console
    from rich.panel import Panel

    text = (
        f"Sample app          {ports.sample_origin}   ← open this and sign in\n"
        f"Token Broker        {ports.issuer}\n"
        f"Simulated Discord   {ports.discord_origin}   ← take roles away, deauthorize\n"
        f"Operator console    {ports.issuer}/admin   ← sign in, then see below\n\n"
        f"Discovery           {ports.issuer}/.well-known/openid-configuration\n"
        f"Keys (JWKS)         {ports.issuer}/.well-known/jwks.json\n"
        f"Data                {data_dir}\n\n"
        f"Operate it from another terminal:\n"
        f"  export BROKER_SETTINGS={shlex.quote(str(data_dir / 'settings.toml'))}\n"
        f"  {_as_typed()} clients edit sample-app --name 'My game'\n"
        f"  {_as_typed()} accounts grant-operator ada.lindqvist\n\n"
        "Ctrl-C stops everything."
    )
    Console(highlight=False).print(
        Panel.fit(text, title="broker demo", subtitle="anybody can be anybody here")
    )


def _as_typed() -> str:
    """Return how this very command is called from the same directory: it may not be on the PATH."""
    typed = sys.argv[0]
    if Path(typed).name != "broker" or shutil.which("broker") == shutil.which(typed):
        return "broker"
    return shlex.quote(typed)
