"""All commands in one place; each loads what it needs only when it runs."""

from broker.cli.commands import command_line

app = command_line()
