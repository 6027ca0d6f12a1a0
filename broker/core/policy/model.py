"""An access policy as it was read, and what it came to.

A document looks like this; every member may be left out, and all that is there must hold::

    {
      "guilds": [
        {
          "id": "613425648685547541",
          "any_role": ["613425648685547542"],     at least one of these
          "all_roles": [],                        every one of these
          "no_role": [],                          none of these
          "not_pending": true,                    has passed membership screening
          "not_timed_out": true
        }
      ],
      "match": "all",                             or "any": one of the entries is enough
      "account_age": "30d",                       of the Discord account
      "email_verified": true,
      "allow": ["175928847299117063"],            Discord ids that pass whatever the rest says
      "deny": [],                                 Discord ids that never do
      "only_allowed": false                       true: nobody passes but those in "allow"
    }

A guild with nothing but its ``id`` asks for membership alone. ``deny`` is judged first, then
``allow``, then the rest. Where the deployment has a policy and the client has one, both must pass:
either's ``deny`` refuses, and an ``allow`` passes its own policy alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class GuildRule:
    """What is asked of a person in one guild: membership, and what else is set."""

    guild_id: str
    any_role: tuple[str, ...] = ()
    all_roles: tuple[str, ...] = ()
    no_role: tuple[str, ...] = ()
    not_pending: bool = False
    not_timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read; only ``reading.read`` makes one.

    Attributes:
        guilds: what is asked of guilds.
        any_guild: whether one of them is enough.
        account_age: seconds that the Discord account must have existed; 0 for any.
        email_verified: whether the e-mail address must be verified.
        allow, deny: snowflakes.
        only_allowed: whether nobody passes but those in ``allow``.
    """

    guilds: tuple[GuildRule, ...] = ()
    any_guild: bool = False
    account_age: int = 0
    email_verified: bool = False
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    only_allowed: bool = False


class Reason(StrEnum):
    """Why a policy refuses somebody."""

    DENIED = "denied"  # on the deny list
    NOT_ALLOWED = "not_allowed"  # not on the allow list, and only those on it pass
    NO_DISCORD = "no_discord"  # no identity at Discord, and a rule needs one
    NOT_MEMBER = "not_member"
    ANY_ROLE = "any_role"  # none of several roles
    ALL_ROLES = "all_roles"  # not every one of several roles
    NO_ROLE = "no_role"  # a role that is excluded
    PENDING = "pending"
    TIMED_OUT = "timed_out"
    TOO_YOUNG = "too_young"
    EMAIL = "email"  # not verified
    UNKNOWN = "unknown"  # what has to be known was never read


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that stands in the way.

    Attributes:
        reason: which.
        guild_id: where, or empty.
        roles: the roles it is about: those of which one or each is missing, or one too many.
        until: when time alone mends it (UTC seconds), or None.
    """

    reason: Reason
    guild_id: str = ""
    roles: tuple[str, ...] = ()
    until: float | None = None


Choice = tuple[tuple[Missing, ...], ...]
"""Ways to mend one thing: each is a tuple of all that it takes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policies that hold for a client came to.

    Attributes:
        missing: what stands in the way, each for itself.
        choices: of each of these, one way has to be gone (where one of several guilds is enough).
    """

    missing: tuple[Missing, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the person may use the client."""
        return not self.missing and not self.choices

    @property
    def mended_at(self) -> float | None:
        """When time alone will have mended all of it (UTC seconds), or None."""
        ends = [one.until for one in self.missing]
        ends += [_soonest(choice) for choice in self.choices]
        return max((end for end in ends if end is not None), default=None) if all(ends) else None

    def all(self) -> Iterator[Missing]:
        """Yield everything that stands in the way, in whatever choice."""
        yield from self.missing
        for choice in self.choices:
            for way in choice:
                yield from way


def _soonest(choice: Choice) -> float | None:
    """Return when the first way of a choice will be gone by itself, or None."""
    ends = [[one.until for one in way] for way in choice]
    return min((max(filter(None, way)) for way in ends if all(way)), default=None)
