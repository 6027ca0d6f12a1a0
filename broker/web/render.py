"""Writes the pages that people see.

Every value is escaped by Jinja2; an address becomes a link or an image only if its scheme is
harmless. There is no script on any page but on the one that posts an answer to an app, and at the
door of the operator console, where a browser needs one to ask for a passkey.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from broker.core import redirects
from broker.core import vocabulary as v
from broker.core.account.outcomes import AccountPage, FarewellPage, LeavePage
from broker.core.console import DoorPage, Step
from broker.core.errors import Link, Way
from broker.core.model import Client
from broker.core.outcomes import (
    AccessRefusedPage,
    ChoicePage,
    ConsentPage,
    DeviceCodePage,
    DeviceDonePage,
    KeepPage,
    LogoutPage,
    SelectPage,
    SignedOutPage,
)
from broker.core.texts import Day, Moment, Text
from broker.web import own
from broker.web.answers import Answer, Header, html_answer
from broker.web.csp import Policies, leads_on
from broker.web.documents import SHEET, coloured, static_files
from broker.web.doors import NOTICES, Doors
from broker.web.edge_config import EdgeConfig
from broker.web.faces import App, Faces
from broker.web.knowledge import learned, permitted
from broker.web.languages import Speech
from broker.web.templating import Compiled, environment

_BY_LANGUAGE: Final = (b"vary", b"accept-language")


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What an error page says.

    Attributes:
        title: what happened.
        advice: what to do next.
        code: the error's name, for whoever is asked for help.
        reference: the request's identifier.
        kind: the same in general, for languages in which the title cannot be said.
        detail: what cannot be said, in English; empty for nothing.
        links: ways on.
        otherwise: where to lead on to where there are none, and the app is not known either.
        client: the app on whose behalf it is said, or None.
        retry: whether to offer loading the same address again.
    """

    title: str
    advice: str
    code: str
    reference: str
    kind: str = ""
    detail: str = ""
    links: tuple[Link, ...] = ()
    otherwise: Way | None = None
    client: Client | None = None
    retry: bool = False


