"""What commands print: for scripts, narrow terminals, without colour; and how shells complete."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import click
import pytest
import typer

from broker.cli import show
from broker.cli.app import app

# Commands without --json, and why a script does not miss it.
WITHOUT = {
    "init": "asks people, and writes a file; the exit code says all",
    "serve": "runs; its log has a form for machines",
    "demo": "runs; with --check the exit code says all",
    "keys export": "prints the key itself, in the format that was asked for",
    "clients export": "prints JSON anyway",
    "audit export": "prints JSON lines, or CSV",
}
COLUMNS = ("account", "name", "e-mail", "last sign-in")
ROW = ("0123456789abcdef0123456789abcdef", "Ada Lindqvist", "ada@example.com", "3 d ago")


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield the name and the options of everything that runs, groups that do so included."""
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        yield " ".join(path), {name for one in command.params for name in one.opts}
    for name, one in inner.items():
        yield from commands(one, (*path, name))


def test_every_command_answers_scripts_or_has_a_reason() -> None:
    """``--json`` wherever something is told; the list of reasons has no entry too many."""
    without = {name for name, options in commands(typer.main.get_command(app))
               if "--json" not in options}  # fmt: skip
    assert without == set(WITHOUT)


def test_what_is_removed_is_told_to_scripts(cli) -> None:
    """An object that says what, as of every other change."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", "https://a.example/cb")
    assert cli.json("clients", "remove", "app") == {"client_id": "app", "action": "removed"}
    cli("apis", "add", "stock")
    assert cli.json("apis", "remove", "stock") == {"identifier": "stock", "action": "removed"}
    cli("guilds", "add", "613425648685547541", "--name", "The Lighthouse")
    assert cli.json("guilds", "remove", "613425648685547541") == {
        "guild_id": "613425648685547541", "action": "removed", "named_by": [],
    }  # fmt: skip


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Shows a table on a terminal of that many columns; returns what is seen."""

    def shown(width: int, columns: Sequence[str], rows: list[Sequence[str]], **given: str) -> str:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"COLUMNS": str(width), "TERM": "xterm", **given}.items():
            monkeypatch.setenv(name, value)
        with monkeypatch.context() as here:
            found = Terminal()
            here.setattr(sys, "stdout", found)
            show.table(columns, rows, empty="")
        return found.getvalue()

    return shown


def plain(text: str) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


def test_on_a_narrow_terminal_rows_stand_below_one_another(on_terminal) -> None:
    """No line is too long, and no value lost, whatever the width."""
    lines = plain(on_terminal(40, COLUMNS, [ROW, ROW]))
    assert max(map(len, lines)) <= 40
    assert lines.count("") == 1
    assert "name          Ada Lindqvist" in lines
    assert lines[0].split()[1] + lines[1].strip() == ROW[0]


def test_on_a_wide_terminal_it_is_a_table(on_terminal) -> None:
    """One row a line, under the names of its columns."""
    head, _, row = plain(on_terminal(120, COLUMNS, [ROW]))
    assert head.split("  ")[0] == "account"
    assert all(value in row for value in ROW)


def test_colour_is_left_out_where_nobody_sees_it(on_terminal) -> None:
    """Where somebody asks for none (no-color.org), and where the terminal has none."""
    green = re.compile(r"\x1b\[3[0-9]")
    state = (("state",), [("active",)])
    assert green.search(on_terminal(80, *state))
    for given in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not green.search(on_terminal(80, *state, **given))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    """As ``--show-completion`` sets them up: by running the command itself."""
    words = {"_TYPER_COMPLETE_ARGS": "broker clients ro", "COMP_WORDS": "broker clients ro",
             "COMP_CWORD": "2", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}  # fmt: skip
    env = {**os.environ, **words, "_BROKER_COMPLETE": f"complete_{shell}"}
    done = subprocess.run(
        [sys.executable, "-m", "broker"], env=env, capture_output=True, text=True, check=False
    )
    assert "rotate-secret" in done.stdout, done.stderr
    assert "export" not in done.stdout


def test_completion_is_set_up_by_an_option() -> None:
    """The script that the shell reads names our command."""
    env = {**os.environ, "_BROKER_COMPLETE": "source_bash"}
    done = subprocess.run(
        [sys.executable, "-m", "broker"], env=env, capture_output=True, text=True, check=False
    )
    assert "complete -o default -F _broker_completion broker" in done.stdout
