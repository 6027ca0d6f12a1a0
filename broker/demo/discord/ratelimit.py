"""Rate limits as Discord counts them: for each user token and route, and one over all routes."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in a window of so many seconds."""

    requests: int
    seconds: float


# Discord publishes no numbers; that of a member record was measured, the others are generous.
DEFAULT_LIMITS: Mapping[str, Limit] = {
    "/users/@me": Limit(30, 10),
    "/users/@me/guilds": Limit(10, 10),
    "/users/@me/guilds/{guild_id}/member": Limit(5, 300),
    "/oauth2/@me": Limit(30, 10),
    "/oauth2/userinfo": Limit(30, 10),
}
DEFAULT_GLOBAL = Limit(50, 1)
_KEPT_WINDOWS = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one request: its headers, and whether it is refused."""

    headers: Mapping[str, str]
    retry_after: float
    is_global: bool

    @property
    def refused(self) -> bool:
        """Whether the request is over the limit."""
        return self.retry_after > 0


class RateLimits:
    """Counts requests in fixed windows that open with their first request."""

    def __init__(
        self,
        now: Callable[[], float],
        limits: Mapping[str, Limit] = DEFAULT_LIMITS,
        everything: Limit = DEFAULT_GLOBAL,
    ) -> None:
        self._now = now
        self.limits = dict(limits)
        self.everything = everything
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def count(self, token: str, route: str) -> Verdict:
        """Count one request of a token on a route and say what the answer must carry."""
        now = self._now()
        _, over = self._take((token, "*"), self.everything, now)
        if over:
            return Verdict(_refusal_headers(over, "global"), over, is_global=True)
        limit = self.limits.get(route)
        if limit is None:
            return Verdict({}, 0, is_global=False)
        used, over = self._take((token, route), limit, now)
        ends = self._windows[token, route][0] + limit.seconds
        headers = {
            "X-RateLimit-Limit": str(limit.requests),
            "X-RateLimit-Remaining": str(max(0, limit.requests - used)),
            "X-RateLimit-Reset": f"{ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.0, ends - now):.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
        }
        if over:
            headers |= _refusal_headers(over, "user")
        return Verdict(headers, over, is_global=False)

    def forget(self) -> None:
        """Open every window anew."""
        self._windows.clear()

    def _take(self, key: tuple[str, str], limit: Limit, now: float) -> tuple[int, float]:
        """Return the requests used in the window, and the seconds to wait if it was full."""
        opened, used = self._windows.get(key, (now, 0))
        if now >= opened + limit.seconds:
            opened, used = now, 0
        if used >= limit.requests:
            return used, max(0.001, round(opened + limit.seconds - now, 3))
        if len(self._windows) >= _KEPT_WINDOWS:
            self._windows.pop(next(iter(self._windows)))
        self._windows[key] = (opened, used + 1)
        return used + 1, 0.0


def _refusal_headers(seconds: float, scope: str) -> dict[str, str]:
    headers = {"Retry-After": str(math.ceil(seconds)), "X-RateLimit-Scope": scope}
    return headers | ({"X-RateLimit-Global": "true"} if scope == "global" else {})
