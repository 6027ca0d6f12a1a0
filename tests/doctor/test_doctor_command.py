"""``broker doctor keys`` as an operator runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from tests.doctor.recorded import token
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in an empty directory, without any setting."""
    monkeypatch.chdir(tmp_path)

    def running(*words, code=0, stdin=None):
        answer = CliRunner().invoke(app, ["doctor", "keys", *map(str, words)], input=stdin)
        assert answer.exit_code == code, (answer.output, answer.exception)
        assert not list(tmp_path.glob(".broker*"))
        return answer

    return running


def test_all_is_right(front, run):
    """Exit code 0, a mark a line, a sentence at the end; nothing is made on the machine."""
    said = run(front.issuer, "--connections", 2).output
    assert "✗" not in said
    assert said.count("✓") > 30
    assert "Everything is right." in said
    assert "Through time" not in said


def test_warnings_count_only_when_strict(front, run):
    """So that a monitor may choose."""
    front.proxy.behave("no_head")
    said = run(front.issuer, "--connections", 1).output
    assert "\n! HEAD" in said
    assert "→ let" in said
    assert "1 risky, 0 wrong" in said
    run(front.issuer, "--connections", 1, "--strict", code=1)


def test_something_wrong_is_exit_code_1(front, run):
    """In text and in JSON."""
    front.proxy.behave("cookie")
    assert "\n✗ cookies" in run(front.issuer, "--connections", 1, code=1).output
    document = json.loads(run(front.issuer, "--connections", 1, "--json", code=1).stdout)
    assert document["verdict"] == "fail"
    assert document["reachable"] is True
    assert document["counts"]["fail"] == 1
    (wrong,) = [one for one in document["checks"] if one["verdict"] == "fail"]
    assert wrong.keys() == {"section", "name", "verdict", "seen", "cure"}


def test_nothing_answers_is_exit_code_5(run):
    """With what to look at; JSON says it as well."""
    issuer = f"http://127.0.0.1:{free_port()}"
    assert "connection refused" in run(issuer, code=5).stderr
    document = json.loads(run(issuer, "--json", code=5).stdout)
    assert (document["reachable"], document["reason"]) == (False, "connection refused")


@pytest.mark.parametrize(
    "words",
    [("ftp://x",), ("https://a.example", "--for", "soon"), ("https://a.example", "--ca-file", "x"),
     ("https://a.example", "--ca-file", __file__), ("https://a.example", "--token-file", "none")],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(run, words):
    """Before anything is asked."""
    run(*words, code=2)


def test_a_token_comes_by_file_or_standard_input_and_is_never_shown(front, run, tmp_path):
    """A token of somebody else: unknown kid, another issuer."""
    text = token()
    file = tmp_path / "token"
    file.write_text(text)
    by_file = run(front.issuer, "--connections", 1, "--token-file", file, code=1)
    piped = run(front.issuer, "--connections", 1, "--token-file", "-", stdin=text, code=1)
    for answer in (by_file, piped):
        assert "The token" in answer.output
        assert "✗ kid" in answer.output
        assert "✗ iss" in answer.output
        assert not any(part in answer.output for part in text.split("."))


def test_watching_through_time(front, run):
    """Goes on for as long as told, and sums up."""
    said = run(front.issuer, "--connections", 1, "--for", "1s").output
    assert "Through time" in said
    assert re.search(r"1 look in \d+ s, 0 changes of the keys", said)
    document = json.loads(run(front.issuer, "--connections", 1, "--for", "1s", "--json").stdout)
    assert document["checks"][-1]["section"] == "Through time"


def test_it_needs_nothing_of_the_broker():
    """It runs on a machine without stores: none of their libraries is loaded."""
    code = (
        "import sys, broker.doctor.examine, broker.doctor.gathering, broker.doctor.watching;"
        "import broker.doctor.provider;"
        "print([n for n in sys.modules if n.split('.')[0] in "
        "('sqlalchemy', 'redis', 'starlette', 'uvicorn') or n.startswith('broker.app')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
