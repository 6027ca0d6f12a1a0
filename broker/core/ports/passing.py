"""What ends by itself (Redis): requests under way, sessions, codes, grants, marks."""

from typing import Protocol

from broker.core.community.model import Community
from broker.core.model import (
    Facts,
    Grant,
    PendingRequest,
    Session,
)
from broker.core.steps import (
    CodeIssued,
    CodeRedemption,
    CodeRefused,
    CodeRequest,
    CommunityWanted,
    Ended,
    GrantAlive,
    GrantRefused,
    Proof,
    RefreshRequest,
)


class PendingRequests(Protocol):
    """Authorization requests that wait for a person (Redis)."""

    async def put(self, pending: PendingRequest, *, kept_after: int = 3600) -> None:
        """Write or replace the record.

        It is kept so many seconds beyond its expiry, to explain itself.
        """
        ...

    async def get(self, request_id: str) -> PendingRequest | None:
        """Return the record, expired or not, or None."""
        ...

    async def spend_attempt(self, request_id: str, attempt: str) -> PendingRequest | None:
        """Close the open trip upstream if it is this one; return the record as it was, or None."""
        ...

    async def finish(self, request_id: str) -> PendingRequest | None:
        """Remove the record; return it to the one caller that removed it."""
        ...


class Sessions(Protocol):
    """Sessions and what is made from them (Redis, one slot an account)."""

    async def open(self, session: Session, facts: Facts, *, now: float, idle: int) -> bool:
        """Put the facts, then write the session, replacing an older generation of the same sid.

        Returns False, and writes no session, when the facts say disabled or not_before >= now.
        """
        ...

    async def look(
        self, account_id: str, sid: str, generation: int, *, now: float
    ) -> tuple[Session, Facts] | None:
        """Return the living session and its account's facts, else None.

        The facts are whole: every consent, the identities, all that was read of communities.
        """
        ...

    async def issue_code(self, wanted: CodeRequest) -> CodeIssued | CodeRefused:
        """Check and write a code, in one step."""
        ...

    async def end(self, account_id: str, sid: str, *, now: float) -> Ended:
        """End a session, its unspent codes and its grants that are not offline; idempotent."""
        ...

    async def end_vouched(self, account_id: str, upstream: str, *, until: float) -> Ended:
        """End the sessions that an upstream vouched for up to a moment, as ``end`` does."""
        ...


class Grants(Protocol):
    """Codes and grants (Redis, one slot an account)."""

    async def redeem(self, wanted: CodeRedemption) -> GrantAlive | GrantRefused:
        """Spend a code and make its grant, in one step (RFC 6749 §4.1.3)."""
        ...

    async def refresh(self, wanted: RefreshRequest) -> GrantAlive | GrantRefused:
        """Spend a generation and name the next, in one step (RFC 9700 §4.14)."""
        ...

    async def look(
        self,
        account_id: str,
        grant_id: str,
        *,
        now: float,
        unique: int | None = None,
        proof: Proof | None = None,
        community: CommunityWanted | None = None,
        offline: bool = True,
    ) -> GrantAlive | GrantRefused:
        """Return the living grant and its account's facts; a DPoP proof is used up by it.

        Without ``offline`` a grant goes with its session in any case.

        With ``unique`` it is for one access token, which may have been ended by itself. With
        ``community`` the facts hold those community facts, of whatever age.
        """
        ...

    async def end_token(
        self, account_id: str, grant_id: str, unique: int, *, seconds: float
    ) -> None:
        """End one access token that would live so many seconds more (RFC 7009)."""
        ...

    async def tokens_live(self, item_id: str, *uniques: int) -> bool:
        """Return whether none of these tokens without an account was ended."""
        ...

    async def end(self, account_id: str, grant_id: str, client_id: str) -> bool:
        """End a grant of this client (RFC 7009); False when it is another client's."""
        ...


class Once(Protocol):
    """What may be used once (Redis): the ``jti`` of an assertion, of a proof."""

    async def spend_once(self, digest: str, ttl: int) -> bool:
        """Remember a digest for ``ttl`` seconds; False where it is remembered already."""
        ...


class AccountStates(Protocol):
    """Facts of accounts beside their grants, and ends of whole accounts (Redis)."""

    async def put_facts(self, account_id: str, facts: Facts) -> None:
        """Put facts unless newer ones are there.

        Community facts have times of their own: each part is put, whatever the version, unless
        one that was read as late is there. Other identities drop those that are there.
        """
        ...

    async def put_community(self, account_id: str, community: Community) -> None:
        """Put each part of what was read unless one that was read as late is there."""
        ...

    async def end_all(self, account_id: str, facts: Facts, *, since_stays: bool = False) -> Ended:
        """Put the facts (they carry disabled or not_before), end all sessions, codes and grants.

        With ``since_stays`` what was begun by a sign-in after their not_before stays, as it does
        wherever the facts are not newer: they tell of a moment that is past.
        """
        ...

    async def end_access(
        self, account_id: str, facts: Facts, client_id: str, *, until: float, consented: bool
    ) -> Ended:
        """Put the facts, and end a client's codes and grants that began up to a moment.

        All of them where it stood on a consent and the facts hold none; idempotent.
        """
        ...

    async def erase(self, account_id: str, *, now: float) -> Ended:
        """End all that lives of a deleted account, and forget it; idempotent."""
        ...

    async def living(
        self, account_id: str, *, now: float
    ) -> tuple[tuple[Session, ...], tuple[Grant, ...]]:
        """Return the account's living sessions and grants, for people to look at."""
        ...
