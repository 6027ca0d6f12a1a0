"""When a person was seen to authenticate (``auth_time``, OpenID Connect Core §2).

An upstream that passes through whom it knows says who it is, and not that the person is there. So a
trip counts where its upstream says when the person authenticated, or else where it was asked to
show a page of its own. After any other trip a session keeps the time that it had, and a new one has
none: ``UNKNOWN`` is before every other moment, so it is recent enough for nothing, and no token
tells it.
"""

from typing import Final

from broker.core import vocabulary as v
from broker.core.claims import AUTH_TIME, UNKNOWN
from broker.core.desk import fresh
from broker.core.federation import SignedIn
from broker.core.handles import Handle
from broker.core.model import AuthorizationRequest, PendingRequest
from broker.core.outcomes import SIGNED_OUT, Browser

KNOWN: Final = UNKNOWN + 1  # the earliest time that is one


def seen(pending: PendingRequest, signed_in: SignedIn, *, began: float) -> float:
    """Return when the person whom a trip has brought back last authenticated, or ``UNKNOWN``.

    Args:
        pending: the request, as it was when its trip was closed.
        signed_in: as upstream says.
        began: UTC seconds at which upstream was asked who it is.
    """
    if signed_in.auth_time is not None:
        return max(min(signed_in.auth_time, began), UNKNOWN)
    return began if pending.asking else UNKNOWN


def on_trip(pending: PendingRequest, auth_time: float, *, skew: float) -> bool:
    """Whether a person who authenticated at that moment did so on the request's trip.

    Args:
        pending: the request, as it was when its trip was closed.
        auth_time: as ``seen`` returns it.
        skew: seconds by which upstream's clock may differ.
    """
    return auth_time > UNKNOWN and auth_time >= pending.trip_at - skew


def anew(pending: PendingRequest | None, session: Handle | None) -> bool:
    """Whether the person was seen to authenticate for this very request, into this very session."""
    return pending is not None and pending.seen and fresh(pending, session)


def in_vain(pending: PendingRequest, session: Handle | None) -> bool:
    """Whether upstream was asked to have the person authenticate, and has let them pass instead.

    So it is where it cannot do better, or where somebody took the demand out of its address.
    """
    return pending.asking and not pending.seen and fresh(pending, session)


def least(request: AuthorizationRequest, now: float) -> float:
    """Return the earliest ``auth_time`` that will do for a request; ``UNKNOWN`` for any.

    Where it is an essential claim (Core §5.5.1), any will do that is known; with a ``max_age``,
    however great, it has to be known too, for then it is told (§2).
    """
    if request.max_age is not None:
        return max(now - request.max_age, KNOWN)
    return KNOWN if AUTH_TIME in (request.claims or {}) else UNKNOWN


def upstream_prompt(request: AuthorizationRequest, browser: Browser) -> str:
    """Return what to ask of upstream: ``none`` to pass through where it was approved before.

    Discord cannot force a new login; its ``consent`` is the nearest there is, and the only page
    with a way to another account. Whoever has signed out here wants to see it.
    """
    asks_again = {v.PROMPT_LOGIN, v.PROMPT_SELECT}.intersection(request.prompt)
    wants_time = request.max_age is not None or AUTH_TIME in (request.claims or {})
    if asks_again or wants_time or browser.session == SIGNED_OUT:
        return "consent"
    return "none"
