"""What a serving process loads: all of it costs memory in every worker, and time at its start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from broker.without import without

ROOT = Path(__file__).resolve().parents[2]
REDIS = "unix:///nowhere"
WORKER = f"""
import asyncio, json, sys
from broker.app import asgi, logs
from broker.app.beforehand import make_ready
from broker.app.compose import compose
from broker.app.data_dir import prepare
from broker.app.loading import load

async def live(settings):
    await make_ready(settings, {REDIS!r})
    async with compose(settings, {REDIS!r}):
        print(json.dumps(sorted(sys.modules)))

settings = load()
logs.configure(settings)
prepare(settings.data_dir)
asyncio.run(live(settings))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The modules of a process that is ready to serve; its settings are the defaults."""
    folder = tmp_path_factory.mktemp("loaded")
    settings = {"BROKER_DATA_DIR": str(folder / "data"), "BROKER_LOG_LEVEL": "error"}
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rich", "a terminal's tables; structlog asks for it, and broker.log does not let it"),
        ("pygments", "comes with rich"),
        ("opentelemetry", "traces are off; redis asks for it, broker.stores.redis.connect no"),
        ("psutil", "comes with opentelemetry"),
        ("prometheus_client", "metrics are off"),
        ("starlette_admin", "the console is off"),
        ("webauthn", "the console is off"),
        ("broker.admin", "the console is off"),
        ("alembic", "only where a schema has to change"),
        ("asyncpg", "only where PostgreSQL is used"),
        ("psycopg", "the driver is asyncpg"),
        ("pkcs11", "keys are not in an HSM"),
        ("segno", "until a device shows a code"),
        ("typer", "the command line"),
        ("broker.cli", "the command line"),
        ("broker.demo", "the simulated Discord"),
        ("broker.doctor", "the doctor"),
    ],
)
def test_a_worker_does_without(loaded: frozenset[str], name: str, why: str) -> None:
    """Whatever is not used by everybody is loaded where it is switched on, and nowhere else."""
    found = sorted(one for one in loaded if one == name or one.startswith(f"{name}."))
    assert not found, f"{why}; loaded was {', '.join(found[:5])}"


def test_a_server_that_others_serve_for_is_small() -> None:
    """It looks after them and has nothing to do with what they do."""
    script = "import json, sys, broker.app.server; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packages = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not packages & {
        "sqlalchemy",
        "uvicorn",
        "uvloop",
        "starlette",
        "jinja2",
        "prometheus_client",
    }


def test_nothing_is_left_for_the_first_call_to_an_upstream(loaded: frozenset[str]) -> None:
    """The loop stands still while modules are loaded, and everybody waits."""
    assert {"httpcore2", "anyio._backends._asyncio", "anyio.streams.tls"} <= loaded


def test_a_hidden_package_is_back_afterwards() -> None:
    """Whoever really wants it gets it; one that is loaded already is not taken away."""
    sys.modules.pop("this", None)
    with pytest.raises(ModuleNotFoundError), without("this", "json"):
        assert sys.modules["json"] is json
        import this  # noqa: F401
    assert "this" not in sys.modules
    assert sys.modules["json"] is json
