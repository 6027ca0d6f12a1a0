"""A broker that breaks one rule about its keys, to see that the run notices.

``python -m tests.clients.rotation.broken console|serve``; ``ROTATION_BREAKS`` names the rule. The
workers of a server run this module as well, so that they break it too.
"""

import os
import sys

from keys import policy
from keys.model import KeyRecord
from keys.policy import Policy
from keys.rotation import Rotation

NO_LEAD = "no-lead"
NO_OVERLAP = "no-overlap"
UNPUBLISHED = "unpublished"
RULES = (NO_LEAD, NO_OVERLAP, UNPUBLISHED)
RULE = "ROTATION_BREAKS"

_published = policy.published


def without_successor(
    records: tuple[KeyRecord, ...], now: float, times: Policy
) -> tuple[KeyRecord, ...]:
    """Return the keys of a JWKS that does not name the one that signs next."""
    shown = _published(records, now, times)
    return tuple(r for r in shown if policy.state(r, records, now, times) != "next")


if os.environ.get(RULE) == NO_LEAD:
    Policy.lead = property(lambda _: 0.0)  # type: ignore[method-assign,assignment]
    # Each change-over counts, one right after another too.
    Rotation._just_relieved = lambda *_: None  # type: ignore[method-assign]
if os.environ.get(RULE) == NO_OVERLAP:
    Policy.overlap = property(lambda _: 0.0)  # type: ignore[method-assign,assignment]
if os.environ.get(RULE) == UNPUBLISHED:
    policy.published = without_successor  # type: ignore[assignment]

if __name__ == "__main__":
    if sys.argv[1] == "console":
        from tests.clients.rotation.console import main
    elif sys.argv[1].startswith("{"):  # what a worker is handed
        from broker.app.worker import main
    else:
        from broker.app import spawning
        from broker.cli import main

        spawning.MODULE = "tests.clients.rotation.broken"  # type: ignore[misc]
    main()
