"""Letting a person in: the last thing judged before a code is written for a client.

What has to be known of the person is kept fresh on the way. Where only upstream can help, the
answer says so, and the sign-in goes there.
"""

from dataclasses import dataclass

from broker.core.access import reasons
from broker.core.audit import note
from broker.core.choice import vouched
from broker.core.community.recheck import outdated
from broker.core.desk import Desk
from broker.core.errors import AuthorizationLost
from broker.core.federation import CommunityUpstream
from broker.core.handles import Handle
from broker.core.model import AuditEvent, Client, Facts, Session
from broker.core.policy.model import Verdict
from broker.core.policy.rules import Rules
from broker.core.ports import CodeRefused, Refusal

Found = tuple[Session, Facts]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may use a client now; only ``admit`` makes one, and a code needs one.

    Attributes:
        client: the client.
        session: in which the person is signed in, or was a moment ago.
        facts: what was judged; None where nothing had to be known.
    """

    client: Client
    session: Handle
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """Somebody whom the policies that hold for a client refuse.

    Attributes:
        verdict: what stands in the way.
        session, facts: who it is.
    """

    verdict: Verdict
    session: Session
    facts: Facts


Judged = Admitted | NotAdmitted | CodeRefused


def demanding(desk: Desk, client: Client) -> bool:
    """Whether there is anything to look at before a person is let in to a client."""
    return client.upstream_token or desk.access.rules(client) is not None


async def admit(desk: Desk, client: Client, session: Handle) -> Judged:
    """Judge whether a person may use a client, by facts that are fresh.

    Nothing is looked at for a client that needs nothing known, that no policy holds for and that
    takes every upstream's word. A session is of one upstream as long as its cookie is the same. A
    client that may ask for the person's token upstream gets a person of whom one is kept.

    Args:
        desk: what a sign-in needs at hand.
        client: the client.
        session: as the session cookie says.

    Returns:
        The proof, the refusal, or NO_SESSION; STALE_LOGIN where an upstream has vouched that the
        client does not take; or STALE_FACTS where the person has to go upstream before anything
        can be said.

    Raises:
        UpstreamUnavailable: upstream does not answer, and what was last known is too old.
        ServerError: the client's policy cannot be read.
        StoreUnavailable: a store is out of reach.
    """
    rules = desk.access.rules(client)
    missing = await _missing(desk, client, session)
    if missing is not None or rules is None:
        return missing or Admitted(client, session)
    try:
        found = await _fresh(desk, rules, session)
    except AuthorizationLost:
        known = await desk.signed_in(session)
        return CodeRefused(Refusal.STALE_FACTS if known else Refusal.NO_SESSION, *(known or ()))
    if isinstance(found, CodeRefused):
        return found
    now, (alive, facts) = desk.clock.now(), found
    verdict = rules.judge(facts, now)
    if verdict.allowed:
        return Admitted(client, session, facts)
    whose, detail = (session.account_id, client.client_id), {"reasons": reasons(verdict.all())}
    await note(desk.audit, AuditEvent("access.refused", now, "system", *whose, detail))
    return NotAdmitted(verdict, alive, facts)


async def _missing(desk: Desk, client: Client, session: Handle) -> CodeRefused | None:
    """Return what of the upstream that vouched is missing for a client, or None."""
    if not client.upstreams and not client.upstream_token:
        return None
    found = await desk.signed_in(session)
    if found is None:
        return CodeRefused(Refusal.NO_SESSION)
    if not vouched(client, found[0]):
        return CodeRefused(Refusal.STALE_LOGIN, *found)
    if client.upstream_token and not await _kept(desk, found[0]):
        return CodeRefused(Refusal.STALE_FACTS, *found)
    return None


async def _kept(desk: Desk, session: Session) -> bool:
    """Whether a token of the person at the upstream that vouched is kept, where any are given."""
    if not isinstance(desk.upstreams.get(session.upstream), CommunityUpstream):
        return True
    kept = await desk.authorizations.get(session.account_id, session.upstream)
    return kept is not None and not kept.lost


async def _fresh(desk: Desk, rules: Rules, session: Handle) -> Found | CodeRefused:
    """Return who is signed in, with facts that are fresh."""

    async def take(read_after: float) -> Found | CodeRefused | None:
        found = await desk.signed_in(session)
        if found is None:
            return CodeRefused(Refusal.NO_SESSION)
        older = outdated(rules.needs, found[1].community, read_after)
        return None if older.membership else found

    return await desk.access.recheck.fresh(session.account_id, rules.needs, take)
