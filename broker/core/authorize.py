"""The authorization request: its checks, in their order (OpenID Connect Core §3.1.2.2).

The client and the redirect URI are judged first, and a fault in them is shown on a page. Every
later fault goes back to the redirect URI that was found good (RFC 6749 §4.1.2.1). What the request
asks is judged in ``wishes``.
"""

from broker.core import redirects, responses, wishes
from broker.core import vocabulary as v
from broker.core.errors import (
    AuthorizationRefused,
    BadAuthorizationRequest,
    InvalidRequest,
    ProtocolError,
)
from broker.core.model import AuthorizationRequest, Client
from broker.core.parameters import Parameters
from broker.core.ports import Clients
from broker.core.request_objects import RequestObjects
from broker.core.signing import SigningAlgorithms


async def validate(
    clients: Clients,
    params: Parameters,
    hint_subject: wishes.HintSubject,
    signing: SigningAlgorithms,
    objects: RequestObjects | None = None,
    *,
    pushed: bool = False,
) -> tuple[AuthorizationRequest, Client]:
    """Return the request as a proven record, and its client.

    Args:
        clients: the registered ones.
        params: of the request.
        hint_subject: judges an ``id_token_hint``.
        signing: knows how the tokens would be signed.
        objects: opens signed request objects; None where none are taken.
        pushed: whether its client has sent it itself (RFC 9126).

    Raises:
        BadRequestObject: the client did not sign its request object.
        BadAuthorizationRequest: the client or its redirect URI is not to be trusted.
        AuthorizationRefused: anything else is wrong; it carries the validated redirect URI.
        StoreUnavailable: the clients or the APIs cannot be read.
    """
    client = await client_of(clients, params)
    signed = None if objects is None else await objects.opened(client, params)
    outside, params = params, params if signed is None else signed.params
    redirect_uri = _redirect_uri(client, params)
    try:
        if objects is not None and signed is not None:
            objects.check(signed, outside)
        elif client.require_signed_request_object:
            raise InvalidRequest("This app has to sign its requests (RFC 9101)")
        if client.require_pushed_authorization_requests and not pushed:
            raise InvalidRequest("This app has to push its requests (RFC 9126)")
        return await wishes.judged(client, redirect_uri, params, hint_subject, signing), client
    except ProtocolError as error:
        state = None if params.repeated(("state",)) else _state(params)
        mode = responses.known_mode(params, redirect_uri)
        refused = AuthorizationRefused(redirect_uri, state, error, mode)
        refused.client, refused.asks = client, asks(client, params)
        raise refused from None


def asks(client: Client, params: Parameters) -> bool:
    """Whether a person decides about going back to an app whose request is bad (RFC 9700 §4.11.2).

    Anybody may register an app with any address, so a link of ours must not lead there by itself.
    The silent case is for pages that are open already.
    """
    return unvouched(client) and not _silent(params)


def unvouched(client: Client) -> bool:
    """Whether an app has registered itself, so that nobody vouches for its addresses."""
    return client.registration_digest is not None


def _silent(params: Parameters) -> bool:
    """Whether a request, good or bad, asks for no page at all."""
    try:
        return not params.repeated(("prompt",)) and params.words("prompt") == (v.PROMPT_NONE,)
    except InvalidRequest:  # a control character, say
        return False


async def client_of(clients: Clients, params: Parameters) -> Client:
    """Return the client of an authorization request (RFC 6749 §3.1, §4.1.1).

    Raises:
        BadAuthorizationRequest: there is not one, registered and switched on.
    """
    try:
        client_id = params.one("client_id")
    except InvalidRequest as error:
        raise BadAuthorizationRequest("The link names no single app", private=str(error)) from None
    if client_id is None:
        raise BadAuthorizationRequest("The link does not say which app it is for")
    client = await clients.find(client_id)
    if client is None or client.disabled or v.GRANT_CODE not in client.grant_types:
        raise BadAuthorizationRequest(
            "The app is not registered here, or is switched off", private=f"client {client_id!r}"
        )
    return client


def _redirect_uri(client: Client, params: Parameters) -> str:
    """RFC 6749 §3.1.2.3: exact, given once; OpenID Connect Core §3.1.2.1: never omitted."""
    try:
        wanted = params.one("redirect_uri")
        scope = () if wanted else params.words("scope")
    except InvalidRequest as error:
        raise BadAuthorizationRequest(
            "The address the app wants you back at is not valid", private=str(error)
        ) from None
    if v.SCOPE_OPENID in scope:
        raise BadAuthorizationRequest("The link does not say where the app wants you back")
    return redirects.resolve(client, wanted)


def _state(params: Parameters) -> str | None:
    try:
        return params.one("state")
    except InvalidRequest:
        return None
