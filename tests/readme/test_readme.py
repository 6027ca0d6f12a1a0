"""The README never lies: its tables, files, commands and examples are those of the project."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import settings_table, supported
from tests.readme.settings_table import README
from tests.readme.snippets import snippet

TEXT = README.read_text("utf-8")
ROOT = README.parent


def test_the_settings_table_is_that_of_the_code() -> None:
    """Every setting is shown once, with its default and meaning."""
    assert settings_table.in_readme() == settings_table.table(), (
        "run: python -m tests.readme.settings_table"
    )


def test_the_table_of_what_is_supported_is_that_of_the_tests() -> None:
    """Each line says what is so and where that is proven."""
    assert supported.in_readme() == supported.table(), "run: python -m tests.readme.supported"


def test_what_is_supported_is_proven_by_tests_that_exist() -> None:
    """A test that goes takes its promise with it."""
    assert not list(supported.missing())


def test_every_file_it_names_exists() -> None:
    """A newcomer who follows the walk finds each file."""
    named = set(re.findall(r"`((?:broker|keys|tests|deploy)/[\w./]+\.\w+)`", TEXT))
    assert len(named) >= 10
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


def _commands() -> list[tuple[str, ...]]:
    """The broker commands in code of the README, as far as words go before options and values."""
    found = re.findall(r"(?:^|`|bin/)broker ([a-z]+(?: [a-z-]+)?)", TEXT, re.MULTILINE)
    return sorted({tuple(words.split()) for words in found})


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_it_names_exists(words: tuple[str, ...]) -> None:
    """What the README tells people to type is understood."""
    done = subprocess.run(
        [sys.executable, "-m", "broker", *words, "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_endpoint_it_names_is_routed() -> None:
    """The table of endpoints is that of the routes."""
    from broker.web.routes import ROUTES

    paths = {entry.path for entry in ROUTES}
    named = set(re.findall(r"^\| `(/[^`]+)` \|", TEXT, re.MULTILINE))
    assert len(named) >= 7
    assert named <= paths


def test_no_line_of_prose_is_endless() -> None:
    """Prose is wrapped, so that it reads in a terminal and in a diff; tables are not."""
    long = [line for line in TEXT.splitlines() if len(line) > 110 and not line.startswith("|")]
    commands = [line for line in long if line.startswith("python3 -m venv")]
    assert long == commands


def test_the_constraints_hold_no_addresses() -> None:
    """Versions are pinned by name alone."""
    lines = Path(ROOT / "deploy" / "constraints.txt").read_text("utf-8").splitlines()
    wanted = re.compile(r"[A-Za-z0-9._-]+==[\w.+!]+\Z")
    bad = [line for line in lines if line and not line.startswith("#") and not wanted.match(line)]
    assert not bad


def test_the_policy_it_shows_is_one() -> None:
    """The example for communities is read as the broker reads it, and says what the text says."""
    from broker.core.policy.reading import read

    found = read(json.loads(snippet("policy")))
    assert found.guilds[0].any_role
    assert (found.account_age, found.email_verified) == (30 * 86400, True)
    assert found.deny
