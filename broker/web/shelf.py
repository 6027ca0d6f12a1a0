"""The pages in every language, and which of them a request gets."""

from starlette.requests import Request

from broker.web import languages
from broker.web.edge_config import EdgeConfig
from broker.web.render import Pages
from broker.web.templating import Compiled


class Shelf:
    """All pages in all languages.

    Args:
        config: what pages show.
        docs: whether there are pages for developers to lead to.
    """

    def __init__(self, config: EdgeConfig, *, docs: bool = False) -> None:
        compiled = Compiled()
        self._pages = {
            tag: Pages(config, speech, compiled, docs=docs)
            for tag, speech in languages.speeches().items()
        }
        self._known = tuple(self._pages)
        self.english = self._pages[languages.ENGLISH]

    def speaking(self, request: Request, ui_locales: str | None = None) -> Pages:
        """Return the pages in the language of whoever asks.

        Args:
            request: its Accept-Language counts, and before that its ``ui_locales``.
            ui_locales: what the app asked for when this sign-in began; counts before both.
        """
        asked = ui_locales or request.query_params.get("ui_locales")
        accepted = request.headers.get("accept-language")
        return self._pages[languages.chosen(self._known, asked, accepted)]
