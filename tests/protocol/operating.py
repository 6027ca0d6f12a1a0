"""An operator in the console, in this process: who came in by the door is made, not played."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2

from broker.core.console import LONGEST, ConsoleSession
from broker.core.handles import Handle, Handles, Kind
from broker.core.operators import CODE_LIFETIME, Passkey, new_code
from tests.core.helpers import Counted
from tests.protocol.actors import Browser
from tests.protocol.harness import World
from tests.protocol.known import ADA, FRONT, ISSUER, OPERATOR_SECRET

PASSKEY = b"operator's passkey"


@dataclass
class Sheet:
    """A form of a page: where it goes, and what stands in it, several values a name."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class Sheets(HTMLParser):
    """Reads the forms of a page: inputs, selections and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Sheet] = []
        self._name = ""
        self._chosen: list[str] = []
        self._text: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Sheet(has.get("action", "")))
        elif tag == "input" and has.get("type") != "file":
            if has.get("type") != "checkbox" or "checked" in has:
                self._put(has.get("name", ""), has.get("value", ""))
        elif tag == "select":
            self._name, self._chosen = has.get("name", ""), []
        elif tag == "option" and ("selected" in has or not self._chosen):
            self._chosen = [has.get("value", "")]
        elif tag == "textarea":
            self._name, self._text = has.get("name", ""), []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._put(self._name, self._chosen[0] if self._chosen else "")
        elif tag == "textarea" and self._text is not None:
            self._put(self._name, "".join(self._text).removeprefix("\n"))
            self._text = None

    def _put(self, name: str, value: str) -> None:
        if name and self.found:
            self.found[-1].fields.setdefault(name, []).append(value)


class Desk:
    """An operator's browser inside the console.

    Attributes:
        account: the operator's.
        http: the browser.
    """

    def __init__(self, world: World, browser: Browser, account: str) -> None:
        self.world = world
        self.http = browser.http
        self.account = account

    async def get(self, path: str, **query: str) -> httpx2.Response:
        """Look at a page under /admin."""
        return await self.http.get(f"/admin{path}", params=query or None)

    async def form(self, path: str, action: str | None = None) -> dict[str, list[str]]:
        """The fields of a page's form: the one that goes there, or to the page itself."""
        page = await self.get(path)
        assert page.status_code == 200, page.text
        wanted = "" if action is None else f"/admin{action}"
        return next(one for one in Sheets(page.text).found if one.action == wanted).fields

    async def send(
        self, path: str, action: str | None = None, files: Any = None, **changes: Any
    ) -> httpx2.Response:
        """Fill a page's form in and send it; follows to the page that says how it went.

        Args:
            path: of the page, under /admin.
            action: where its form goes; None for the page itself.
            files: to send beside.
            changes: fields as they are to be: a text, or several.
        """
        fields: dict[str, Any] = dict(await self.form(path, action)) | changes
        return await self.http.post(
            f"/admin{path if action is None else action}",
            data={name: value for name, value in fields.items() if value != []},
            files=files,
            headers={"origin": ISSUER},
            follow_redirects=True,
        )


async def operate(world: World) -> Desk:
    """Make Ada an operator who is inside."""
    browser = world.browser()
    await browser.tokens(world.app(FRONT), ADA, prompt="login")
    account, now = await world.account_of(ADA), world.clock.at
    code = new_code(Counted(b"code"))
    await world.sql.operators.grant(account, code, until=now + CODE_LIFETIME, now=now)
    passkey = Passkey(PASSKEY, account, b"key", 0, "Laptop", now)
    assert await world.sql.operators.enrol(passkey, code, now=now)
    redis = world.broker.stores.redis
    ((session, *_), _) = await redis.accounts.living(account, now=now)
    made = ConsoleSession(account, "c" * 32, session.sid, PASSKEY.hex(), now, now)
    await redis.consoles.open(made, kept=int(LONGEST))
    handles = Handles([OPERATOR_SECRET.encode()])
    cookie = handles.make(Kind.CONSOLE, Handle(account, made.console_id))
    browser.http.cookies.set("__Host-broker_console", cookie, domain="127.0.0.1", path="/")
    return Desk(world, browser, account)
