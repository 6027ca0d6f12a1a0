"""Signing out: one session of an account, or all that was ever begun."""

from broker.core.audit import note
from broker.core.desk import Desk
from broker.core.model import AuditEvent, Session
from broker.core.outcomes import Redirect

OUT = Redirect("/logout", end_session=True)
"""Leads to the page that says so."""


async def session(desk: Desk, here: Session, sid: str) -> bool:
    """End a session of the account that is signed in here; False for one that is over already.

    Its codes end with it, and its grants but for those that outlive sessions (Core §11).

    Raises:
        StoreUnavailable: Redis is out of reach; it may have ended.
    """
    account_id, now = here.account_id, desk.clock.now()
    sessions, _ = await desk.states.living(account_id, now=now)
    if sid not in {one.sid for one in sessions}:
        return False
    ended = await desk.sessions.end(account_id, sid, now=now)
    detail = {"grants_ended": len(ended.grants)}
    await note(desk.audit, AuditEvent("sign_out", now, "person", account_id, None, detail))
    return True


async def everywhere(desk: Desk, here: Session) -> Redirect:
    """End every session, code and grant of the account, offline ones too.

    Raises:
        StoreUnavailable: SQL is out of reach, and nothing was ended; or Redis is, and the outbox
            does the rest.
    """
    now = desk.clock.now()
    facts = await desk.accounts.sign_out(here.account_id, now, actor="person")
    await desk.states.end_all(here.account_id, facts)
    return OUT
