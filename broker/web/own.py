"""A person's account as its page lists it: what apps see, sessions, apps with access."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.core.account.apps import AppAccess
from broker.core.account.outcomes import AccountPage, Place
from broker.core.model import Client, Session
from broker.core.texts import Text
from broker.web import ages
from broker.web.devices import Device, device
from broker.web.doors import Doors
from broker.web.faces import App, Faces
from broker.web.knowledge import Learned, learned, permitted

GONE: Final = Text("An app that is no longer here")


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session, as the page lists it.

    Attributes:
        sid: which.
        device: what it is held by.
        here: whether it is this browser's.
        through: where its person signed in.
        begun, used: how long ago that was.
    """

    sid: str
    device: Device
    here: bool
    through: str
    begun: str
    used: str


@dataclass(frozen=True, slots=True)
class AppLine:
    """An app that has access, as the page lists it.

    Attributes:
        client_id: which.
        app: how it looks.
        learned: what it may know and do.
        since, used: how long ago; ``used`` is empty where it holds nothing at the moment.
        first_party: whether it belongs to this service, and never asks.
    """

    client_id: str
    app: App
    learned: list[Learned]
    since: str
    used: str
    first_party: bool


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """A guild, as the page lists it.

    Attributes:
        name: what it is called.
        member: whether the person was in it.
        told: nickname and roles there, or empty.
        read: how long ago that was read.
    """

    name: str
    member: bool
    told: str
    read: str


def context(page: AccountPage, faces: Faces, doors: Doors) -> dict[str, Any]:
    """Return what the page's template needs beside the page itself."""
    leader = page.identities[0] if page.identities else None
    clients = [one.client for one in page.apps if one.client is not None]
    names = {client.name: faces.app(client).name for client in clients}
    return {
        "told_by": doors.of(leader.upstream).title if leader else "",
        "told": ages.ago(leader.seen_at, page.now) if leader else "",
        "sessions": [_session(one, page, doors, names) for one in page.sessions],
        "apps": [_app(one, page, faces) for one in page.apps],
        "places": [_place(one, page) for one in page.places],
    }


def _session(
    one: Session, page: AccountPage, doors: Doors, names: Mapping[str, str]
) -> SessionLine:
    return SessionLine(
        one.sid,
        device(names.get(one.device, one.device)),  # an app's name, where no browser holds it
        one.sid == page.sid,
        doors.of(one.upstream).title,
        ages.ago(one.created_at, page.now),
        ages.ago(max(one.seen_at, one.created_at), page.now),
    )


def _place(one: Place, page: AccountPage) -> PlaceLine:
    told = " · ".join([*([one.nick] if one.nick else []), *one.roles])
    return PlaceLine(one.name, one.member, told, ages.ago(one.read_at, page.now))


def _app(one: AppAccess, page: AccountPage, faces: Faces) -> AppLine:
    client = one.client or Client(one.client_id, GONE, redirect_uris=())
    scope = (*one.scope, "offline_access") if one.offline else one.scope
    return AppLine(
        one.client_id,
        faces.app(client),
        learned(scope, page.claims) + permitted(client),
        ages.ago(one.since, page.now),
        ages.ago(one.used_at, page.now) if one.used_at else "",
        client.first_party,
    )
