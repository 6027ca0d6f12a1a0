"""What a decision comes to, for the edge to turn into HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.core.model import Client
from broker.core.policy.words import Obstacles

SIGNED_OUT = "signed-out"
"""What the session cookie holds after a sign-out: the next sign-in asks at Discord who it is."""


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser brought.

    Attributes:
        key: its binding cookie, or None; it ties a sign-in to the browser that began it.
        session: its session cookie, or None.
        device: its User-Agent.
    """

    key: str | None
    session: str | None
    device: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser on, with 303.

    Attributes:
        location: where to; absolute, or a path of ours.
        session: session cookie to set, or None to leave it.
        browser: binding cookie to set, or None to leave it.
        end_session: whether the session cookie is to become SIGNED_OUT.
        fields: what the browser is to post there instead, or None (Form Post Response Mode).
        ui_locales: languages in which the page that posts speaks, as the app asked for; or None.
        client: the app that the page posts to, or None.
    """

    location: str
    session: str | None = None
    browser: str | None = None
    end_session: bool = False
    fields: Mapping[str, str] | None = None
    ui_locales: str | None = None
    client: Client | None = None


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """Ask whether the app may know the person; answered by POST /interaction, ``decision``.

    Attributes:
        request: the request's handle, a hidden field.
        csrf: token, a hidden field.
        client: who asks.
        scope: what it asks for.
        claims: what it would learn of the account, as standard claims.
        redirect_origin: scheme and authority of the validated redirect URI (CSP form-action).
        redirect_host: what to show of where the browser goes next.
        browser: binding cookie to set, or None.
        user_code: the code to compare, where a device asks (RFC 8628 §5.4); else empty.
        ui_locales: languages to speak, as the app asked for, or None.
    """

    request: str
    csrf: str
    client: Client
    scope: tuple[str, ...]
    claims: Mapping[str, Any]
    redirect_origin: str
    redirect_host: str
    browser: str | None = None
    user_code: str = ""
    ui_locales: str | None = None


@dataclass(frozen=True, slots=True)
class SelectPage:
    """Ask which account: ``decision`` is ``continue`` or ``other``; attributes as above."""

    request: str
    csrf: str
    client: Client
    claims: Mapping[str, Any]
    redirect_origin: str
    browser: str | None = None
    ui_locales: str | None = None


@dataclass(frozen=True, slots=True)
class AccessRefusedPage:
    """Say why the person may not use the app; answered by POST /interaction, ``decision``.

    ``check`` makes a fresh trip upstream and judges again, ``other`` lets somebody else sign in,
    ``leave`` goes back to the app, which is told access_denied.

    Attributes:
        request: the request's handle, a hidden field.
        csrf: token, a hidden field.
        client: the app.
        claims: who is signed in, as standard claims.
        redirect_origin: scheme and authority of the validated redirect URI (CSP form-action).
        obstacles: what stands in the way, as ``policy.words.obstacles`` tells it.
        device: whether a device asked, so that there is no app to go back to here.
        browser: binding cookie to set, or None.
        ui_locales: languages to speak, as the app asked for, or None.
    """

    request: str
    csrf: str
    client: Client
    claims: Mapping[str, Any]
    redirect_origin: str
    obstacles: Obstacles
    device: bool = False
    browser: str | None = None
    ui_locales: str | None = None


@dataclass(frozen=True, slots=True)
class ChoicePage:
    """Ask where to sign in; each answer is a link, GET /interaction with ``upstream``.

    Attributes:
        request: the request's handle.
        client: who asks, or None for a page of ours.
        upstreams: names of those to choose from.
        browser: binding cookie to set, or None.
        ui_locales: languages to speak, as the app asked for, or None.
    """

    request: str
    client: Client | None
    upstreams: tuple[str, ...]
    browser: str | None = None
    ui_locales: str | None = None


@dataclass(frozen=True, slots=True)
class KeepPage:
    """Ask whether an account is to stay after all; answered by POST /interaction, ``decision``.

    It is ``keep`` or ``leave``.

    Attributes:
        request: the request's handle, a hidden field.
        csrf: token, a hidden field.
        at: when the account is going to be deleted, UTC seconds.
        by: who wants that: ``person`` or ``operator``; empty where that is not known.
        redirect_origin: scheme and authority of where it goes on (CSP form-action).
        browser: binding cookie to set, or None.
        ui_locales: languages to speak, as the app asked for, or None.
        client: the app that the person signs in to, or None for a page of ours.
    """

    request: str
    csrf: str
    at: float
    redirect_origin: str
    browser: str | None = None
    ui_locales: str | None = None
    client: Client | None = None
    by: str = ""


Step = Redirect | ConsentPage | SelectPage | AccessRefusedPage | ChoicePage | KeepPage
"""What comes next in a sign-in."""


@dataclass(frozen=True, slots=True)
class DeviceCodePage:
    """Ask for the code that a device shows; answered by POST /device, ``user_code``.

    Attributes:
        csrf: token, a hidden field.
        typed: what stands in the field.
        problem: what was wrong with it, or empty.
        linked: whether it came with a link, so that the person has to compare it first.
        browser: binding cookie to set, or None.
    """

    csrf: str
    typed: str = ""
    problem: str = ""
    linked: bool = False
    browser: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceDonePage:
    """Say how a device's sign-in ended; neither approved nor denied: it still waits, or is over.

    Attributes:
        client: whose device it is, or None where the app is gone.
        approved: whether this very person has connected it.
        denied: whether it was told no.
    """

    client: Client | None
    approved: bool = False
    denied: bool = False


@dataclass(frozen=True, slots=True)
class LogoutPage:
    """Ask whether to sign out; answered by POST /logout with ``confirm=yes`` and the fields.

    Attributes:
        csrf: token, a hidden field.
        claims: who is signed in, as standard claims; empty when nobody is.
        client: the app that asked, or None.
        fields: the request's parameters, to be sent again as hidden fields.
        redirect_origin: origin of the validated post-logout address, or None.
        browser: binding cookie to set, or None.
        ui_locales: languages to speak, as the app asked for, or None.
    """

    csrf: str
    claims: Mapping[str, Any]
    client: Client | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    redirect_origin: str | None = None
    browser: str | None = None
    ui_locales: str | None = None


@dataclass(frozen=True, slots=True)
class SignedOutPage:
    """Say that the person is signed out; the session cookie becomes SIGNED_OUT.

    Attributes:
        client: the app to go back to, or None.
        ui_locales: languages to speak, as the app asked for, or None.
    """

    client: Client | None = None
    ui_locales: str | None = None
