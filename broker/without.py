"""Importing a library without the companions that it takes along wherever they are installed.

Some libraries look for others as they are imported, for uses that the broker makes none of; every
process of it would carry those, and wait for them at its start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let packages look as if they were not installed, until the block ends.

    For imports at the top of a module, and for nothing else: all threads see it. A package that
    is loaded already is left as it is.

    Args:
        names: of top-level packages.
    """
    loaded: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in loaded]
    # An import that finds None here raises ModuleNotFoundError (Language Reference §5.3.1).
    loaded.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            loaded.pop(name, None)
