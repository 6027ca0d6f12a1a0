"""Builds each page when it is first asked for, and keeps it: the same bytes for everybody."""

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined

from broker.core.texts import Listed
from broker.web.answers import HTML, PAGE
from broker.web.docs import claims
from broker.web.docs.manual import Manual
from broker.web.docs.stacks import API, APP, STACKS
from broker.web.documents import Prebuilt, prebuilt, static_files
from broker.web.edge_config import EdgeConfig

CACHE: Final = b"public, max-age=60"
_SUFFIX: Final = ".jinja"
_CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none';"
    " base-uri 'none'; form-action 'none'"
)
# The one page with a script of ours: it may call us and nobody else.
_TRY_CSP: Final = (
    f"{_CSP}; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
)

_EXAMPLES: Final = {"app": APP, "api": API, "access_seconds": "300", "discord_client_id": ""}


def snippets(**values: str) -> dict[str, str]:
    """Return what there is to copy, by file name, with these values filled in.

    Args:
        values: ``issuer`` and ``brand``, and what else is not to be as in the examples: ``app``,
            ``api``, ``access_seconds``, ``discord_client_id``.
    """
    env = Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - text; the page that shows it escapes it
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["quoted"] = partial(json.dumps, ensure_ascii=False)
    filled = _EXAMPLES | values
    return {
        item.name.removesuffix(_SUFFIX): env.from_string(item.read_text("utf-8")).render(filled)
        for item in files("broker.web.docs").joinpath("snippets").iterdir()
        if item.name.endswith(_SUFFIX)
    }


class Docs:
    """The pages.

    Args:
        manual: what they tell; None where there are none.
        config: issuer, brand and where people sign in.
    """

    def __init__(self, manual: Manual | None, config: EdgeConfig) -> None:
        self._manual = manual
        self._config = config
        self._templates = _addresses(manual)
        self._env: Environment | None = None
        self._built: dict[str, Prebuilt] = {}

    def get(self, name: str) -> Prebuilt | None:
        """Return a page by the last part of its address (the overview has none), or None."""
        if self._manual is None or name not in self._templates:
            return None
        if name not in self._built:
            self._env = self._env or _environment(self._manual, self._config)
            text = self._env.get_template(self._templates[name]).render(here=name)
            self._built[name] = _document(text, _TRY_CSP if name == "try" else _CSP)
        return self._built[name]


def _addresses(manual: Manual | None) -> Mapping[str, str]:
    """Return the template of each page."""
    if manual is None:
        return {}
    pages = {"": "overview.html", **{stack.name: f"{stack.name}.html" for stack in STACKS}}
    return pages if manual.try_client is None else pages | {"try": "try.html"}


def _environment(manual: Manual, config: EdgeConfig) -> Environment:
    """Return what the templates know."""
    env = Environment(
        loader=DictLoader(_templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.globals |= _known(manual, config)
    env.filters["spoken"] = Listed
    return env


def _known(manual: Manual, config: EdgeConfig) -> dict[str, Any]:
    values = {
        "issuer": config.issuer,
        "brand": config.brand,
        "access_seconds": str(manual.access_token_lifetime),
        "discord_client_id": manual.discord_client_id,
    }
    return {
        **values,
        "manual": manual,
        "metadata": manual.metadata,
        "providers": config.providers,
        "stacks": STACKS,
        "claims": claims,
        "snippets": snippets(**values),
        "app": APP,
        "api": API,
        "look": config.look,
        "static": {item.source: f"/static/{item.name}" for item in static_files(config.look)},
    }


def _templates() -> dict[str, str]:
    """Return the pages, and the parts that other pages of ours have too."""
    here = {
        item.name: item.read_text("utf-8")
        for item in files("broker.web.docs").joinpath("pages").iterdir()
        if item.name.endswith(".html")
    }
    parts = files("broker.web").joinpath("pages", "parts.html").read_text("utf-8")
    return here | {"parts.html": parts}


def _document(text: str, csp: str) -> Prebuilt:
    policy = (b"content-security-policy", csp.encode("ascii"))
    return prebuilt(text.encode(), CACHE, HTML, policy=policy, more=PAGE)
