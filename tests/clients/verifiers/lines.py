"""What a verifier program hears and says.

Its argument: ``issuer``, ``jwks`` (an address), ``lifetime`` and ``skew`` in seconds, ``audience``
by kind of token, and ``keeps``: 1, or how many times longer than allowed it keeps its copy (that is
in ``lifetime`` already).

It hears ``{"n", "kind", "token", "received"}`` and says for each
``{"n", "ok", "why", "age", "at"}``: ``why`` it is refused, the ``age`` in seconds of the copy it
was judged by, ``at`` what time. Where it asks for a new copy it says
``{"fetched_after", "allowed"}``: the age of the one it had (None at first) and how old that might
have become; ``{"reset"}`` where a connection was cut, after which it asks once more.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

UNKNOWN_KEY: Final = "unknown key"
EXPIRED: Final = "expired"
ATTEMPTS: Final = 3


def arguments() -> dict[str, Any]:
    """Return what the program was started with."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


class Refused(Exception):
    """A token is refused; the text says why."""


class CutOff(Exception):
    """The connection that was to bring a new copy was cut; whoever asks again is served."""


def say(value: dict[str, Any]) -> None:
    """Say something."""
    print(json.dumps(value), flush=True)


class CopyAge:
    """How old the copy of the JWKS is."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._allowed: float | None = None

    def asking(self) -> None:
        """Tell that a new copy is asked for."""
        say({"fetched_after": self.seconds, "allowed": self._allowed})

    def renewed(self, allowed: float, since: float | None = None) -> None:
        """Count anew.

        Args:
            allowed: how old the copy may become, in seconds.
            since: from when to count, on the monotonic clock; from now unless given.
        """
        self._allowed = allowed
        self._since = time.monotonic() if since is None else since

    @property
    def seconds(self) -> float | None:
        """How old it is; None before the first."""
        return None if self._since is None else time.monotonic() - self._since


def answer(judge: Callable[[str, str], None], copy: CopyAge) -> None:
    """Judge what comes until there is no more.

    Args:
        judge: takes a token's kind and the token; raises `Refused` or `CutOff`.
        copy: the age of what it judges by.
    """
    for line in sys.stdin:
        asked = json.loads(line)
        why = _judged(judge, asked["kind"], asked["token"])
        verdict = {"n": asked["n"], "ok": why is None, "why": why}
        say(verdict | {"age": copy.seconds, "at": time.time()})


def _judged(judge: Callable[[str, str], None], kind: str, token: str) -> str | None:
    """Return why a token is refused, or None."""
    for _ in range(ATTEMPTS):
        try:
            judge(kind, token)
        except Refused as error:
            return str(error)
        except CutOff as error:
            say({"reset": str(error)})
        except Exception as error:
            return repr(error)
        else:
            return None
    return "the JWKS cannot be fetched"
