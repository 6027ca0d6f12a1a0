"""The rules that hold for a client, worked out once for each version of it."""

from collections import OrderedDict
from dataclasses import dataclass, field

from broker.core.client import Client
from broker.core.community.needs import Needs, needs_of
from broker.core.documents import BadDocument
from broker.core.errors import ServerError
from broker.core.model import Facts
from broker.core.policy.judging import judge
from broker.core.policy.model import Policy, Verdict
from broker.core.policy.reading import read
from broker.core.ports import CommunityWanted


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one client.

    Attributes:
        policies: the deployment's and the client's own, as far as there are any.
        needs: what has to be known of a person for it.
        asks: whether people are judged for it, or anything is needed of their communities.
    """

    policies: tuple[Policy, ...]
    needs: Needs
    asks: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out once what is asked at every refresh."""
        object.__setattr__(self, "asks", bool(self.policies) or self.needs.membership)

    def wanted(self, read_after: float | None = None) -> CommunityWanted | None:
        """Return which community facts a step has to answer with; None for none.

        One that names no guild and no list still gets identities, which policies speak of.

        Args:
            read_after: as ``CommunityWanted`` has it.
        """
        if not self.asks:
            return None
        return CommunityWanted(self.needs.standings, self.needs.listing, read_after)

    def judge(self, facts: Facts, now: float) -> Verdict:
        """Return whether a person may use the client (``now`` in UTC seconds)."""
        return judge(self.policies, facts, now)


class Rulebook:
    """Every client's rules: a dictionary lookup for a client that was seen before.

    Args:
        deployment: the policy that holds for every client, or None.
        size: for how many clients rules are kept.
    """

    def __init__(self, deployment: Policy | None = None, *, size: int = 2048) -> None:
        self.deployment = deployment
        self._size = size
        self._kept: OrderedDict[str, tuple[Client, Rules]] = OrderedDict()

    def of(self, client: Client) -> Rules:
        """Return the rules that hold for a client.

        Raises:
            ServerError: its policy, as kept, cannot be read; so nobody may use it.
        """
        kept = self._kept.get(client.client_id)
        if kept is not None and kept[0] is client:  # one that was edited is another object
            return kept[1]
        rules = rules_of(client, self.deployment)
        self._kept[client.client_id] = (client, rules)
        self._kept.move_to_end(client.client_id)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return rules


def rules_of(client: Client, deployment: Policy | None) -> Rules:
    """Work out the rules that hold for a client; raises as ``Rulebook.of`` does."""
    try:
        own = None if client.policy is None else read(client.policy)
    except BadDocument as error:
        raise ServerError(private=f"policy of {client.client_id}: {error}") from None
    policies = tuple(policy for policy in (deployment, own) if policy is not None)
    return Rules(policies, needs_of(client, policies))


def guilds_named_by(client: Client) -> frozenset[str]:
    """Return the ids of all guilds that a client's registration names, its policy included."""
    try:
        policy = Policy() if client.policy is None else read(client.policy)
    except BadDocument:
        policy = Policy()
    asked = (rule.guild_id for rule in policy.guilds)
    return frozenset((*client.guilds, *(client.role_mapping or {}), *asked))
