"""What is worked out once for a client, not at each of its requests.

Records of clients and of APIs never change: one that was edited is another object. So what follows
from both is good for as long as both are the same objects.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from broker.core.apis import Api
from broker.core.client import Client

T = TypeVar("T")


class PerClient(Generic[T]):
    """Keeps results: a dictionary lookup for a client that was seen before.

    Args:
        size: how many are kept.
    """

    def __init__(self, *, size: int = 4096) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, tuple[Client, Mapping[str, Api], T]] = OrderedDict()

    def of(
        self,
        client: Client,
        apis: Mapping[str, Api],
        more: Hashable,
        work_out: Callable[[Client, Mapping[str, Api]], T],
    ) -> T:
        """Return the result for a client and the registered APIs.

        Args:
            client: for whom.
            apis: the registered ones, as ``Apis`` returned them.
            more: what else the result depends on.
            work_out: returns it where it is not kept; what it raises is not kept.
        """
        key = client.client_id, more
        kept = self._kept.get(key)
        if kept is not None and kept[0] is client and kept[1] is apis:
            return kept[2]
        found = work_out(client, apis)
        self._kept[key] = client, apis, found
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return found
