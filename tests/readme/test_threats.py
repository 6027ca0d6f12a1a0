"""The page of what the broker withstands is held to the tests that it names."""

import re

import pytest

from tests.named import TESTS, unknown, whole

PAGE = TESTS.parent / "deploy" / "threats.md"
SECTIONS = PAGE.read_text("utf-8").split("\n## ")[1:]


def lines(section: str) -> list[list[str]]:
    """Return the lines of a section's table, cell by cell; a bar in a cell is none of it."""
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[1:]]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.partition("\n")[0])
def test_each_line_names_tests_that_exist(section: str) -> None:
    """Three cells, an outcome, at least one test; nothing is held by a test that was renamed."""
    found = lines(section)
    assert found
    for line in found:
        assert len(line) == 3, line
        assert all(line), line
        names = re.findall(r"`([^`]+)`", line[2])
        assert ", ".join(f"`{name}`" for name in names) == line[2]
        assert names, line
        assert not list(unknown(whole(names))), line[0]


def test_the_page_is_whole() -> None:
    """Its sections are those of what is attacked, and no line stands there twice."""
    titles = [section.partition("\n")[0] for section in SECTIONS]
    assert titles == [
        "Authorization endpoint",
        "Token endpoint",
        "Tokens and keys",
        "Sessions, logout, edge",
        "Discord",
        "Other places to sign in",
        "Faults",
    ]
    cases = [line[0] for section in SECTIONS for line in lines(section)]
    assert len(set(cases)) == len(cases)
