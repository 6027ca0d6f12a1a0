"""A running demonstration, and Chromium to look at it with."""

import os
import select
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from broker.app.data_dir import DEMO_SETTINGS
from tests.chromium import chromium as headless
from tests.ports import free_ports
from tests.running import START_SECONDS


@dataclass(frozen=True, slots=True)
class Stage:
    """The three origins of a demonstration, and how to operate it."""

    issuer: str
    discord: str
    sample: str
    data_dir: Path

    def broker(self, *words: str) -> str:
        """Run the broker command on the demonstration's data; return what it prints."""
        env = {**os.environ, "BROKER_SETTINGS": str(self.data_dir / DEMO_SETTINGS)}
        done = subprocess.run(
            [sys.executable, "-m", "broker", *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def demonstration(data: Path) -> Iterator[Stage]:
    """Run ``broker demo`` as a person starts it: one command, three origins.

    Args:
        data: an empty folder for its data; it is removed afterwards.
    """
    port = free_ports(3)
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", "demo", "--port", str(port), "--data-dir", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    beside = (f"http://127.0.0.1:{port + n}" for n in (1, 2))
    made = Stage(f"http://localhost:{port}", *beside, data)
    try:
        _wait_until_ready(process, made)
        yield made
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running demonstration."""
    with demonstration(tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Headless Chromium from the machine."""
    async with headless() as browser:
        yield browser


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that nobody has used before."""
    made = await chromium.new_context()
    made.set_default_timeout(20_000)
    yield made
    await made.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """Its first page."""
    return await context.new_page()


def _wait_until_ready(process: "subprocess.Popen[str]", stage: Stage) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stdout is not None
            pytest.fail(f"broker demo ended: {process.stdout.read()}")
        try:
            with urllib.request.urlopen(f"{stage.issuer}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    with urllib.request.urlopen(stage.sample, timeout=2):
                        return
        except OSError:
            select.select([], [], [], 0.1)
    pytest.fail(f"broker demo did not become ready within {START_SECONDS:g} s")
