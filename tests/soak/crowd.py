"""Who uses the broker meanwhile, and writes down what they saw."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from broker.core.handles import Handles, Kind
from tests.clients.rotation.people import max_age
from tests.faults.people import CLIENT, SECRET, Person, generation
from tests.faults.waiting import kid_of
from tests.soak.history import History, Outcome, Record, What

HANDLES = Handles((SECRET.encode(),))
PATIENCE = 4.0  # seconds for an answer
GONE = (httpx2.TransportError, httpx2.DecodingError, ValueError)


class Verifier:
    """A service that keeps its copy of the JWKS as long as it may, and no longer."""

    def __init__(self, http: httpx2.AsyncClient, history: History) -> None:
        self._http = http
        self._history = history
        self._kids: set[str] = set()
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def verify(self, token: str, line: str) -> None:
        """Look for the token's key; a copy that is too old is fetched first."""
        began, kid = time.time(), kid_of(token)
        async with self._lock:
            if began >= self._until and not await self._fetch():
                return
        outcome = Outcome.OK if kid in self._kids else Outcome.REFUSED
        self._history.add(Record(What.VERIFY, outcome, began, time.time(), line, kid=kid))

    async def _fetch(self) -> bool:
        asked = time.time()
        try:
            answer = await self._http.get("/.well-known/jwks.json")
            kids = {key["kid"] for key in answer.raise_for_status().json()["keys"]}
        except (httpx2.HTTPError, *GONE) as error:
            failed = Record(What.JWKS, Outcome.UNKNOWN, asked, time.time(), said=repr(error))
            self._history.add(failed)
            return False
        self._history.add(Record(What.JWKS, Outcome.OK, asked, time.time()))
        self._kids, self._until = kids, asked + max_age(answer)
        return True


@dataclass
class Crowd:
    """All of them, and what they share.

    Attributes:
        issuer: where people sign in.
        http: over the proxy.
        history: where they write.
        random: what they do is drawn from it.
        verifier: judges every access token.
        over: set when they are to stop.
        lines: the grants of each person.
    """

    issuer: str
    http: httpx2.AsyncClient
    history: History
    random: Random
    verifier: Verifier
    over: asyncio.Event = field(default_factory=asyncio.Event)
    lines: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    async def honest(self, name: str) -> None:
        """Refresh with the newest token, for ever; sign in again only when refused."""
        while not self.over.is_set():
            line = await self.sign_in(name)
            while line and not self.over.is_set() and not line.dead:
                await line.refresh()
                await asyncio.sleep(self.random.uniform(0.05, 0.25))

    async def thief(self, name: str) -> None:
        """Present a spent token after the grace time, then the newest."""
        while not self.over.is_set():
            line = await self.sign_in(name)
            if line is None or not await line.serve(3):
                continue
            stolen = line.tokens[self.random.randrange(len(line.tokens) - 1)]
            await asyncio.sleep(self.history.grace + 1.5)
            if not self.over.is_set():
                await line.surely(stolen)
                await line.refresh()
                await line.userinfo()

    async def quitter(self, name: str) -> None:
        """Revoke, and try what is left."""
        while not self.over.is_set():
            line = await self.sign_in(name)
            if line is None or not await line.serve(self.random.randint(1, 4)):
                continue
            while not await line.revoke() and not self.over.is_set():
                await asyncio.sleep(0.2)
            for token in line.tokens[-2:]:
                await line.surely(token)
            await line.userinfo()

    async def sign_in(self, name: str) -> "Line | None":
        """Sign in and redeem the code; None where the broker could not."""
        began = time.time()
        try:
            found = await asyncio.to_thread(Person(self.issuer, name).tokens)
        except (httpx2.HTTPError, AssertionError, KeyError, ValueError) as error:
            failed = Record(What.BORN, Outcome.UNKNOWN, began, time.time(), said=repr(error))
            self.history.add(failed)
            await asyncio.sleep(0.5)
            return None
        line = Line(self, found)
        self.lines[name].append(line.name)
        line.note(What.BORN, began, None, found)
        return line


