"""What the tests of the core share: a hand clock, counted entropy, clients in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

from broker.core.apis import Api
from broker.core.model import Client, ClientSecret
from broker.core.parameters import Parameters
from broker.core.signing import SigningAlgorithms

NOW = 1_800_000_000.0
SECRET = b"s" * 32
OTHER_SECRET = b"o" * 32


@dataclass
class Hands:
    """A clock that is turned by hand."""

    at: float = NOW

    def now(self) -> float:
        return self.at


class Ticking:
    """A clock that goes by itself unless it is stopped, and is turned on by hand besides."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._began = monotonic()
        self._stopped: float | None = None

    def now(self) -> float:
        ends = monotonic() if self._stopped is None else self._stopped
        return self._hands.at + ends - self._began

    def stop(self) -> None:
        """Go by the hand alone, however long the machine takes for what follows."""
        self._stopped = monotonic()

    def go_on(self) -> None:
        """Go by itself again."""
        if self._stopped is not None:
            self._began += monotonic() - self._stopped
            self._stopped = None


@dataclass
class Counted:
    """Entropy that never repeats and is the same in every run."""

    seed: bytes = b"test"
    numbers: "count[int]" = field(default_factory=count)

    def token(self, size: int) -> bytes:
        return hashlib.shake_256(self.seed + str(next(self.numbers)).encode()).digest(size)


class Known:
    """The ``Clients`` port over a dictionary."""

    def __init__(self, *clients: Client) -> None:
        self._clients = {client.client_id: client for client in clients}

    async def find(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)


class KnownApis:
    """The ``Apis`` port over a dictionary."""

    def __init__(self, *apis: Api) -> None:
        self.by_identifier = {api.identifier: api for api in apis}

    async def registered(self) -> Mapping[str, Api]:
        return self.by_identifier


def signing(*apis: Api, on: tuple[str, ...] = ("RS256",)) -> SigningAlgorithms:
    """The choice of algorithms over these APIs."""
    return SigningAlgorithms(KnownApis(*apis), on)


def kept(secret: str, expires_at: float | None = None) -> ClientSecret:
    """A client secret as an operator's command keeps it."""
    return ClientSecret(hashlib.sha256(secret.encode()).hexdigest(), NOW, expires_at)


def params(*pairs: tuple[str, str], **named: str) -> Parameters:
    return Parameters((*named.items(), *pairs))
