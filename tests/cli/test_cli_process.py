"""The command as a process: what a shell sees."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from broker.cli.app import app
from broker.cli.commands import COMMANDS, command_line
from tests.app.served import environment

SNAPSHOT = Path(__file__).parent / "help.txt"


def broker(tmp_path, *words, seconds=100):
    command = [sys.executable, "-m", "broker", *words]
    env = environment(tmp_path / "data", 1)
    return subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=seconds, check=False
    )


def described(command, path=("broker",)):
    """Yield a line for each command, argument and option, in the order of --help."""
    yield f"{' '.join(path)}: {(command.help or '').splitlines()[0]}"
    for one in command.params:
        names = "/".join((*one.opts, *one.secondary_opts))
        if names not in {"--install-completion", "--show-completion"}:
            yield f"    {names}: {getattr(one, 'help', None) or ''}".rstrip()
    for name, inner in getattr(command, "commands", {}).items():
        yield from described(inner, (*path, name))


def test_commands_and_options_are_those_of_the_snapshot():
    """What operators type does not change by accident; see the message for a change on purpose."""
    text = "\n".join(described(typer.main.get_command(app))) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text(), f"meant? delete {SNAPSHOT.name} and run again"


def test_help_tells_the_exit_codes(tmp_path):
    """Documented where they are looked for; nothing heavy is loaded for it."""
    answer = broker(tmp_path, "--help")
    assert answer.returncode == 0
    words = "init serve demo config keys clients apis guilds policy accounts audit db secrets"
    for word in (*words.split(), "doctor"):
        assert word in answer.stdout
    text = " ".join(answer.stdout.split())
    assert "4 refused by a rule, 5 a store, or the deployment that was asked for, is out of" in text


def test_wrong_usage_is_exit_code_2(tmp_path):
    """As shells expect."""
    assert broker(tmp_path, "keys", "frobnicate").returncode == 2
    assert broker(tmp_path, "demo", "--port", "0").returncode == 2


def test_help_loads_neither_sql_nor_redis():
    """So that it answers at once."""
    code = (
        "import sys, broker.cli.app;"
        "print([n for n in ('sqlalchemy', 'redis', 'authlib', 'uvicorn') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_a_server_carries_no_other_command():
    """It would for as long as it lives."""
    code = (
        "import sys; from broker.cli.commands import command_line; command_line('serve');"
        "print(sorted(n for n in sys.modules if n.startswith('broker.cli.')))"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    loaded = ["broker.cli.commands", "broker.cli.running", "broker.cli.serve_commands"]
    assert answer.stdout.strip() == str(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_same_alone(name):
    """Named as the first word it is there alone, as it is among all the others."""
    alone = typer.main.get_command(command_line(name))
    assert list(alone.commands) == [name]
    whole = typer.main.get_command(app)
    assert [*described(alone)][:1] == [*described(whole)][:1]
    assert [*described(alone.commands[name])] == [*described(whole.commands[name])]


def test_demo_check_walks_the_whole_sign_in(tmp_path):
    """Free ports, its own data, every step printed, exit code 0, nothing left behind."""
    answer = broker(tmp_path, "demo", "--check")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "✗" not in answer.stdout
    assert answer.stdout.count("✓") == 17
    assert not (tmp_path / ".broker-demo").exists()


def test_a_demo_does_not_take_over_real_data(tmp_path):
    """Nor is it led by the settings of a real broker."""
    assert broker(tmp_path, "db", "upgrade").returncode == 0
    answer = broker(tmp_path, "demo", "--check", "--data-dir", str(tmp_path / "data"))
    assert answer.returncode == 4
    assert "not empty" in answer.stderr


@pytest.mark.parametrize(
    "group", ["keys", "clients", "apis", "accounts", "db", "secrets", "doctor"]
)
def test_every_command_has_a_sentence(group):
    """Help ends in a full stop, for each command and each option."""
    root = typer.main.get_command(app)
    assert isinstance(root, click.Group | typer.core.TyperGroup)
    for command in root.commands[group].commands.values():
        assert command.help
        assert all(one.help.endswith(".") for one in command.params if getattr(one, "help", None))