class Line:
    """One grant."""

    def __init__(self, crowd: Crowd, found: dict[str, Any]) -> None:
        self._crowd = crowd
        self.tokens = [found["refresh_token"]]
        self.access = found["access_token"]
        handle = HANDLES.open(Kind.REFRESH, self.tokens[0])
        assert handle is not None
        self.account_id, self.name = handle.account_id, handle.item_id
        self.dead = False

    async def refresh(self, token: str = "") -> Outcome:
        """Refresh once, with the newest token unless another is given."""
        given, began = token or self.tokens[-1], time.time()
        asked = {"grant_type": "refresh_token", "refresh_token": given}
        outcome, answer = await self._ask("POST", "/token", asked)
        found: dict[str, Any] = answer if outcome is Outcome.OK else {}
        self.note(What.REFRESH, began, given, found, outcome, str(answer))
        if found:
            if generation(found["refresh_token"]) > generation(self.tokens[-1]):
                self.tokens.append(found["refresh_token"])
            self.access = found["access_token"]
            await self._crowd.verifier.verify(self.access, self.name)
        self.dead |= outcome is Outcome.REFUSED
        return outcome

    async def serve(self, times: int) -> bool:
        """Refresh until that many answers came; False where it ended before."""
        until = len(self.tokens) + times
        while len(self.tokens) < until and not self.dead and not self._crowd.over.is_set():
            await self.refresh()
            await asyncio.sleep(0.05)
        return len(self.tokens) >= until

    async def surely(self, token: str) -> None:
        """Present a token until there is an answer."""
        while await self.refresh(token) is Outcome.UNKNOWN and not self._crowd.over.is_set():
            await asyncio.sleep(0.2)

    async def revoke(self) -> bool:
        """Revoke the grant; whether that was acknowledged."""
        began = time.time()
        outcome, answer = await self._ask("POST", "/revoke", {"token": self.tokens[-1]})
        self._add(What.REVOKE, outcome, began, said=str(answer))
        return outcome is Outcome.OK

    async def userinfo(self) -> None:
        """Use the access token."""
        began = time.time()
        headers = {"authorization": f"Bearer {self.access}"}
        outcome, answer = await self._ask("GET", "/userinfo", None, headers)
        self._add(What.USERINFO, outcome, began, said=str(answer))

    async def _ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None,
        headers: dict[str, str] | None = None,
    ) -> tuple[Outcome, Any]:
        data = None if form is None else {"client_id": CLIENT.client_id} | form
        try:
            answer = await self._crowd.http.request(method, path, data=data, headers=headers)
            said = answer.json() if answer.content else {}
        except GONE as error:
            return Outcome.UNKNOWN, repr(error)
        if answer.status_code == 200:
            return Outcome.OK, said
        if answer.status_code == 503 and "retry-after" in answer.headers:
            return Outcome.UNKNOWN, said
        refused = said.get("error") == "invalid_grant" or (form is None and headers)
        if answer.status_code in {400, 401} and refused:
            return Outcome.REFUSED, said
        return Outcome.WRONG, f"{answer.status_code} {said}"

    def note(
        self,
        what: What,
        began: float,
        given: str | None,
        found: dict[str, Any],
        outcome: Outcome = Outcome.OK,
        said: str = "",
    ) -> None:
        """Write down a step of the grant."""
        self._add(
            what,
            outcome,
            began,
            given=None if given is None else generation(given),
            got=generation(found["refresh_token"]) if found else None,
            kid=kid_of(found["access_token"]) if found else "",
            said=said,
        )

    def _add(self, what: What, outcome: Outcome, began: float, **more: Any) -> None:
        if "said" in more and outcome is Outcome.OK:
            more["said"] = ""
        record = Record(what, outcome, began, time.time(), self.name, **more)
        self._crowd.history.add(record)
