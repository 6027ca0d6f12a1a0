"""Records out of the flat arrays that scripts answer with, and arguments into them.

Times go in as decimal seconds with milliseconds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from broker.core.community.model import Community
from broker.core.jsontext import encode
from broker.core.model import AuthorizationRequest, Facts, Grant, PendingRequest, Session
from broker.core.ports import CommunityWanted
from broker.stores import community as documents
from broker.stores.passing import known

IDENTITIES: Final = "i"
LIST: Final = "gl"
STANDING: Final = "g:"


def at(seconds: float) -> str:
    """Return a moment as scripts want it."""
    return f"{seconds:.3f}"


def words(values: Sequence[str]) -> str:
    """Return scopes or resources as one text."""
    return " ".join(values)


def compact(value: Any) -> str:
    """Return JSON without a blank."""
    return encode(value).decode()


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
        compact(dict(facts.claims)),
        IDENTITIES,
        compact(dict(sorted(facts.identities.items()))),
    ]
    for client_id, scopes in facts.consents.items():
        arguments += ("k:" + client_id, scopes)
    return arguments + parts(facts.community)


def parts(community: Community) -> list[str]:
    """Return each part of what is known of communities as field, value, field, value."""
    arguments: list[str] = []
    for guild_id, standing in community.standings.items():
        told = compact(documents.standing_document(standing))
        arguments += (STANDING + guild_id, f"{at(standing.read_at)}|{told}")
    if community.listed is not None:
        told = compact(documents.list_document(community.listed))
        arguments += (LIST, f"{at(community.listed.read_at)}|{told}")
    return arguments


def wanted_fields(wanted: CommunityWanted | None) -> tuple[str, ...]:
    """Return the fields of the facts that a step is asked for beside the usual ones."""
    if wanted is None:
        return ()
    listing = (LIST,) if wanted.listing else ()
    return (IDENTITIES, *listing, *(STANDING + guild_id for guild_id in wanted.standings))


def facts(
    reply: Sequence[str | None], client_id: str = "", wanted: CommunityWanted | None = None
) -> Facts:
    """Return the facts out of [v, sub, d, nb, c, consent, what was wanted…].

    The consent is this client's, or none.
    """
    version, sub, disabled, not_before, claims, consent = reply[:6]
    found = Facts(
        int(version or 0),
        sub or "",
        disabled == "1",
        float(not_before or 0),
        orjson.loads(claims or "{}"),
        {} if consent is None else {client_id: consent},
    )
    if wanted is None:
        return found
    return _with_community(found, dict(zip(wanted_fields(wanted), reply[6:], strict=True)))


def all_facts(reply: Sequence[str]) -> Facts:
    """Return the facts out of field, value, …, with every consent and all of communities."""
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    found = facts([fields.get(name) for name in ("v", "sub", "d", "nb", "c", "")])
    consents = {name[2:]: value for name, value in fields.items() if name.startswith("k:")}
    return _with_community(replace(found, consents=consents), fields)


def _with_community(found: Facts, fields: Mapping[str, str | None]) -> Facts:
    """Return the facts with the identities and the community facts among these fields."""
    standings = {}
    for name, value in fields.items():
        if name.startswith(STANDING) and value is not None:
            guild_id = name.removeprefix(STANDING)
            standings[guild_id] = documents.standing(guild_id, *_part(value))
    listed = fields.get(LIST)
    community = Community(standings, documents.guild_list(*_part(listed)) if listed else None)
    identities = orjson.loads(fields.get(IDENTITIES) or "{}")
    return replace(found, identities=identities, community=community)


def _part(value: str) -> tuple[float, dict[str, Any]]:
    """Return the time and the document of one part."""
    read_at, _, document = value.partition("|")
    return float(read_at), orjson.loads(document)


def session(account_id: str, sid: str, reply: Sequence[str]) -> Session:
    """Return the session out of its record; one of a newer release may be longer."""
    generation, created, auth_time, expires, _idle, seen, upstream, device = reply[:8]
    return Session(
        account_id,
        sid,
        int(generation),
        float(created),
        float(auth_time),
        float(expires),
        upstream,
        device,
        float(seen),
    )


def claims_text(claims: Mapping[str, Any] | None) -> str:
    """Return a claims request as text; empty where there is none."""
    return compact(claims) if claims else ""


def grant(account_id: str, grant_id: str, reply: Sequence[str], nonce: str = "") -> Grant:
    """Return the grant out of its record; one of an earlier release is shorter."""
    client_id, sid, offline, scope, resources, begun, created, expires = reply[:8]
    _idle, seen, generation = reply[8:11]
    jkt, claims = reply[12:14] if len(reply) > 12 else ("", "")
    auth_time = reply[14] if len(reply) > 14 else begun
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
        float(seen),
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
    # Which earlier releases do not know.
    for name in ("asked_again", "choosing", "prompt", "keeps", "asking", "seen"):
        if getattr(pending, name):
            rest[name] = getattr(pending, name)
    return f"{pending.attempt}|{pending.verifier}|{compact(rest)}"


def pending(request_id: str, text: str) -> PendingRequest:
    """Return the pending request out of its text."""
    attempt, verifier, rest = text.split("|", 2)
    fields: dict[str, Any] = json.loads(rest)
    asked: Mapping[str, Any] = fields["request"]
    request = {k: tuple(v) if isinstance(v, list) else v for k, v in asked.items()}
    request.setdefault("scope", ())  # an empty one is not written
    held, keeps = fields.get("session"), fields.get("keeps")
    return known(
        PendingRequest,
        fields,
        request_id=request_id,
        request=known(AuthorizationRequest, request),
        attempt=attempt,
        verifier=verifier,
        session=tuple(held) if held else None,
        keeps=(*keeps, "")[:3] if keeps else None,  # an earlier release does not say who
    )
