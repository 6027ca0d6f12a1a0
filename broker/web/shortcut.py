"""The way past everything: documents that are the same bytes for everybody.

Verifiers and client libraries poll the JWKS and the discovery documents, and proxies keep them. A
plain GET of one is answered here, from bytes built before, without an identifier and without a
line in the log. Whatever else is asked of them goes the usual way (``broker.web.dispatch``).
"""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.web.cors import ANY, EXPOSE
from broker.web.documents import Documents, Prebuilt
from broker.web.edge_config import EdgeConfig
from broker.web.middleware import common_headers
from broker.web.services import Observe

BODY: Final = "http.response.body"
_Messages = tuple[Message, Message]


class Shortcut:
    """Answers plain GETs of public documents; hands everything else on.

    Args:
        app: the usual way.
        documents: the public documents.
        config: says whether the issuer is https.
        observe: is told of each answer, or None.
    """

    def __init__(
        self,
        app: ASGIApp,
        documents: Documents,
        config: EdgeConfig,
        observe: Observe | None = None,
    ) -> None:
        self._observe = observe
        self._app = app
        self._common = (ANY, EXPOSE, *common_headers(config))
        self._current: dict[str, Callable[[], Prebuilt]] = {
            "/.well-known/jwks.json": documents.jwks.current,
            "/.well-known/openid-configuration": lambda: documents.openid_configuration,
            "/.well-known/oauth-authorization-server": lambda: documents.authorization_server,
        }
        self._built: dict[str, tuple[Prebuilt, _Messages]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        messages = self._answer(scope)
        if messages is None:
            await self._app(scope, receive, send)
            return
        if self._observe is not None:
            self._observe(scope["path"], "GET", 200, None)
        # The server takes what is in a message out of it, so each request sends copies.
        await send(dict(messages[0]))
        await send(dict(messages[1]))

    def _answer(self, scope: Scope) -> _Messages | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        current = self._current.get(scope["path"])
        if current is None or any(name == b"if-none-match" for name, _ in scope["headers"]):
            return None
        try:
            document = current()
        except Exception:  # noqa: BLE001 - the usual way has the words for it
            return None
        built = self._built.get(scope["path"])
        if built is None or built[0] is not document:
            built = document, self._messages(document)
            self._built[scope["path"]] = built
        return built[1]

    def _messages(self, document: Prebuilt) -> _Messages:
        headers = [*document.headers, (b"cache-control", document.cache), *self._common]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        return start, {"type": BODY, "body": document.body}
