"""The templates of our pages: how they are found, compiled, and speak."""

from importlib.resources import files
from typing import Any

from jinja2 import BytecodeCache, DictLoader, Environment, StrictUndefined
from jinja2.bccache import Bucket

from broker.core.texts import Listed
from broker.web.languages import Speech


class Compiled(BytecodeCache):
    """Templates that were compiled for one language, and serve for all."""

    def __init__(self) -> None:
        self._code: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill in what was compiled before."""
        bucket.code = self._code.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled now."""
        self._code[bucket.key] = bucket.code


def environment(speech: Speech, compiled: Compiled) -> Environment:
    """Return what renders the templates in one language; whatever they show is escaped.

    Args:
        speech: the language.
        compiled: what was compiled for other languages.
    """
    sources = {
        item.name: item.read_text("utf-8")
        for item in files("broker.web").joinpath("pages").iterdir()
        if item.name.endswith(".html")
    }
    env = Environment(
        loader=DictLoader(sources),
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=compiled,
        finalize=speech.said,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    _install_catalogue(env, speech)
    env.filters |= {"spoken": Listed, "said": speech.said}
    return env


def _install_catalogue(env: Environment, speech: Speech) -> None:
    """Let templates speak (Jinja's i18n extension): what they say is marked up, its parts are not.

    The extension's functions have no types.
    """
    install: Any = env.install_gettext_translations  # type: ignore[attr-defined]
    install(speech.messages, newstyle=True)
