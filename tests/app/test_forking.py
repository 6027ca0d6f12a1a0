"""Processes that serve are forked from one that is loaded: what they share, and what not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "database_url": "postgresql://nobody@127.0.0.1:1/none",
    "secrets": "s" * 40,
    "metrics_address": "127.0.0.1:1",
    "traces": "on",
    "admin": "on",
}
FORKS = 4
SCRIPT = f"""
import asyncio, gc, json, os, random, ssl, sys, uuid
from authlib.common.security import generate_token
from cryptography.hazmat.primitives.asymmetric import ec
from broker.app import asgi, data_dir, forking, template
from broker.app.clock import SystemEntropy
from broker.app.compose import compose
from broker.app.loading import load

def made():
    key = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    found = SystemEntropy().token(32).hex(), random.random(), ssl.RAND_bytes(16).hex(), key
    return [*map(str, found), str(uuid.uuid4()), generate_token()]

async def later():
    before = set(sys.modules)
    watch, console = asgi.watching(settings), asgi.console(settings)
    async with compose(settings, "unix:///nowhere", watch=watch, console=console):
        return sorted(set(sys.modules) - before)

settings = load()
template.preload(settings)
kinds = [one for one in gc.get_objects() if type(one) is random.Random]
told = {{
    "seeded": [str(one) for one in kinds if one is not random._inst],
    "alone": forking.alone(),
    "files": os.listdir("/proc/self/fd"),
}}
forking.adopts()
made()
theirs, ours = os.pipe()
for _ in range({FORKS}):
    if forking.fork_off() == 0:
        os.write(ours, json.dumps(made()).encode() + b"\\n")
        os._exit(0)
os.close(ours)
told["made"] = [json.loads(line) for line in os.fdopen(theirs)]
data_dir.prepare(settings.data_dir)
told["later"] = asyncio.run(later())
print(json.dumps(told))
"""


@pytest.fixture(scope="module", params=[{}, EXTRAS], ids=["defaults", "extras"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process tells of itself and its forks that has loaded what a template does."""
    folder = tmp_path_factory.mktemp("forking")
    settings = {"data_dir": str(folder / "data"), "log_level": "error", **request.param}
    named = {f"BROKER_{name.upper()}": text for name, text in settings.items()}
    clean = {name: text for name, text in os.environ.items() if not name.startswith("BROKER_")}
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=clean | named,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return json.loads(said.splitlines()[-1])


def test_no_two_forks_make_the_same_secret(told: Any) -> None:
    """Codes, identifiers, keys and nonces: whatever had made some before the fork."""
    assert len(told["made"]) == FORKS
    for found in zip(*told["made"], strict=True):
        assert len(set(found)) == FORKS


def test_no_generator_is_seeded_before_the_fork(told: Any) -> None:
    """All forks would draw the same from it; Python seeds its own one anew in each."""
    assert told["seeded"] == []


def test_a_template_runs_one_thread_and_opens_nothing(told: Any) -> None:
    """A fork has but one thread, and would share every file."""
    assert told["alone"]
    assert set(told["files"]) <= {"0", "1", "2", "3"}  # the last is that of the listing itself


def test_nothing_is_left_to_load_after_the_fork(told: Any) -> None:
    """Each would have it in memory for itself, and have people wait for it."""
    assert told["later"] == []
