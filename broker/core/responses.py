"""How answers reach the client: in the query, in the fragment, or posted by the browser.

Sources: RFC 6749 §4.1.2, OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0 Form
Post Response Mode §2, RFC 9207 §2 (``iss`` is in every answer).
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from broker.core import redirects
from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.errors import AuthorizationRefused, InvalidRequest, ProtocolError
from broker.core.model import AuthorizationRequest
from broker.core.outcomes import Redirect
from broker.core.parameters import Parameters

_MODES: Final = {v.MODE_QUERY: None, v.MODE_FRAGMENT: v.MODE_FRAGMENT}


def respond(
    redirect_uri: str,
    mode: str | None,
    members: Mapping[str, str | None],
    ui_locales: str | None = None,
    client: Client | None = None,
) -> Redirect:
    """Return the answer as the mode wants it; members that are None are left out.

    Args:
        redirect_uri: the validated redirect URI.
        mode: ``fragment``, ``form_post``, or None for the query.
        members: of the answer.
        ui_locales: languages for a page that posts it.
        client: whose page that is.
    """
    if mode is None:
        return Redirect(redirects.answer_url(redirect_uri, members))
    given = {name: value for name, value in members.items() if value is not None}
    if mode == v.MODE_FORM_POST:
        return Redirect(redirect_uri, fields=given, ui_locales=ui_locales, client=client)
    return Redirect(f"{redirect_uri}#{urlencode(given)}")


def asked_mode(params: Parameters, redirect_uri: str) -> str | None:
    """Return the response mode asked for; None for the query, which is what ``code`` is sent in.

    Raises:
        InvalidRequest: it is not known, was given twice, or cannot be used with this address: no
            browser posts to an app's own scheme.
    """
    mode = params.one("response_mode")
    if mode is None or mode in _MODES:
        return _MODES.get(mode or v.MODE_QUERY)
    if mode != v.MODE_FORM_POST:
        raise InvalidRequest("response_mode must be query, fragment or form_post")
    if urlsplit(redirect_uri).scheme not in {"https", "http"}:
        raise InvalidRequest("response_mode=form_post needs a redirect URI of the web")
    return mode


def known_mode(params: Parameters, redirect_uri: str) -> str | None:
    """Return the mode in which even a bad request is answered: what was asked for if it is good."""
    try:
        return asked_mode(params, redirect_uri)
    except InvalidRequest:
        return None


def refusal(request: AuthorizationRequest, cause: ProtocolError) -> AuthorizationRefused:
    """Return the error answer to a proven request."""
    refused = AuthorizationRefused(
        request.redirect_uri, request.state, cause, request.response_mode
    )
    refused.ui_locales = request.ui_locales
    return refused
