"""An answer by form post, in a real browser, to an app that listens on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Stage
from tests.browser.steps import allow, approve_at_discord, look

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

Posted = dict[str, list[str]]


class App:
    """An app that takes answers at its loopback address."""

    def __init__(self, stage: Stage) -> None:
        self.received: Queue[tuple[str, Posted]] = Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.received))
        self.redirect_uri = f"http://127.0.0.1:{self.server.server_port}/callback"
        made = stage.broker(
            "clients", "add", "Form App", "--native", "--grant", "code",
            "--redirect-uri", "http://127.0.0.1/callback", "--json",
        )  # fmt: skip
        self.client_id = str(json.loads(made)["client_id"])

    def begin(self, stage: Stage, **changes: str) -> str:
        """Return the address that begins a sign-in."""
        asked = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "response_mode": "form_post",
            "scope": "openid",
            "state": 'one & "two"',
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        return f"{stage.issuer}/authorize?{urlencode(asked | changes)}"


def _handler(received: "Queue[tuple[str, Posted]]") -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            received.put((self.path, parse_qs(body)))
            self._say(b"<!doctype html><title>App</title><h1>Thank you</h1>")

        def do_GET(self) -> None:
            self._say(b"")

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            del args

    return Handler


@pytest.fixture
def app(stage: Stage) -> Iterator[App]:
    """One that is registered, and listens."""
    made = App(stage)
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


async def test_the_browser_posts_the_answer(page: Page, stage: Stage, app: App) -> None:
    """With scripts nobody presses anything: the app gets code, state and issuer in a body."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    await page.goto(app.begin(stage))
    await approve_at_discord(page)
    await allow(page)
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    path, fields = app.received.get(timeout=5)
    assert path == "/callback"
    assert fields.keys() == {"code", "state", "iss"}
    assert (fields["state"], fields["iss"]) == (['one & "two"'], [stage.issuer])
    assert page.url == app.redirect_uri
    assert not [text for text in faults if "Content Security Policy" in text]


async def test_an_error_is_posted_too(page: Page, stage: Stage, app: App) -> None:
    """What goes wrong at once is told in the same way."""
    await page.goto(app.begin(stage, prompt="none"))
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    _, fields = app.received.get(timeout=5)
    assert fields["error"] == ["consent_required"]


async def test_without_scripts_there_is_a_button(chromium: Browser, stage: Stage, app: App) -> None:
    """A person whose browser runs no scripts presses it; the page passes axe."""
    context = await chromium.new_context(java_script_enabled=False)
    try:
        page = await context.new_page()
        await page.goto(app.begin(stage, prompt="none"))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    finally:
        await context.close()
    assert "error" in app.received.get(timeout=5)[1]


async def test_the_page_can_be_read_by_everybody(page: Page, stage: Stage, app: App) -> None:
    """Held still, the page passes axe."""
    await page.route("**/form_post.*.js", lambda route: route.abort())
    await page.goto(app.begin(stage, prompt="none"))
    await look(page, "broker-form-post")
