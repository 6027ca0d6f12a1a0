"""The guide for Django sites: apps in the field go on with their token pair."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.people import CALLBACK, VERIFIER, Person
from tests.running import RunningBroker

GUIDE = Path(__file__).resolve().parents[2] / "deploy" / "from-django.md"
SITE = Path(__file__).with_name("django_site.py")
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def site(broker: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ask, str]:
    """A function that asks the site, and its client_id at the broker."""
    made = broker.cli("clients", "add", "My site", "--redirect-uri", CALLBACK, "--first-party")
    text = re.search(
        r"<!-- snippet: token_pair -->\n```python\n(.*?)```", GUIDE.read_text(), re.DOTALL
    )
    assert text is not None
    views = tmp_path_factory.mktemp("site") / "token_pair.py"
    credentials = f'("{made["client_id"]}", "{made["client_secret"]}")'
    views.write_text(
        text[1]
        .replace("https://id.example.org", broker.issuer)
        .replace("https://example.org/callback", CALLBACK)
        .replace('("my-site", "its secret")', credentials)
    )

    def ask(path: str, **body: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, SITE, views],
            input=json.dumps({"path": path, "body": body}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return ask, made["client_id"]


def test_the_pair_is_what_clients_of_simplejwt_expect(
    broker: RunningBroker, site: tuple[Ask, str]
) -> None:
    """A code becomes a pair, a refresh token the next one; a spent one is 401 as it was."""
    ask, client_id = site
    code = Person(broker.issuer).code(client_id=client_id)
    first = ask("/api/token/", code=code, code_verifier=VERIFIER)
    assert first["status"] == 200
    assert set(first["body"]) == {"access", "refresh"}
    second = ask("/api/token/refresh/", refresh=first["body"]["refresh"])
    assert second["status"] == 200
    assert second["body"]["access"] != first["body"]["access"]
    assert second["body"]["refresh"] != first["body"]["refresh"]
    again = ask("/api/token/", code=code, code_verifier=VERIFIER)
    assert (again["status"], again["body"]["code"]) == (401, "token_not_valid")
    dead = ask("/api/token/refresh/", refresh=second["body"]["refresh"])
    assert dead["status"] == 401, "a code that was presented twice has ended its grant"


def test_commands_of_the_guide_exist() -> None:
    """Each option it names is one that the command has."""
    words = re.findall(
        r"^broker (accounts import|clients add)(.*)$", GUIDE.read_text(), re.MULTILINE
    )
    assert words
    for command, rest in words:
        done = subprocess.run(
            [sys.executable, "-m", "broker", *command.split(), "--help"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in done.stdout, (command, option)
