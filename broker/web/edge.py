"""What every endpoint is handed beside the request."""

from dataclasses import dataclass

from starlette.requests import Request

from broker.core.outcomes import Redirect
from broker.web.answers import Answer, redirect_answer
from broker.web.cookies import Cookies
from broker.web.docs.render import Docs
from broker.web.documents import Documents
from broker.web.edge_config import EdgeConfig
from broker.web.services import Services
from broker.web.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Edge:
    """The tools of an endpoint.

    Attributes:
        services: the core.
        config: the edge's settings.
        cookies: reads and writes our cookies.
        pages: writes our pages, in the language of whoever asks.
        documents: bytes that were built before.
        docs: the pages for developers.
    """

    services: Services
    config: EdgeConfig
    cookies: Cookies
    pages: Shelf
    documents: Documents
    docs: Docs

    def go_on(self, outcome: Redirect, request: Request) -> Answer:
        """Send the browser on, with 303, or with a page that posts (Form Post Response Mode)."""
        if outcome.fields is None:
            return redirect_answer(outcome.location)
        pages = self.pages.speaking(request, outcome.ui_locales)
        return pages.form_post(outcome.location, outcome.fields, outcome.client)
