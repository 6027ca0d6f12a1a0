"""A person's way out: asking to be deleted, and being asked whether to stay after all.

Whoever signs in while the account waits for its deletion gets no session. The request under way
keeps who it was, and its page asks; whoever stays makes the trip upstream once more, and goes on
with the request as with any other.
"""

from contextlib import suppress
from dataclasses import replace

from broker.core import redirects, trips
from broker.core.account.deletion import leave
from broker.core.account.holdings import Holdings
from broker.core.account.linking import BACK
from broker.core.account.outcomes import FarewellPage
from broker.core.audit import note
from broker.core.authentication import upstream_prompt
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.device.approval import deny
from broker.core.errors import (
    AccessDenied,
    BadForm,
    InvalidRequest,
    RequestUnknown,
    StoreUnavailable,
    UpstreamUnavailable,
)
from broker.core.model import AuditEvent, Facts, PendingRequest, Session
from broker.core.outcomes import Browser, KeepPage, Redirect
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.responses import refusal
from broker.core.texts import Text


async def depart(desk: Desk, session: Session) -> FarewellPage:
    """Switch the account off, end everything, and have it deleted when the grace is over.

    What upstreams let us do for the person is given back, as far as they can be reached.

    Raises:
        StoreUnavailable: SQL is out of reach, and nothing was changed; or Redis is, and the outbox
            does the rest.
    """
    leaving, ended = await leave(
        desk.own,
        desk.states,
        Holdings(desk.identities, desk.authorizations, desk.upstreams),
        session.account_id,
        now=desk.clock.now(),
        grace=desk.lifetimes.deletion_grace,
        actor="person",
    )
    if ended is None:
        raise StoreUnavailable(private="the deletion is left to the outbox", links=BACK)
    return FarewellPage(leaving.at if leaving.facts else None)


async def waiting(desk: Desk, pending: PendingRequest, account_id: str, facts: Facts) -> Redirect:
    """Have the request's next page ask whether the account that has signed in is to stay."""
    now, name = desk.clock.now(), pending.upstream
    keeps = (account_id, facts.leaving_at or now, facts.leaving_by or "")
    pending = replace(pending, attempt="", verifier="", keeps=keeps)
    await desk.requests.put(pending)
    event = AuditEvent(
        "sign_in.leaving", now, "person", account_id, pending.request.client_id or None,
        {"upstream": name},
    )  # fmt: skip
    await note(desk.audit, event)
    return Redirect(desk.page_url(pending))


async def question(desk: Desk, pending: PendingRequest, browser: Browser) -> KeepPage:
    """Return the page that asks whether the account is to stay."""
    key = browser.key or encode(desk.entropy.token(24))
    pending = replace(pending, browser=browser_digest(key))
    await desk.requests.put(pending)
    request = pending.request
    return KeepPage(
        request=desk.request_handle(pending),
        csrf=desk.forms.make(key, _subject(pending)),
        at=pending.keeps[1] if pending.keeps else 0.0,
        by=pending.keeps[2] if pending.keeps else "",
        redirect_origin=redirects.origin(request.redirect_uri),
        browser=None if browser.key else key,
        ui_locales=request.ui_locales,
        client=await desk.clients.find(request.client_id) if request.inward is None else None,
    )


async def decide(
    desk: Desk, pending: PendingRequest, params: Parameters, browser: Browser
) -> Redirect:
    """Take what the person has decided: ``keep``, or ``leave`` as it was.

    Raises:
        BadForm: the form did not come from our page in this browser.
        RequestUnknown: the account is deleted by now, or stays already; or whoever leaves has no
            app to go back to.
        AuthorizationRefused: the person stays away, so the app hears no.
        UpstreamUnavailable, StoreUnavailable: not now.
    """
    decision = params.one("decision")
    if not desk.forms.good(params.one("csrf"), browser.key, _subject(pending)):
        raise BadForm(links=((Text("Back to the sign-in"), desk.page_url(pending)),))
    if decision == "leave":
        await desk.requests.finish(pending.request_id)
        if pending.request.inward is not None:
            return Redirect("/")
        await deny(desk, pending.request)
        await desk.client_of(pending)  # nobody is sent to where the client is no more
        raise refusal(pending.request, AccessDenied())
    if decision != "keep" or pending.keeps is None:
        raise InvalidRequest(Text("The form holds no decision"))
    account_id = pending.keeps[0]
    facts = await desk.own.keep(account_id, now=desk.clock.now(), actor="person")
    if facts is None:
        raise RequestUnknown(Text("This account is deleted, or stays already"), links=BACK)
    with suppress(StoreUnavailable):  # the outbox will have it carried out
        await desk.states.put_facts(account_id, facts)
    upstream = desk.upstreams.get(pending.upstream)
    if upstream is None:
        raise UpstreamUnavailable(links=(desk.back_link(pending.request),))
    stays = replace(pending, keeps=None)
    prompt = upstream_prompt(stays.request, browser)
    return await trips.begin(desk, stays, browser, upstream=upstream, prompt=prompt)


def _subject(pending: PendingRequest) -> str:
    """Return what the page's form is about."""
    return f"keep {pending.request_id} {pending.keeps[0] if pending.keeps else ''}"
