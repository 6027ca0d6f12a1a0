"""Which addresses there are, what they take, and what is said of all others."""

import json
from pathlib import Path

import pytest

from broker.web.routes import ROUTES
from tests.web import fakes
from tests.web.client import FORM, edge

SNAPSHOT = Path(__file__).parent / "snapshots" / "routes.txt"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def example(path: str) -> str:
    known = {"{upstream}": "discord", "{name}": "none.css", "{code}": "x", "{client_id}": "app"}
    known["{path:path}"] = "keys"
    for name, value in known.items():
        path = path.replace(name, value)
    return path


def table() -> str:
    rows = [
        f"{entry.path:42} {','.join(entry.methods):9} {entry.voice:9} {entry.cache:7} {entry.cors}"
        for entry in ROUTES
    ]
    return "\n".join(rows) + "\n"


def test_the_route_table_changes_only_on_purpose() -> None:
    """The table of URLs equals its snapshot; a change is made in both."""
    assert table() == SNAPSHOT.read_text()


@pytest.mark.parametrize("entry", ROUTES, ids=lambda entry: entry.path)
async def test_other_methods_are_refused_with_allow(entry) -> None:
    """Whatever a route does not take is 405 and names what it takes; nothing reaches the core."""
    core = fakes.Core()
    async with edge(core) as client:
        for method in METHODS:
            if method in entry.methods or (method == "OPTIONS" and entry.cors != "none"):
                continue
            answer = await client.request(method, example(entry.path), headers=FORM)
            assert (answer.status_code, answer.headers["allow"]) == (405, ", ".join(entry.methods))
            assert answer.headers["cache-control"] == "no-store"
    assert core.calls == []


@pytest.mark.parametrize(
    "path", ["/authorize", "/interaction", "/login/discord/callback", "/logout"]
)
async def test_head_never_starts_or_spends_anything(path: str) -> None:
    """A link preview's HEAD does not reach the core where a GET has effects."""
    core = fakes.Core()
    async with edge(core) as client:
        assert (await client.head(path)).status_code == 405
    assert core.calls == []


@pytest.mark.parametrize("path", ["/", "/livez", "/.well-known/jwks.json"])
async def test_head_is_get_without_the_body(path: str) -> None:
    """HEAD has the headers of GET, its length too (RFC 9110 §9.3.2)."""
    async with edge(fakes.Core()) as client:
        get, head = await client.get(path), await client.head(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/token/", "/token//x", "/TOKEN", "/static/x/y.css", "/static/no", "/login/a/b/c"],
)
async def test_unknown_addresses(path: str) -> None:
    """What is not in the table is 404: a page for a browser, JSON for a program."""
    async with edge(fakes.Core()) as client:
        page = await client.get(path, headers={"accept": "text/html,*/*"})
        program = await client.get(path)
    assert page.status_code == program.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == program.headers["cache-control"] == "no-store"
    if not path.startswith("/static/"):
        assert program.json()["error"] == "not_found"


async def test_liveness_asks_nobody() -> None:
    """/livez is 200 whatever is broken."""

    async def broken() -> list:
        raise RuntimeError

    async with edge(fakes.Core(), services={"ready": broken}) as client:
        assert (await client.get("/livez")).json() == {"live": True}


async def test_readiness_names_the_causes() -> None:
    """/readyz is 200 when all is well, else 503 with each cause."""
    found = [fakes.Check("redis", ok=True)]

    async def ready() -> list:
        return found

    async with edge(fakes.Core(), services={"ready": ready}) as client:
        good = await client.get("/readyz")
        found.append(fakes.Check("sql", ok=False, reason="cannot connect"))
        bad = await client.get("/readyz")
    assert (good.status_code, good.json()["ready"]) == (200, True)
    assert bad.status_code == 503
    assert json.loads(bad.text)["checks"][1] == {
        "name": "sql", "ok": False, "reason": "cannot connect",
    }  # fmt: skip
