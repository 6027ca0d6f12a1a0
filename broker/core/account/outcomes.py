"""What a decision about one's own account comes to: its page, its file, the way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from broker.core.identities import Identity
from broker.core.model import Session

if TYPE_CHECKING:
    from broker.core.account.apps import AppAccess


class Notice(StrEnum):
    """What has just happened to an account."""

    LINKED = "linked"
    UNLINKED = "unlinked"
    SIGNED_IN = "signed_in"  # anew, since the change that was wanted needs that
    SIGNED_OUT = "signed_out"  # in another browser
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Place:
    """What was last read of a person in a guild.

    Attributes:
        name: as the operator calls the guild, or else Discord; ``UNNAMED`` where neither did.
        read_at: when, UTC seconds.
        member: whether the person was in it.
        nick: nickname there, or None.
        roles: names of the roles that the operator has named.
    """

    name: str
    read_at: float
    member: bool
    nick: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Show a person their account; answered by POST /account, ``action`` and what it is about.

    ``link`` makes a trip to an ``upstream``, ``unlink`` parts with an identity there; ``sign_out``
    ends a ``session``, ``sign_out_everywhere`` all; ``withdraw`` takes a ``client`` its access;
    ``download`` is answered with a file; ``delete`` asks again, and is done with ``sure``.

    Attributes:
        csrf: token, a hidden field.
        claims: the profile, as standard claims.
        identities: how the person signs in, the one that the profile comes from first.
        linkable: names of upstreams of which nothing is linked.
        removable: names of upstreams whose identity may be unlinked.
        notice: what has just happened, or None.
        browser: binding cookie to set, or None.
        sid: of the session that this browser is in.
        sessions: those that are alive, this one first.
        apps: those that have access, the one used last first.
        places: what was read of the person in guilds.
        now: UTC seconds.
    """

    csrf: str
    claims: Mapping[str, Any]
    identities: tuple[Identity, ...]
    linkable: tuple[str, ...]
    removable: tuple[str, ...]
    notice: Notice | None = None
    browser: str | None = None
    sid: str = ""
    sessions: tuple[Session, ...] = ()
    apps: "tuple[AppAccess, ...]" = ()
    places: tuple[Place, ...] = ()
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountFile:
    """Hand a person all that is kept of them, as a file.

    Attributes:
        name: of the file.
        document: what is in it.
    """

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeavePage:
    """Ask again whether to delete the account; answered as ``AccountPage``, ``delete``, ``sure``.

    Attributes:
        csrf: token, a hidden field.
        now: UTC seconds.
        grace: seconds in which the person may come back.
    """

    csrf: str
    now: float
    grace: int


@dataclass(frozen=True, slots=True)
class FarewellPage:
    """Say that the account is deleted, or when; the session cookie becomes SIGNED_OUT.

    Attributes:
        at: when, UTC seconds; None where it is gone already.
    """

    at: float | None
