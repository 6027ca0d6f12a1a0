"""Endpoints of the device grant (RFC 8628): one for programs, a page and a picture for people."""

import io
from functools import lru_cache

from starlette.requests import Request

from broker.core.device import user_codes
from broker.core.outcomes import DeviceCodePage, DeviceDonePage, Redirect
from broker.web import forms
from broker.web.addresses import asker
from broker.web.answers import CLOSED_CSP, Answer, Header, json_answer, redirect_answer
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath


async def authorization(request: Request, edge: Edge) -> Answer:
    """POST /device_authorization (RFC 8628 §3.1)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    header = forms.authorization(request)
    return json_answer(await edge.services.device_authorization.answer(params, header))


async def page(request: Request, edge: Edge) -> Answer:
    """GET /device asks for the code, POST takes it (RFC 8628 §3.3)."""
    browser = edge.cookies.browser(request)
    pages = edge.services.device
    if request.method == "POST":
        params = await forms.form(request, edge.config)
        return _show(await pages.enter(params, browser, asker(request, edge.config)), request, edge)
    typed = forms.query(request, edge.config).one("user_code")
    return _show(pages.ask(typed, browser), request, edge)


async def done(request: Request, edge: Edge) -> Answer:
    """GET /device/done: how it ended."""
    sealed = forms.query(request, edge.config).one("device")
    browser = edge.cookies.browser(request)
    return _show(await edge.services.device.done(sealed, browser), request, edge)


async def qr(request: Request, edge: Edge) -> Answer:
    """GET /device/qr/{code}.svg: the link with the code in it, as a picture for the device to show.

    Any code that could be one is drawn, so the picture tells nothing of which ones are alive.
    """
    code = user_codes.normalised(request.path_params["code"])
    if code is None or request.path_params["code"] != user_codes.shown(code):
        raise NoSuchPath
    body = drawn(f"{edge.config.issuer}/device?user_code={user_codes.shown(code)}")
    headers: list[Header] = [
        (b"content-type", b"image/svg+xml"),
        (b"content-length", b"%d" % len(body)),
        (b"cross-origin-resource-policy", b"cross-origin"),
        CLOSED_CSP,
    ]
    return Answer(200, headers, body)


@lru_cache(maxsize=256)
def drawn(text: str) -> bytes:
    """Return a text as a QR code: SVG, dark on white with the quiet zone that cameras need."""
    import segno  # noqa: PLC0415 - a twentieth of a second, for those who have devices

    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(
        picture, kind="svg", border=4, light="#fff", dark="#000", omitsize=True, xmldecl=False
    )
    return picture.getvalue()


def _show(
    outcome: Redirect | DeviceCodePage | DeviceDonePage, request: Request, edge: Edge
) -> Answer:
    match outcome:
        case Redirect():
            return redirect_answer(outcome.location)
        case DeviceCodePage():
            answer = edge.pages.speaking(request).device_code(outcome)
            answer.raw_headers += edge.cookies.changes(browser=outcome.browser)
            return answer
        case _:
            return edge.pages.speaking(request).device_done(outcome)
