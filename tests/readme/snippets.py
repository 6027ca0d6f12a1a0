"""The README's examples, cut out so that tests can run them."""

import re

from tests.readme.settings_table import README

ISSUER = "https://id.example.org"
AUDIENCE = "https://api.example.org"
CALLBACK = "https://game.example.org/callback"


def snippet(name: str, **instead: str) -> str:
    """Return the example marked ``<!-- snippet: name -->``, some of its values replaced.

    Args:
        name: as in the mark.
        instead: what to put for ``issuer``, ``audience`` and ``callback``.
    """
    found = re.search(
        rf"<!-- snippet: {re.escape(name)} -->\n *```\w+\n(.*?)```",
        README.read_text("utf-8"),
        re.DOTALL,
    )
    assert found is not None, f"the README has no example {name}"
    text = found[1]
    for word, example in (("issuer", ISSUER), ("audience", AUDIENCE), ("callback", CALLBACK)):
        if word in instead:
            text = text.replace(example, instead[word])
    return text
