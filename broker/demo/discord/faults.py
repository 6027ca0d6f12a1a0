"""How the simulated Discord can be told to misbehave."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "status",  # answers with `status` and a JSON error
    "delay",  # waits `seconds`, then answers as usual
    "html",  # an HTML page with `status`, such as Cloudflare's 1015 page on 429
    "rate_limited",  # 429 with `seconds` as retry_after, and `scope`
    "huge",  # a JSON document of `size` bytes
    "drop",  # closes the connection, the request not acted upon
    "lost_answer",  # acts on the request, then closes the connection
    "truncated",  # the usual answer, cut in half
    "not_json",  # the usual status, and a body that is no JSON
    "missing",  # the usual answer without `fields`
    "replaced",  # the usual answer with `fields` set to null
    "bot",  # the profile of a bot account
    "unverified",  # a profile whose e-mail was never confirmed
    "no_email",  # a profile without e-mail and `verified`
]
KINDS: tuple[str, ...] = get_args(Kind)

ROUTES = (
    "*",
    "/oauth2/authorize",
    "/oauth2/token",
    "/oauth2/token/revoke",
    "/users/@me",
    "/users/@me/guilds",
    "/users/@me/guilds/{guild_id}/member",
    "/oauth2/@me",
    "/oauth2/userinfo",
    "/oauth2/keys",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave; `times` says for how many requests, None until told otherwise."""

    kind: Kind
    times: int | None = None
    status: int = 503
    seconds: float = 1.0
    size: int = 64 * 1024 * 1024
    fields: tuple[str, ...] = ()
    scope: Literal["user", "global", "shared"] = "user"

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist: a test must not pass because of a typing error."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of misbehaviour {self.kind!r}; one of {KINDS}")


class Faults:
    """The faults in force, one for each route; that of a route goes before that of `*`."""

    def __init__(self) -> None:
        self._by_route: dict[str, Fault] = {}
        self._left: dict[str, int | None] = {}

    def set(self, route: str, fault: Fault) -> None:
        """Put a fault on a route (one of `ROUTES`), in place of any other there.

        Raises:
            ValueError: there is no such route.
        """
        if route not in ROUTES:
            raise ValueError(f"unknown route {route!r}; one of {ROUTES}")
        self._by_route[route] = fault
        self._left[route] = fault.times

    def clear(self, route: str | None = None) -> None:
        """Behave again, on one route or on all."""
        for name in [route] if route else list(self._by_route):
            self._by_route.pop(name, None)
            self._left.pop(name, None)

    def take(self, route: str) -> Fault | None:
        """Return the fault for a request on a route, counting it."""
        name = route if route in self._by_route else "*"
        fault, left = self._by_route.get(name), self._left.get(name)
        if fault is None or left is None:
            return fault
        if left <= 1:
            self.clear(name)
        else:
            self._left[name] = left - 1
        return fault if left > 0 else None
