"""Records out of the flat arrays that scripts answer with, and arguments into them.

Times go in as decimal seconds with milliseconds.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from broker.core.model import AuthorizationRequest, Facts, Grant, PendingRequest, Session


def at(seconds: float) -> str:
    """Return a moment as scripts want it."""
    return f"{seconds:.3f}"


def words(values: Sequence[str]) -> str:
    """Return scopes or resources as one text."""
    return " ".join(values)


def facts_arguments(facts: Facts) -> list[str]:
    """Return facts as field, value, …; the version must be the first field."""
    arguments = [
        "v",
        str(facts.version),
        "sub",
        facts.sub,
        "d",
        "1" if facts.disabled else "0",
        "nb",
        at(facts.not_before),
        "c",
        json.dumps(dict(facts.claims), ensure_ascii=False, separators=(",", ":")),
    ]
    for client_id, scopes in facts.consents.items():
        arguments += ("k:" + client_id, scopes)
    return arguments


def facts(reply: Sequence[str | None], client_id: str = "") -> Facts:
    """Return the facts out of [v, sub, d, nb, c, consent]; consent is this client's, or none."""
    version, sub, disabled, not_before, claims, consent = reply
    return Facts(
        int(version or 0),
        sub or "",
        disabled == "1",
        float(not_before or 0),
        json.loads(claims or "{}"),
        {} if consent is None else {client_id: consent},
    )


def all_facts(reply: Sequence[str]) -> Facts:
    """Return the facts out of field, value, …, with every consent."""
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    found = facts([fields.get(name) for name in ("v", "sub", "d", "nb", "c", "")])
    consents = {name[2:]: value for name, value in fields.items() if name.startswith("k:")}
    return Facts(found.version, found.sub, found.disabled, found.not_before, found.claims, consents)


def session(account_id: str, sid: str, reply: Sequence[str]) -> Session:
    """Return the session out of its record."""
    generation, created, auth_time, expires, _idle, _seen, upstream, device = reply
    return Session(
        account_id,
        sid,
        int(generation),
        float(created),
        float(auth_time),
        float(expires),
        upstream,
        device,
    )


def claims_text(claims: Mapping[str, Any] | None) -> str:
    """Return a claims request as text; empty where there is none."""
    return json.dumps(claims, ensure_ascii=False, separators=(",", ":")) if claims else ""


def grant(account_id: str, grant_id: str, reply: Sequence[str], nonce: str = "") -> Grant:
    """Return the grant out of its record; one of an earlier release is shorter."""
    client_id, sid, offline, scope, resources, auth_time, created, expires, _, _, generation, _ = (
        reply[:12]
    )
    jkt, claims = reply[12:14] if len(reply) > 12 else ("", "")
    return Grant(
        account_id,
        grant_id,
        client_id,
        sid,
        offline == "1",
        tuple(scope.split()),
        tuple(resources.split()),
        float(auth_time),
        float(created),
        float(expires),
        int(generation),
        nonce or None,
        jkt or None,
        json.loads(claims) if claims else None,
    )


def pairs(reply: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (grant_id, client_id) pairs out of their flat list."""
    return tuple(zip(reply[::2], reply[1::2], strict=True))


def pending_text(pending: PendingRequest) -> str:
    """Return a pending request as ``attempt|verifier|JSON``."""
    asked = pending.request
    request = {name: getattr(asked, name) for name in AuthorizationRequest.__slots__}
    rest = {
        "request": {name: value for name, value in request.items() if value not in (None, ())},
        "browser": pending.browser,
        "created_at": pending.created_at,
        "expires_at": pending.expires_at,
        "upstream": pending.upstream,
        "trip_at": pending.trip_at,
        "session": pending.session,
        "fresh": pending.fresh,
        "selected": pending.selected,
    }
    text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    return f"{pending.attempt}|{pending.verifier}|{text}"


def pending(request_id: str, text: str) -> PendingRequest:
    """Return the pending request out of its text."""
    attempt, verifier, rest = text.split("|", 2)
    fields: dict[str, Any] = json.loads(rest)
    asked: Mapping[str, Any] = fields.pop("request")
    request: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items()}
    held = fields.pop("session")
    return PendingRequest(
        request_id=request_id,
        request=AuthorizationRequest(**request),
        attempt=attempt,
        verifier=verifier,
        session=tuple(held) if held else None,
        **fields,
    )