class Pages:
    """All pages in one language, each compiled when it is first shown.

    Compiling them all would be a sixth of a start, and most processes never show most of them.

    Texts of ours (``broker.core.texts``) are said in that language wherever a template shows one.

    Args:
        config: brand, issuer, and what forms may lead to.
        speech: the language.
        compiled: what was compiled for other languages.
        docs: whether there are pages for developers to lead to.
    """

    def __init__(
        self, config: EdgeConfig, speech: Speech, compiled: Compiled, *, docs: bool = False
    ) -> None:
        env, notice = environment(speech, compiled), dict(config.look.notice)
        static = {item.source: f"/static/{item.name}" for item in static_files(config.look)}
        env.globals |= {
            "language": speech.tag,
            "brand": config.brand,
            "issuer": config.issuer,
            "providers": config.providers,
            "look": config.look,
            "board": notice.get(speech.tag) or notice.get("", ""),
            "static": static,
        }
        self._look = config.look
        self._sheet = static[SHEET]
        self._speech = speech
        self._env = env
        self._doors = Doors(config.providers)
        self._policies = Policies(config)
        self._csp = self._policies.plain
        self._issuer = config.issuer
        self._faces = Faces(secure=config.secure, language=speech.tag)
        self._landing = self._render("landing.html", csp=self._csp, docs=docs)

    def landing(self) -> Answer:
        """Say what this is."""
        page = self._landing
        return Answer(page.status_code, list(page.raw_headers), bytes(page.body))

    def consent(self, page: ConsentPage) -> Answer:
        """Ask whether the app may know the person."""
        return self._render(
            "consent.html",
            csp=self._policies.form(page.redirect_origin),
            page=page,
            app=self._faces.app(page.client),
            person=self._faces.person(page.claims),
            learned=learned(page.scope, page.claims) + permitted(page.client),
        )

    def select(self, page: SelectPage) -> Answer:
        """Ask which account."""
        return self._render(
            "select.html",
            csp=self._policies.form(page.redirect_origin),
            page=page,
            app=self._faces.app(page.client),
            person=self._faces.person(page.claims),
        )

    def access_refused(self, page: AccessRefusedPage) -> Answer:
        """Say why the person may not use the app, and what can be done about it."""
        mended_at = page.obstacles.mended_at
        return self._render(
            "access_refused.html",
            csp=self._policies.form(page.redirect_origin),
            status=403,
            page=page,
            app=self._faces.app(page.client),
            person=self._faces.person(page.claims),
            found=page.obstacles,
            mended=Moment(mended_at) if mended_at else None,
            invited=self._faces.harmless,
        )

    def choice(self, page: ChoicePage) -> Answer:
        """Ask where to sign in."""
        return self._render(
            "choose.html",
            csp=self._csp,
            page=page,
            app=self._app(page.client),
            providers=[self._doors.of(name) for name in page.upstreams],
        )

    def account(self, page: AccountPage) -> Answer:
        """Show a person their account."""
        linked = self._doors.ways(page)
        return self._render(
            "account.html",
            csp=self._policies.form(None),
            page=page,
            person=self._faces.person(page.claims),
            learned=learned((v.SCOPE_PROFILE, v.SCOPE_EMAIL), page.claims),
            linked=linked,
            heir=linked[1].provider if len(linked) > 1 else None,
            others=[self._doors.of(name) for name in page.linkable],
            notice=NOTICES[page.notice] if page.notice else "",
            **own.context(page, self._faces, self._doors),
        )

    def leave(self, page: LeavePage) -> Answer:
        """Ask again whether to delete the account."""
        gone = Day(page.now + page.grace) if page.grace else ""
        return self._render("leave.html", csp=self._policies.form(None), page=page, gone=gone)

    def farewell(self, page: FarewellPage) -> Answer:
        """Say that the account is deleted, or when."""
        gone = Day(page.at) if page.at is not None else ""
        return self._render("farewell.html", csp=self._csp, gone=gone)

    def keep(self, page: KeepPage) -> Answer:
        """Ask whether the account is to stay after all."""
        csp, app = self._policies.form(page.redirect_origin), self._app(page.client)
        return self._render("keep.html", csp=csp, page=page, gone=Day(page.at), app=app)

    def device_code(self, page: DeviceCodePage) -> Answer:
        """Ask for the code that a device shows."""
        status = 400 if page.problem else 200
        return self._render("device.html", csp=self._policies.form(None), status=status, page=page)

    def device_done(self, page: DeviceDonePage) -> Answer:
        """Say how a device's sign-in ended."""
        app = self._app(page.client)
        return self._render("device_done.html", csp=self._csp, page=page, app=app)

    def logout(self, page: LogoutPage) -> Answer:
        """Ask whether to sign out."""
        return self._render(
            "logout.html",
            csp=self._policies.form(page.redirect_origin),
            page=page,
            app=self._app(page.client),
            person=self._faces.person(page.claims) if page.claims else None,
        )

    def signed_out(self, page: SignedOutPage) -> Answer:
        """Say that the person is signed out."""
        return self._render("signed_out.html", csp=self._csp, app=self._app(page.client))

    def form_post(
        self, address: str, fields: Mapping[str, str], client: Client | None = None
    ) -> Answer:
        """Let the browser post an answer to a redirect URI (Form Post Response Mode §2).

        Our one script presses the button; without scripts the person does.
        """
        return self._render(
            "form_post.html",
            csp=f"{self._policies.posting(address)}; script-src 'self'",
            address=address,
            fields=fields,
            host=redirects.shown_host(address),
            app=self._app(client),
        )

    def door(self, page: DoorPage) -> Answer:
        """Ask an operator for the next proof; a script of ours speaks to the authenticator."""
        csp = self._csp if page.step is not Step.SIGN_IN else self._policies.form(None)
        status = 403 if page.step is Step.NOBODY else 200
        return self._render("door.html", csp=f"{csp}; script-src 'self'", status=status, page=page)

    def error(self, view: ErrorView, status: int, extra: list[Header]) -> Answer:
        """Say what happened and what to do next."""
        if view.kind and not self._speech.knows(view.title):
            view = replace(view, title=view.kind, detail=view.title)
        app = self._app(view.client)
        links = [Way(*link) for link in view.links if leads_on(link[1])]
        if not links and not view.retry:
            links = [way for way in (self._into(app) or view.otherwise,) if way is not None]
        posted = next((way.address for way in links if way.fields), None)
        csp = self._csp if posted is None else self._policies.posting(posted)
        return self._render(
            "error.html", csp=csp, status=status, extra=extra, view=view, links=links, app=app
        )

    def _into(self, app: App | None) -> Way | None:
        """Return the way into an app from outside: where its sign-in begins, or its home page."""
        if app is not None and app.begins:
            begins = redirects.answer_url(app.begins, {"iss": self._issuer})
            return Way(Text("Sign in again"), begins)
        return Way(Text("Back to the app"), app.home) if app is not None and app.home else None

    def _app(self, client: Client | None) -> App | None:
        return None if client is None else self._faces.app(client)

    def _in_colour(self, app: App | None) -> str:
        """Return the address of the stylesheet, in the colour of an app that has one."""
        made = coloured(self._look, app.accent) if app and app.accent else None
        return self._sheet if made is None else f"/static/{made.name}"

    def _render(
        self,
        name: str,
        *,
        csp: str,
        status: int = 200,
        extra: list[Header] | None = None,
        app: App | None = None,
        **context: Any,
    ) -> Answer:
        context |= {"app": app, "sheet": self._in_colour(app)}
        text = self._env.get_template(name).render(context)
        spoken = [(b"content-language", self._speech.tag.encode("ascii")), _BY_LANGUAGE]
        return html_answer(text, csp.encode("ascii"), status, [*spoken, *(extra or [])])
