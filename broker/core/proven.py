"""Authorization headers that have proven a client before: to prove it again is a look.

A client sends the same header with each of its requests. What is kept of it is its SHA-256, as of
secrets in the database. Who is found here has sent all of it, the secret included; everybody else
is judged as ever.
"""

import hashlib
from collections import OrderedDict
from math import inf

from broker.core.client import Client
from broker.core.ports import Clients


class ProvenHeaders:
    """Headers, each with the client as it was when it was proven.

    One counts for as long as the client is the same record, which an edit replaces, and none of
    its secrets has ended since.

    Args:
        size: how many are kept.
    """

    def __init__(self, *, size: int = 4096) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, tuple[Client, float]] = OrderedDict()

    async def client(self, header: str, clients: Clients, now: float) -> Client | None:
        """Return the client that a header proves; None where it has to be judged.

        Args:
            header: as it came.
            clients: the registered ones, as they are now.
            now: UTC seconds.

        Raises:
            StoreUnavailable: a store is out of reach.
        """
        kept = self._kept.get(_digest(header))
        if kept is None:
            return None
        client, until = kept
        same = await clients.find(client.client_id) is client
        return client if same and now < until else None

    def keep(self, header: str, client: Client, now: float) -> None:
        """Keep a header that was judged, and has proven a client with a secret."""
        ends = (s.expires_at for s in client.secrets if s.expires_at is not None)
        key = _digest(header)
        self._kept[key] = client, min((end for end in ends if end > now), default=inf)
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


def _digest(header: str) -> bytes:
    return hashlib.sha256(header.encode()).digest()
