"""The single-page app of the pages for developers, copied as it stands, in a real browser."""

import json
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from broker.web.docs.render import snippets
from tests.browser.conftest import Stage
from tests.browser.steps import NAME, allow, approve_at_discord
from tests.outer import need

pytestmark = [pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

APP = Path(__file__).parent / "app"
MODULES = {
    "oidc-client-ts": "oidc-client-ts/dist/esm/oidc-client-ts.js",
    "jwt-decode": "jwt-decode/build/esm/index.js",
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>My app</title>
<script type="importmap">IMPORTS</script>
<h1>My app</h1><button id="in">Sign in</button><button id="out">Sign out</button>
<button id="ask">Ask the API</button><p id="who"></p><p id="told"></p>
<script type="module">
import { call, finish, signIn, signOut, whoIsIt } from "/oidc.js";
document.getElementById("in").onclick = signIn;
document.getElementById("out").onclick = signOut;
document.getElementById("ask").onclick = async () => {
  document.getElementById("told").textContent = await (await call("/echo")).text();
};
const user = location.pathname === "/callback" ? await finish() : await whoIsIt();
const shown = user ? `${user.profile.name} ${user.profile.sub}` : "nobody";
document.getElementById("who").textContent = shown;
</script></html>"""


@pytest.fixture
def address(stage: Stage, tmp_path: Path) -> Iterator[str]:
    """Where the app is served from; it is registered by the command that its page shows."""
    need("npm", "node")
    (tmp_path / "package.json").write_bytes((APP / "package.json").read_bytes())
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    subprocess.run(["npm", "install", *options], cwd=tmp_path, capture_output=True, check=True)
    files: dict[str, bytes] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(files)) as server:
        origin = f"http://127.0.0.1:{server.server_port}"
        copied = snippets(issuer=stage.issuer, brand="x", app=origin, api=f"{origin}/echo")
        modules = {name: f"/{path}" for name, path in MODULES.items()}
        page = PAGE.replace("IMPORTS", json.dumps({"imports": modules}))
        files |= {"/": page.encode(), "/callback": page.encode()}
        files["/oidc.js"] = copied["oidc.js"].encode()
        for path in MODULES.values():
            files[f"/{path}"] = (tmp_path / "node_modules" / path).read_bytes()
        stage.broker(*shlex.split(copied["register-spa.sh"].replace("\\\n", " "))[1:])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield origin
        server.shutdown()


def _handler(files: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            body = self.headers.get("authorization", "").encode() if path == "/echo" else None
            body = files.get(path, b"") if body is None else body
            self.send_response(200)
            kind = "text/javascript" if path.endswith(".js") else "text/html"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


async def test_the_copied_app_signs_in_calls_an_api_and_signs_out(
    page: Page, stage: Stage, address: str
) -> None:
    """Only the addresses were changed; whom nobody knows any more is sent to sign in."""
    await page.goto(address)
    await expect(page.locator("#who")).to_have_text("nobody")
    await page.get_by_role("button", name="Sign in").click()
    await approve_at_discord(page)
    await allow(page)
    await expect(page.locator("#who")).to_contain_text(NAME)
    await expect(page).to_have_url(f"{address}/")
    await page.get_by_role("button", name="Ask the API").click()
    await expect(page.locator("#told")).to_contain_text("Bearer eyJ")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#who")).to_have_text("nobody")
    await page.get_by_role("button", name="Ask the API").click()
    await page.get_by_role("button", name="Authorize").click()
    await allow(page)
    await expect(page.locator("#who")).to_contain_text(NAME)
