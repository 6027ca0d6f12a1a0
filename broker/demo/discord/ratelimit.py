"""Rate limits as Discord counts them.

For each user token and route, for each token over all routes, and, where told to, for a route or
for everything over all tokens.
"""

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
    """Counts requests in fixed windows that open with their first request.

    Args:
        now: epoch seconds.
        limits: route → limit of each user token; of each application at the token endpoint.
        everything: of each user token, over all routes together; answered as `global`.
        shared: route → limit over all tokens together; answered as `shared`.
        together: over all routes and tokens, or None; answered as `global`.
    """

    def __init__(
        self,
        now: Callable[[], float],
        limits: Mapping[str, Limit] = DEFAULT_LIMITS,
        everything: Limit = DEFAULT_GLOBAL,
        shared: Mapping[str, Limit] | None = None,
        together: Limit | None = None,
    ) -> None:
        self._now = now
        self.limits = dict(limits)
        self.everything: Limit | None = everything
        self.shared = dict(shared or {})
        self.together = together
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def count(self, who: str, route: str, *, by_user: bool = True) -> Verdict:
        """Count one request on a route and say what the answer must carry.

        Args:
            who: the user token; the application where no token comes with the request.
            route: which.
            by_user: whether `who` is a user token.
        """
        now = self._now()
        wide = [(("", ""), self.together), ((who, ""), self.everything if by_user else None)]
        for key, limit in wide:
            _, over = self._take(key, limit, now)
            if over:
                return Verdict(refusal_headers(over, "global"), over, is_global=True)
        headers: dict[str, str] = {}
        narrow = [("shared", "", self.shared.get(route)), ("user", who, self.limits.get(route))]
        for scope, name, limit in narrow:
            if limit is not None:
                _, over = self._take((name, route), limit, now)
                headers = self._headers(name, route, limit, now)
                if over:
                    return Verdict(headers | refusal_headers(over, scope), over, is_global=False)
        return Verdict(headers, 0, is_global=False)

    def _headers(self, who: str, route: str, limit: Limit, now: float) -> dict[str, str]:
        """Return the headers of a bucket as its window stands."""
        opened, used = self._windows.get((who, route), (now, 0))
        ends = opened + limit.seconds
        return {
            "X-RateLimit-Limit": str(limit.requests),
            "X-RateLimit-Remaining": str(max(0, limit.requests - used)),
            "X-RateLimit-Reset": f"{ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.0, ends - now):.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(route.encode()).hexdigest()[:32],
        }

    def forget(self) -> None:
        """Open every window anew."""
        self._windows.clear()

    def _take(self, key: tuple[str, str], limit: Limit | None, now: float) -> tuple[int, float]:
        """Return the requests used in the window, and the seconds to wait if it was full."""
        if limit is None:
            return 0, 0.0
        opened, used = self._windows.get(key, (now, 0))
        if now >= opened + limit.seconds:
            opened, used = now, 0
        if used >= limit.requests:
            return used, max(0.001, round(opened + limit.seconds - now, 3))
        if len(self._windows) >= _KEPT_WINDOWS:
            self._windows.pop(next(iter(self._windows)))
        self._windows[key] = (opened, used + 1)
        return used + 1, 0.0


def refusal_headers(seconds: float, scope: str) -> dict[str, str]:
    """Return the headers of a 429: how long to wait, in whole seconds, and whose limit it is."""
    headers = {"Retry-After": str(math.ceil(seconds)), "X-RateLimit-Scope": scope}
    return headers | ({"X-RateLimit-Global": "true"} if scope == "global" else {})
