"""A single-page app with npm's oidc-client-ts, in a real browser: no server of its own."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Stage
from tests.browser.steps import NAME, allow, approve_at_discord
from tests.outer import need

pytestmark = [pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

APP = Path(__file__).parent / "app"
LIBRARY = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the app is served from."""
    need("npm", "node")
    folder = tmp_path_factory.mktemp("app")
    (folder / "package.json").write_bytes((APP / "package.json").read_bytes())
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    done = subprocess.run(
        ["npm", "install", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    page, script = (APP / "index.html").read_bytes(), (folder / LIBRARY).read_bytes()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(page, script)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _handler(page: bytes, script: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_script = self.path.endswith(".js")
            body = script if is_script else page
            self.send_response(200)
            self.send_header("content-type", "text/javascript" if is_script else "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


async def seen(page: Page) -> dict[str, Any]:
    """What the app shows."""
    await expect(page.locator("#seen")).not_to_be_empty()
    found: dict[str, Any] = json.loads(await page.locator("#seen").inner_text())
    return found


@pytest.mark.parametrize("mode", ["query", "fragment"])
async def test_it_signs_in_refreshes_and_signs_out(
    page: Page, stage: Stage, address: str, mode: str
) -> None:
    """Discovery, code, tokens and userinfo are read across origins; then back, signed out."""
    made = stage.broker(
        "clients", "add", "Single page", "--public", "--redirect-uri", f"{address}/callback",
        "--post-logout-redirect-uri", f"{address}/", "--json",
    )  # fmt: skip
    client_id = json.loads(made)["client_id"]
    await page.goto(f"{address}/?client_id={client_id}&issuer={stage.issuer}&mode={mode}")
    await page.get_by_role("button", name="Sign in").click()
    await approve_at_discord(page)
    await allow(page)
    first = await seen(page)
    assert first.get("error") is None, first
    assert (first["name"], first["email"]) == (NAME, "mina@example.org")
    await page.evaluate("document.getElementById('seen').textContent = ''")
    await page.get_by_role("button", name="Refresh").click()
    again = await seen(page)
    assert again["sub"] == first["sub"]
    assert again["access"] != first["access"]
    assert again["refresh"] != first["refresh"]
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{address}/")
