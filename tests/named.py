"""Tests by name, for tables that say what proves what: ``file::test`` under ``tests/``."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent


def unknown(nodes: Iterable[str]) -> Iterator[str]:
    """Yield the names of tests that do not exist."""
    for node in nodes:
        file, _, name = node.partition("::")
        if name not in _tests(TESTS / file):
            yield node


def whole(names: Iterable[str]) -> tuple[str, ...]:
    """Return whole names; a file that was just named may be left out: ``::name``."""
    found, file = [], ""
    for name in names:
        path, _, test = name.partition("::")
        file = path or file
        found.append(f"{file}::{test}")
    return tuple(found)


@cache
def _tests(file: Path) -> frozenset[str]:
    if not file.exists():
        return frozenset()
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        one.name for one in tree.body if isinstance(one, kinds) and one.name.startswith("test_")
    )
