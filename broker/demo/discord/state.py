"""The memory of the simulated Discord.

Everything lives in one object: two simulators know nothing of each other. Time and randomness are
callables, so that a test can hold both still.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping

from joserfc.jwk import RSAKey

from broker.demo.discord.approvals import Approvals, InvalidGrantError
from broker.demo.discord.cast import CAST, GUILDS
from broker.demo.discord.events import Delivery, Events, Send
from broker.demo.discord.faults import Fault, Faults
from broker.demo.discord.people import Guild, Person, public_user
from broker.demo.discord.population import Population
from broker.demo.discord.ratelimit import DEFAULT_GLOBAL, DEFAULT_LIMITS, Limit, RateLimits
from broker.demo.discord.records import Authorization
from broker.demo.discord.traffic import Ban, Traffic

__all__ = ["InvalidGrantError", "SimulatedDiscord"]


class SimulatedDiscord(Population, Approvals):
    """Applications, people, and what they approved.

    `Population` has who lives here and in which guilds, `Approvals` what applications may do.

    Args:
        now: epoch seconds.
        token_bytes: so many random bytes.
        sleep: waits for so many seconds between the tries to deliver an event.
        send: posts an event, see `Events`.
        people: who exists at the start.
        guilds: which guilds exist at the start.
        limits: the rate limit of each route, for each user token.
        everything: the rate limit of each user token over all routes together.
        shared: the rate limit of each route over all tokens, where there is one.
        together: the rate limit over everything, where there is one.
        ban: when an address that sends invalid requests is shut out.

    Attributes:
        limits: what is left under the limits, which can be changed there.
        traffic: what came in and what was answered; `calls` is its count of requests by route.
        events: the event URLs of applications, and what was sent there.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
        sleep: Callable[[float], None] = time.sleep,
        send: Send | None = None,
        people: Iterable[Person] = CAST,
        guilds: Iterable[Guild] = GUILDS,
        limits: Mapping[str, Limit] = DEFAULT_LIMITS,
        everything: Limit = DEFAULT_GLOBAL,
        shared: Mapping[str, Limit] | None = None,
        together: Limit | None = None,
        ban: Ban = Ban(),  # noqa: B008 - it is frozen
    ) -> None:
        Population.__init__(self, people, guilds, now)
        Approvals.__init__(self, now, token_bytes)
        self.limits = RateLimits(self._time, limits, everything, shared, together)
        self.events = Events(self._time, sleep, send)
        self.faults = Faults()
        self.traffic = Traffic(self._time, ban)
        self.calls = self.traffic.calls
        self._signing_key: RSAKey | None = None

    def misbehave(self, route: str, fault: Fault) -> None:
        """Put a fault on a route (one of `faults.ROUTES`).

        Raises:
            ValueError: there is no such route.
        """
        self.faults.set(route, fault)

    def behave(self, route: str | None = None) -> None:
        """End the misbehaviour of one route, or of all."""
        self.faults.clear(route)

    def send_events(self, client_id: str, url: str) -> None:
        """Send an application's events to a URL, which must prove itself first (blocks).

        Raises:
            NotLoopbackError: the URL leads to another machine.
            EndpointRefusedError: it did not answer a PING with 204 and a bad signature with 401.
        """
        self.events.register(self.applications[client_id], url)

    def deauthorize(self, person_id: str, client_id: str) -> Delivery | None:
        """Withdraw what a person allowed an application, as in Discord's own settings.

        Returns:
            The event that tells the application, already on its way; None where it has no event
            URL, or the person had allowed it nothing.
        """
        person = self.person(person_id)
        if not self.withdraw(person.id, client_id):
            return None
        data = {"user": public_user(person)}
        return self.events.emit(self.applications[client_id], "APPLICATION_DEAUTHORIZED", data)

    def authorization(self, access_token: str) -> tuple[Authorization, float] | None:
        """Return what a live access token of somebody who exists stands for, and its end."""
        found = super().authorization(access_token)
        return found if found and found[0].person_id in self.people else None

    @property
    def signing_key(self) -> RSAKey:
        """The key that signs ID tokens, made when first asked for."""
        if self._signing_key is None:
            key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
            key.ensure_kid()
            self._signing_key = key
        return self._signing_key

    def _time(self) -> float:
        return self.now()
