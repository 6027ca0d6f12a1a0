"""Endpoints for people: authorization, interaction, callback, account, logout, landing page."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from broker.core.account.outcomes import AccountFile, AccountPage, FarewellPage, LeavePage
from broker.core.outcomes import (
    AccessRefusedPage,
    ChoicePage,
    ConsentPage,
    KeepPage,
    LogoutPage,
    Redirect,
    SelectPage,
    SignedOutPage,
    Step,
)
from broker.core.parameters import Parameters
from broker.web import forms
from broker.web.answers import Answer, Header, file_answer, redirect_answer
from broker.web.edge import Edge
from broker.web.render import Pages

Outcome = Step | AccountPage | AccountFile | LeavePage | FarewellPage | LogoutPage | SignedOutPage

# RP-Initiated Logout §2.
_LOGOUT_PARAMETERS: Final = (
    "id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales",
)  # fmt: skip


async def authorize(request: Request, edge: Edge) -> Answer:
    """GET or POST /authorize (OpenID Connect Core §3.1.2.1)."""
    posted = request.method == "POST"
    params = await _params(request, edge)
    browser = edge.cookies.browser(request)
    outcome = await edge.services.sign_in.authorize(params, browser, posted=posted)
    return show(outcome, request, edge)


async def interaction(request: Request, edge: Edge) -> Answer:
    """GET /interaction goes on with a request, POST takes the person's decision."""
    params = await _params(request, edge)
    browser = edge.cookies.browser(request)
    if request.method == "POST":
        return show(await edge.services.sign_in.decide(params, browser), request, edge)
    chosen = params.one("upstream")
    handle = params.one("request")
    outcome = await edge.services.sign_in.interact(handle, browser, upstream=chosen)
    return show(outcome, request, edge)


async def callback(request: Request, edge: Edge) -> Answer:
    """GET /login/{upstream}/callback."""
    params = forms.query(request, edge.config)
    upstream = request.path_params["upstream"]
    browser = edge.cookies.browser(request)
    outcome = await edge.services.sign_in.callback(upstream, params, browser)
    return show(outcome, request, edge)


async def logout(request: Request, edge: Edge) -> Answer:
    """GET or POST /logout (OpenID Connect RP-Initiated Logout §2).

    A POST of another site comes without our ``SameSite=Lax`` cookies, whatever it pretends to be,
    so it is sent round to a GET that has them. A POST with our form's token is the person's answer.
    """
    params = await _params(request, edge)
    browser = edge.cookies.browser(request)
    if request.method == "POST" and browser.session is None:
        return redirect_answer(_logout_address(params))
    if request.method == "POST" and "csrf" in params:
        return show(await edge.services.logout.confirm(params, browser), request, edge)
    return show(await edge.services.logout.begin(params, browser), request, edge)


async def account(request: Request, edge: Edge) -> Answer:
    """GET /account shows a person their account, POST takes what they want changed."""
    params = await _params(request, edge)
    browser = edge.cookies.browser(request)
    if request.method == "POST":
        return show(await edge.services.account.change(params, browser), request, edge)
    outcome = await edge.services.account.show(params.one("notice"), browser)
    return show(outcome, request, edge)


async def landing(request: Request, edge: Edge) -> Answer:
    """GET /: what this is."""
    return edge.pages.speaking(request).landing()


async def _params(request: Request, edge: Edge) -> Parameters:
    if request.method == "POST":
        return await forms.form(request, edge.config)
    return forms.query(request, edge.config)


def _logout_address(params: Parameters) -> str:
    given = [(name, params.one(name)) for name in _LOGOUT_PARAMETERS]
    return f"/logout?{urlencode([(name, value) for name, value in given if value])}"


def show(outcome: Outcome, request: Request, edge: Edge) -> Answer:
    """Write an outcome of the core as HTTP."""
    changes: list[Header]
    if isinstance(outcome, Redirect):  # most are, and need no page
        answer = edge.go_on(outcome, request)
        answer.raw_headers += edge.cookies.changes(
            session=outcome.session, browser=outcome.browser, end_session=outcome.end_session
        )
        return answer
    pages = edge.pages.speaking(request, getattr(outcome, "ui_locales", None))
    match outcome:
        case AccountFile():
            answer, changes = file_answer(outcome.name, outcome.document), []
        case SignedOutPage() | FarewellPage():
            answer = _page(outcome, pages)
            changes = edge.cookies.changes(end_session=True)
        case LeavePage():
            answer, changes = _page(outcome, pages), []
        case _:
            answer = _page(outcome, pages)
            changes = edge.cookies.changes(browser=outcome.browser)
    answer.raw_headers += changes
    return answer


def _page(outcome: Outcome, pages: Pages) -> Answer:
    writers: Mapping[type, Callable[[Any], Answer]] = {
        SignedOutPage: pages.signed_out,
        FarewellPage: pages.farewell,
        LeavePage: pages.leave,
        KeepPage: pages.keep,
        ConsentPage: pages.consent,
        SelectPage: pages.select,
        AccessRefusedPage: pages.access_refused,
        ChoicePage: pages.choice,
        AccountPage: pages.account,
        LogoutPage: pages.logout,
    }
    return writers[type(outcome)](outcome)
