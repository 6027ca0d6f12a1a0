"""How secrets are compared: in the same time, whatever is given."""

import ast
import hmac
from pathlib import Path

import pytest

import broker
import keys
from broker.core import clients
from tests.core.helpers import kept

WORDS = {
    "challenge", "cookie", "csrf", "digest", "mac", "nonce", "password", "secret", "signature",
    "state", "tag", "token", "verifier",
}  # fmt: skip
"""What a name that holds a secret ends with, or is."""

HASHED = "SHA-256 of what was given: time tells of digests, and those nobody can aim"
PUBLIC = {
    ("broker/core/callback.py", "browser_digest"): HASHED,
    ("broker/core/desk.py", "browser_digest"): HASHED,
    ("broker/core/dpop.py", "token_digest"): HASHED,
    ("keys/stores/document.py", "digest"): "a checksum beside what it is of",
    ("keys/stores/document.py", "_digest"): "the same",
}
"""What may be compared plainly, by file and name, and why."""


def sources():
    """Every module of ours but the demonstration's, whose secrets are in the README."""
    for package in (broker, keys):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            if "demo" not in path.parts:
                yield path.relative_to(root.parent).as_posix(), ast.parse(path.read_text())


def named(node):
    """The last name of an expression: ``row.code_digest`` is ``code_digest``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        return named(node.func)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return ""


def secret(node):
    return named(node).lower().rpartition("_")[2] in WORDS


def compared_plainly():
    """Where something with a secret's name is compared by == or != to what is no constant."""
    for file, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            plain = any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
            constant = any(isinstance(one, ast.Constant) for one in sides)
            for one in filter(secret, sides if plain and not constant else ()):
                yield file, named(one), node.lineno


def test_no_secret_is_compared_plainly():
    """By ``hmac.compare_digest``, or not at all: looked up by its digest, or sealed by AES-SIV."""
    found = list(compared_plainly())
    assert [one for one in found if one[:2] not in PUBLIC] == []
    assert {one[:2] for one in found} == PUBLIC.keys(), "an excuse that nothing needs"


@pytest.mark.parametrize("given", ["", "x", "s" * 32, "s" * 31 + "t", "ü" * 16, "s" * 4096])
def test_a_wrong_secret_is_compared_whole(given, monkeypatch):
    """Neither its first character nor its length ends it early: what is compared are digests."""
    seen = []
    same = hmac.compare_digest
    monkeypatch.setattr(
        "broker.core.clients.hmac.compare_digest", lambda a, b: seen.append((a, b)) or same(a, b)
    )
    assert clients._compare(kept("right").digest, clients.digest(given)) is False
    assert {len(side) for pair in seen for side in pair} == {64}
    assert len(seen) == 1
