"""What a policy comes to for one person, and what is read of people for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.core.community.needs import Needs
from broker.core.community.registry import Guild
from broker.core.model import Client, Facts
from broker.core.policy.explaining import Finding, explain
from broker.core.policy.rules import Rules
from broker.core.policy.words import guild_name, obstacle

FOR_ALL: Final = "for all apps"
OWN: Final = "of the app"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision rule by rule.

    Attributes:
        person: display name.
        client: the app.
        findings: whose policy, and what each of its rules comes to.
        missing: what stands in the way, as the person is told.
        disabled: whether the account is switched off.
        now: UTC seconds.
    """

    person: str
    client: Client
    findings: tuple[tuple[str, Finding], ...]
    missing: tuple[str, ...]
    disabled: bool
    now: float

    @property
    def allowed(self) -> bool:
        """Whether the person may use the app."""
        return not self.missing and not self.disabled


def read_of_people(needs: Needs, guilds: Mapping[str, Guild]) -> tuple[str, ...]:
    """Return in words what an upstream is asked about a client's people."""
    found = [f"their member record in {guild_name(one, guilds)}" for one in needs.standings]
    found += ["the list of guilds that they are in"] if needs.listing else []
    return (*found, "their e-mail address") if needs.email else tuple(found)


def explanation(
    person: str,
    client: Client,
    rules: Rules,
    facts: Facts,
    *,
    guilds: Mapping[str, Guild],
    now: float,
) -> Explanation:
    """Return why a person may use an app, or may not."""
    owners = (OWN,) if len(rules.policies) == 1 and client.policy is not None else (FOR_ALL, OWN)
    findings = tuple(
        (whose, one)
        for whose, policy in zip(owners, rules.policies, strict=False)
        for one in explain(policy, facts, guilds, now)
    )
    missing = (obstacle(one, guilds).text for one in rules.judge(facts, now).all())
    return Explanation(person, client, findings, tuple(dict.fromkeys(missing)), facts.disabled, now)
