"""The commands by their names; each is loaded when it is asked for, or all are for ``--help``."""

from collections.abc import Callable
from typing import Final

import typer

HELP: Final = (
    "Sign people in with Discord, and give apps tokens that any service can verify.\n\n"
    "Settings come from BROKER_… variables or the TOML file that BROKER_SETTINGS names; "
    "see: broker config.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by a rule, "
    "5 a store, or the deployment that was asked for, is out of reach."
)


def command_line(first: str = "") -> typer.Typer:
    """Return the command line: with the command of that name alone, with all if there is none.

    A server is a command, too, and would carry all the others with it for as long as it lives.

    Args:
        first: the first word that was typed.
    """
    app = typer.Typer(
        name="broker",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_nothing)
    for add in (COMMANDS[first],) if first in COMMANDS else COMMANDS.values():
        add(app)
    return app


def _nothing() -> None:
    """Have commands even where there is one alone; Typer would take it for the whole otherwise."""


def _init(app: typer.Typer) -> None:
    from broker.cli.init_command import init

    app.command("init")(init)


def _serve(app: typer.Typer) -> None:
    from broker.cli.serve_commands import serve

    app.command("serve")(serve)


def _demo(app: typer.Typer) -> None:
    from broker.cli.serve_commands import demo

    app.command("demo")(demo)


def _config(app: typer.Typer) -> None:
    from broker.cli.config_command import config

    app.command("config")(config)


def _keys(app: typer.Typer) -> None:
    from broker.cli.key_commands import app as keys

    app.add_typer(keys, name="keys")


def _clients(app: typer.Typer) -> None:
    from broker.cli.client_commands import app as clients
    from broker.cli.client_files import export_clients, import_clients
    from broker.cli.client_tickets import registration_token

    clients.command("export")(export_clients)
    clients.command("import")(import_clients)
    clients.command("registration-token")(registration_token)
    app.add_typer(clients, name="clients")


def _apis(app: typer.Typer) -> None:
    from broker.cli.api_commands import app as apis

    app.add_typer(apis, name="apis")


def _guilds(app: typer.Typer) -> None:
    from broker.cli.guild_commands import app as guilds

    app.add_typer(guilds, name="guilds")


def _policy(app: typer.Typer) -> None:
    from broker.cli.policy_commands import app as policy

    app.add_typer(policy, name="policy")


def _accounts(app: typer.Typer) -> None:
    from broker.cli.account_bans import bans, enable
    from broker.cli.account_commands import app as accounts
    from broker.cli.account_commands import sign_out
    from broker.cli.account_endings import delete, keep, withdraw
    from broker.cli.account_import import import_accounts
    from broker.cli.operator_commands import grant_operator, operators, revoke_operator

    accounts.command("enable")(enable)
    accounts.command("bans")(bans)
    accounts.command("sign-out")(sign_out)
    accounts.command("withdraw")(withdraw)
    accounts.command("delete")(delete)
    accounts.command("keep")(keep)
    accounts.command("import")(import_accounts)
    accounts.command("operators")(operators)
    accounts.command("grant-operator")(grant_operator)
    accounts.command("revoke-operator")(revoke_operator)
    app.add_typer(accounts, name="accounts")


def _audit(app: typer.Typer) -> None:
    from broker.cli.audit_commands import app as audit

    app.add_typer(audit, name="audit")


def _db(app: typer.Typer) -> None:
    from broker.cli.db_commands import app as database

    app.add_typer(database, name="db")


def _secrets(app: typer.Typer) -> None:
    from broker.cli.secret_commands import app as secrets

    app.add_typer(secrets, name="secrets")


def _doctor(app: typer.Typer) -> None:
    from broker.cli.doctor_commands import app as doctor
    from broker.cli.doctor_provider import discord_provider

    doctor.command("discord-provider")(discord_provider)
    app.add_typer(doctor, name="doctor")


COMMANDS: Final[dict[str, Callable[[typer.Typer], None]]] = {
    "init": _init,
    "serve": _serve,
    "demo": _demo,
    "config": _config,
    "keys": _keys,
    "clients": _clients,
    "apis": _apis,
    "guilds": _guilds,
    "policy": _policy,
    "accounts": _accounts,
    "audit": _audit,
    "db": _db,
    "secrets": _secrets,
    "doctor": _doctor,
}
"""By name, what adds a command or a group of them, in the order of ``--help``."""
