"""Who may use a client, and what it is told of communities: one place for all that ask.

Sign-in judges before a code is written (``broker.core.entry``), the token endpoint before a grant
goes on; both have what is known of the person kept fresh by ``broker.core.community.recheck``.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.community.claims import community_claims
from broker.core.community.model import Community
from broker.core.community.needs import Needs
from broker.core.community.recheck import Recheck
from broker.core.community.registry import Guilds
from broker.core.model import Facts
from broker.core.policy.model import Missing
from broker.core.policy.rules import Rulebook, Rules
from broker.core.ports import CommunityWanted


@dataclass(frozen=True, slots=True)
class Access:
    """What holds for clients, and what is known of their people.

    Attributes:
        rulebook: every client's rules.
        guilds: the registered ones.
        recheck: keeps what is known fresh.
    """

    rulebook: Rulebook
    guilds: Guilds
    recheck: Recheck

    def rules(self, client: Client) -> Rules | None:
        """Return the rules that hold for a client; None where there is nothing to judge or know.

        Raises:
            ServerError: its policy, as kept, cannot be read; so nobody may use it.
        """
        rules = self.rulebook.of(client)
        return rules if rules.asks else None

    def wanted(self, client: Client) -> CommunityWanted | None:
        """Return what tokens of a client need to know of a person's communities, of any age."""
        rules = self.rules(client)
        return None if rules is None else rules.wanted()

    def needs(self, client: Client) -> Needs:
        """Return what has to be known of a person for a client; raises as ``rules`` does."""
        return self.rulebook.of(client).needs

    async def told(self, client: Client, scope: Collection[str], facts: Facts) -> Facts:
        """Return the facts with what the client may be told of communities among their claims.

        Beside it stands ``membership_as_of``: how old it is, since it may be older than usual while
        Discord does not answer. Facts of a client that asks for nothing of the kind stay as they
        are, and nothing is looked at.

        Args:
            client: who asks.
            scope: as granted, with those that claims were asked for by name.
            facts: with the community facts that the client needs, as far as they are known.

        Raises:
            StoreUnavailable: the guilds were never read, and SQL does not answer.
        """
        asked = [word for word in v.COMMUNITY_SCOPES if word in scope]
        if not asked:
            return facts
        needs, known = self.needs(client), facts.community
        guilds = await self.guilds.registered() if v.SCOPE_GUILDS in asked else {}
        claims = community_claims(asked, client, needs, known, guilds)
        read_at = _oldest(needs, known)
        if claims and read_at is not None:
            claims[v.CLAIM_AS_OF] = int(read_at)
        return replace(facts, claims={**facts.claims, **claims}) if claims else facts


def reasons(missing: Iterable[Missing]) -> str:
    """Return what stands in a person's way, for the audit log: ``not_member:613425648685547541``.

    Args:
        missing: what ``Verdict.all`` yields.
    """
    told = (f"{one.reason}:{one.guild_id}" if one.guild_id else one.reason for one in missing)
    return " ".join(dict.fromkeys(told))


def _oldest(needs: Needs, known: Community) -> float | None:
    """Return when the oldest of what is needed was read; None where nothing ever was."""
    found = [known.standings[one].read_at for one in needs.standings if one in known.standings]
    if needs.listing and known.listed is not None:
        found.append(known.listed.read_at)
    return min(found, default=None)
