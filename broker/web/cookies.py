"""Our two cookies: the session, and the key that ties a sign-in to its browser.

With https they bear the ``__Host-`` prefix, so that no other host or path can plant them
(RFC 6265bis §4.1.3). A plain-http loopback issuer cannot have that.
"""

import re
from typing import Final

from starlette.requests import Request

from broker.core.outcomes import SIGNED_OUT, Browser
from broker.web.answers import Header
from broker.web.edge_config import EdgeConfig
from broker.web.forms import header

MAX_DEVICE: Final = 200
_VALUE: Final = re.compile(r"[A-Za-z0-9_\-.~]{1,1024}")


class Cookies:
    """Reads and writes the cookies of one issuer.

    Args:
        config: says whether the issuer is https, and how long cookies are kept.
    """

    def __init__(self, config: EdgeConfig) -> None:
        prefix = "__Host-" if config.secure else ""
        self.session_name = f"{prefix}broker_session"
        self.browser_name = f"{prefix}broker_browser"
        self._session_lifetime = config.session_lifetime
        self._browser_lifetime = config.browser_lifetime
        self._attributes = "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if config.secure else "")

    def browser(self, request: Request) -> Browser:
        """Return what the browser brought; a cookie that came twice or malformed is ignored."""
        found: dict[str, list[str]] = {self.session_name: [], self.browser_name: []}
        for name, value in request.scope["headers"]:
            if name == b"cookie":
                _collect(value.decode("latin-1"), found)
        agent = header(request, b"user-agent").decode("latin-1")
        if not agent.isprintable():
            agent = "".join(filter(str.isprintable, agent))
        return Browser(
            key=_only(found[self.browser_name]),
            session=_only(found[self.session_name]),
            device=agent[:MAX_DEVICE],
        )

    def changes(
        self, *, session: str | None = None, browser: str | None = None, end_session: bool = False
    ) -> list[Header]:
        """Return the Set-Cookie headers for new values; None leaves a cookie as it is."""
        headers = []
        if browser is not None:
            headers.append(self._set(self.browser_name, browser, self._browser_lifetime))
        if session is not None:
            headers.append(self._set(self.session_name, session, self._session_lifetime))
        elif end_session:
            headers.append(self._set(self.session_name, SIGNED_OUT, self._session_lifetime))
        return headers

    def _set(self, name: str, value: str, lifetime: int) -> Header:
        if value and not _VALUE.fullmatch(value):
            raise ValueError(f"not a value for the cookie {name}")
        text = f"{name}={value}; Max-Age={lifetime}; {self._attributes}"
        return (b"set-cookie", text.encode("ascii"))


def only_cookie(request: Request, name: str) -> str | None:
    """Return a cookie of ours by its name; one that came twice or malformed is ignored."""
    found: dict[str, list[str]] = {name: []}
    for header_name, value in request.scope["headers"]:
        if header_name == b"cookie":
            _collect(value.decode("latin-1"), found)
    return _only(found[name])


def _collect(header: str, found: dict[str, list[str]]) -> None:
    for part in header.split(";"):
        name, equals, value = part.strip(" \t").partition("=")
        if equals and name in found:
            found[name].append(value)


def _only(values: list[str]) -> str | None:
    if len(values) != 1 or not _VALUE.fullmatch(values[0]):
        return None
    return values[0]
