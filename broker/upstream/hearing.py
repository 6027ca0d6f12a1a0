"""What an answer says of limits, in headers and body.

Source: Discord's API documentation, "Rate Limits". ``Retry-After`` (RFC 9110 §10.2.3) is read where
it names seconds; a date counts as not said.
"""

import json
import math
import re
from typing import Any, Final

import httpx2

from broker.core.budget import Heard, Reach

MAX_WAIT: Final = 3600.0  # seconds; longer waits are asked again
DEFAULT_WAIT: Final = 5.0  # seconds, where an upstream does not say
MOST: Final = 1_000_000  # calls in a window; beyond that it is no limit
BUCKET: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
SCOPES: Final = {"user": Reach.BUCKET, "shared": Reach.ROUTE, "global": Reach.ALL}


def heard_of(answer: httpx2.Response) -> Heard:
    """Return what an answer says of limits; what makes no sense counts as not said.

    Args:
        answer: with its body read.
    """
    headers, status = answer.headers, answer.status_code
    bucket = headers.get("x-ratelimit-bucket", "")
    limited, told = status == 429, 0.0
    if limited:
        told = max(seconds(headers.get("retry-after")), seconds(_body(answer).get("retry_after")))
    elif status == 503:
        told = seconds(headers.get("retry-after"))
    scope = headers.get("x-ratelimit-scope", "")
    return Heard(
        answered=True,
        bucket=bucket if BUCKET.fullmatch(bucket) else None,
        limit=_number(headers.get("x-ratelimit-limit")),
        left=_number(headers.get("x-ratelimit-remaining")),
        reset=seconds(headers.get("x-ratelimit-reset-after")),
        wait=(told or DEFAULT_WAIT) if limited else told,
        reach=_reach(answer, scope) if limited else Reach.ROUTE,
        guessed=limited and not told,
        limited=limited,
        # Discord does not hold a limit against us that others exceed with us.
        refusal=status in {401, 403} or (limited and scope != "shared"),
        dead=status == 401,
    )


def _reach(answer: httpx2.Response, scope: str) -> Reach:
    """Return for whom a 429 is.

    Cloudflare's page (error 1015, HTML) is about our address, and so about everything.
    """
    if scope in SCOPES:
        return SCOPES[scope]
    if answer.headers.get("x-ratelimit-global", "").lower() == "true":
        return Reach.ALL
    return Reach.ROUTE if _body(answer).get("global") is False else Reach.ALL


def _body(answer: httpx2.Response) -> dict[str, Any]:
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def seconds(value: Any) -> float:
    """Return a number of seconds between 0 and an hour; 0 for what is none."""
    try:
        told = float(value)
    except (TypeError, ValueError, OverflowError):  # JSON knows integers of any size
        return 0.0
    return min(told, MAX_WAIT) if math.isfinite(told) and told > 0 else 0.0


def _number(value: str | None) -> int:
    """Return a count of calls."""
    sound = value is not None and value.isascii() and value.isdecimal() and len(value) < 8
    number = int(value) if sound and value is not None else 0
    return number if number <= MOST else 0
