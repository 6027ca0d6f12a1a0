"""All commands in one place; each loads what it needs only when it runs."""

import typer

from broker.cli import (
    account_commands,
    account_endings,
    account_import,
    api_commands,
    audit_commands,
    client_commands,
    client_files,
    config_command,
    db_commands,
    doctor_commands,
    doctor_provider,
    guild_commands,
    init_command,
    key_commands,
    operator_commands,
    policy_commands,
    secret_commands,
    serve_commands,
)

HELP = (
    "Sign people in with Discord, and give apps tokens that any service can verify.\n\n"
    "Settings come from BROKER_… variables or the TOML file that BROKER_SETTINGS names; "
    "see: broker config.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused by a rule, "
    "5 a store, or the deployment that was asked for, is out of reach."
)

app = typer.Typer(
    name="broker",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init_command.init)
app.command("serve")(serve_commands.serve)
app.command("demo")(serve_commands.demo)
app.command("config")(config_command.config)
app.add_typer(key_commands.app, name="keys")
client_commands.app.command("export")(client_files.export_clients)
client_commands.app.command("import")(client_files.import_clients)
client_commands.app.command("registration-token")(client_files.registration_token)
app.add_typer(client_commands.app, name="clients")
app.add_typer(api_commands.app, name="apis")
account_commands.app.command("import")(account_import.import_accounts)
account_commands.app.command("operators")(operator_commands.operators)
account_commands.app.command("grant-operator")(operator_commands.grant_operator)
account_commands.app.command("withdraw")(account_endings.withdraw)
account_commands.app.command("delete")(account_endings.delete)
account_commands.app.command("keep")(account_endings.keep)
account_commands.app.command("revoke-operator")(operator_commands.revoke_operator)
app.add_typer(guild_commands.app, name="guilds")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(account_commands.app, name="accounts")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(db_commands.app, name="db")
app.add_typer(secret_commands.app, name="secrets")
doctor_commands.app.command("discord-provider")(doctor_provider.discord_provider)
app.add_typer(doctor_commands.app, name="doctor")
