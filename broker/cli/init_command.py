"""``broker init``: the few questions, asked once, written into a settings file."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.running import Exit, Failure, reported

if TYPE_CHECKING:
    from broker.app.settings import Settings

PORTAL: Final = "https://discord.com/developers/applications"
HEAD: Final = (
    "# Settings of Token Broker, read where BROKER_SETTINGS names this file. Keep it to yourself.\n"
    "# `broker config` lists every setting there is.\n"
)


def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", dir_okay=False, help="The settings file to write.")
    ] = Path("broker.toml"),
    *,
    issuer: Annotated[
        str | None, typer.Option(help="The public https address; empty for this machine alone.")
    ] = None,
    discord_client_id: Annotated[
        str | None, typer.Option(help="Client id of the application at Discord.")
    ] = None,
    discord_secret_file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, allow_dash=True,
            help="File with its client secret; - reads standard input.",
        ),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="PostgreSQL address; empty for SQLite on this machine.")
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(help="Redis address; empty for one of the broker's own.")
    ] = None,
    trusted_proxies: Annotated[
        str | None, typer.Option(help="Addresses of what ends TLS in front of the broker.")
    ] = None,
    console: Annotated[
        bool,
        typer.Option(
            "--console",
            help="Have an operator console at /admin; it needs an issuer with a host name, such as "
            "http://localhost:8000.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check/--no-check", help="Whether to try the credentials at Discord.",
                     metavar=""),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: what is not given is empty.")
    ] = False,
) -> None:  # fmt: skip
    """Ask what has to be known, try it at Discord, and write a settings file.

    Everything may be given as an option instead, for scripts: with --yes
    nothing is asked. The file holds the client secret, and the secrets of the
    broker where its stores are elsewhere; it is written for its owner alone.
    Nothing is written unless the settings are sound and Discord knows the
    application.
    """
    with reported():
        if file.exists() and not force:
            raise Failure(Exit.REFUSED, f"{file} exists; --force replaces it")
        ask = _Asking(silent=yes)
        if not yes:
            typer.echo(f"You need an application at Discord: {PORTAL}\n")
        values = {
            "issuer": ask("Public https address (empty: this machine alone)", issuer).rstrip("/"),
            "discord_client_id": ask("Client id of the application", discord_client_id),
            "discord_client_secret": ask.secret("Client secret", discord_secret_file),
            "database_url": ask("PostgreSQL address (empty: SQLite)", database_url),
            "redis_url": ask("Redis address (empty: one of its own)", redis_url),
        }
        if values["issuer"].startswith("https:"):
            question = "Address of the proxy that ends TLS (empty: none)"
            values["trusted_proxies"] = ask(question, trusted_proxies)
        if console:
            values["admin"] = "on"
        settings = _sound(values, check=check)
        _write(file, values)
        _tell(file, settings)


class _Asking:
    """Asks for what was not given."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def __call__(self, question: str, given: str | None) -> str:
        if given is not None or self._silent:
            return (given or "").strip()
        return str(typer.prompt(question, default="", show_default=False)).strip()

    def secret(self, question: str, given: Path | None) -> str:
        if given is not None:
            text = sys.stdin.read() if str(given) == "-" else given.read_text(encoding="utf-8")
            return text.strip()
        if self._silent:
            return ""
        return str(typer.prompt(question, hide_input=True)).strip()


def _sound(values: dict[str, str], *, check: bool) -> "Settings":
    """Return the settings, judged as ``broker serve`` would judge them; add secrets if need be."""
    from broker.app.checks import check_serving
    from broker.app.clock import SystemEntropy
    from broker.app.loading import load
    from broker.core.pkce import encode

    if values["database_url"] or values["redis_url"]:
        values["secrets"] = encode(SystemEntropy().token(48))
    settings = load(**{name: value for name, value in values.items() if value})
    check_serving(settings)
    if check:
        asyncio.run(_tried(settings))
    return settings


async def _tried(settings: "Settings") -> None:
    """Try the credentials at Discord."""
    from broker.app.upstreams import discord_settings
    from broker.core.errors import UpstreamUnavailable
    from broker.upstream.base import BoundedTransport
    from broker.upstream.discord_credentials import credentials_fault

    transport = BoundedTransport()
    try:
        fault = await credentials_fault(discord_settings(settings), transport)
    except UpstreamUnavailable as error:
        reason = f"Discord does not answer ({error.private}); --no-check goes on without asking"
        raise Failure(Exit.OUT_OF_REACH, reason) from None
    finally:
        await transport.shut()
    if fault is not None:
        raise Failure(Exit.REFUSED, f"{fault}; copy both again from OAuth2 at {PORTAL}")


def _write(file: Path, values: dict[str, str]) -> None:
    """Write the file whole or not at all, for its owner alone."""
    lines = [f"{name} = {_toml(value)}" for name, value in values.items() if value]
    new = file.with_name(f".{file.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(HEAD + "\n".join(lines) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def _toml(value: str) -> str:
    """Return a text as a TOML basic string (TOML 1.0, "String")."""
    import json

    # JSON's escapes are among those of TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _tell(file: Path, settings: "Settings") -> None:
    """Say what was done and what comes next."""
    steps: list[tuple[str, Any]] = [
        (f"Add this redirect to the application ({PORTAL}, OAuth2):",
         f"{settings.public_issuer}/login/discord/callback"),
        ("Use the file, and look whether all is well:",
         f"export BROKER_SETTINGS={file.absolute()}\nbroker doctor --no-outside"),
    ]  # fmt: skip
    if settings.database_url is not None:
        steps.append(("Make the tables:", "broker db upgrade"))
    steps.append(("Start:", "broker serve"))
    if settings.admin == "on":
        where = f"{settings.public_issuer}/admin"
        steps.append((f"Sign in once at {where}, and let yourself in; your name at Discord is WHO:",
                      "broker accounts grant-operator WHO"))  # fmt: skip
        text = f"Register the first app there ({where}/clients/new), or here:"
    else:
        text = "Register the first app:"
    register = (
        'broker clients add "My app" --public --redirect-uri https://app.example.org/callback'
    )
    steps.append((text, register))
    typer.secho(f"✓ {file} is written.\n", fg="green")
    for number, (text, command) in enumerate(steps, start=1):
        typer.echo(f"{number}. {text}")
        for line in str(command).splitlines():
            typer.secho(f"     {line}", bold=True)
