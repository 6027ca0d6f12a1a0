"""All that is kept of a person, as a file for that person."""

from broker.core.account.outcomes import AccountFile
from broker.core.claims import UNKNOWN
from broker.core.desk import Desk
from broker.core.model import Grant, JsonValue, Session
from broker.core.moments import stamp


async def everything(desk: Desk, account_id: str) -> AccountFile:
    """Return what SQL and Redis hold of the person, without secrets.

    Codes are left out, which live for a minute, and so is what keeps count of use.

    Raises:
        StoreUnavailable: a store is out of reach.
    """
    now = desk.clock.now()
    kept = await desk.own.everything(account_id)
    sessions, grants = await desk.states.living(account_id, now=now)
    document: dict[str, JsonValue] = {
        "issuer": desk.issuer,
        "as_of": stamp(now),
        **kept,
        "sessions": [_session(one) for one in sessions],
        "grants": [_grant(one) for one in grants],
    }
    return AccountFile(f"account-{stamp(now)[:10]}.json", document)


def _session(one: Session) -> dict[str, JsonValue]:
    return {
        "sid": one.sid,
        "device": one.device,
        "upstream": one.upstream,
        "created_at": stamp(one.created_at),
        "auth_time": stamp(one.auth_time) if one.auth_time > UNKNOWN else None,
        "last_used_at": stamp(max(one.seen_at, one.created_at)),
        "expires_at": stamp(one.expires_at),
    }


def _grant(one: Grant) -> dict[str, JsonValue]:
    return {
        "client_id": one.client_id,
        "sid": one.sid,
        "offline": one.offline,
        "scope": " ".join(one.scope),
        "resources": list(one.resources),
        "claims": dict(one.claims) if one.claims else None,
        "created_at": stamp(one.created_at),
        "auth_time": stamp(one.auth_time) if one.auth_time > UNKNOWN else None,
        "last_used_at": stamp(max(one.seen_at, one.created_at)),
        "expires_at": stamp(one.expires_at),
    }
