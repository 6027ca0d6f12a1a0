"""Pushed authorization requests (RFC 9126): what a client asks, told to us before the browser is.

The endpoint judges the whole request at once and keeps it under a handle; ``/authorize`` goes on
with it as with any other. It leads to one code (FAPI 2.0 Security Profile §5.3.2.2, note 3): until
then the link may be opened again, so a reload or a browser that looks ahead costs nobody a sign-in.
What the handle itself says is told without a store: that it is ours, whose it is, when it is over.
"""

import hashlib
from dataclasses import replace
from math import ceil
from typing import Any, Final

from broker.core import authorize, redirects
from broker.core import vocabulary as v
from broker.core.clients import may_use
from broker.core.desk import Desk
from broker.core.dpop import pushed_key
from broker.core.errors import (
    AuthorizationRefused,
    BadAuthorizationRequest,
    BadRequestObject,
    InvalidRequest,
    InvalidRequestObject,
    InvalidRequestUri,
    ProtocolError,
    PushedRequestGone,
    RequestUriNotSupported,
    UnauthorizedClient,
)
from broker.core.grants import Counter
from broker.core.handles import ID_BYTES, Handle, Kind
from broker.core.model import AuthorizationRequest, Client, PendingRequest
from broker.core.parameters import Parameters
from broker.core.ports import Proof
from broker.core.responses import refusal

PATH: Final = "/par"
PREFIX: Final = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 §2.2
_AUTHENTICATION: Final = ("client_id", "client_secret", "client_assertion", "client_assertion_type")


class PushedRequests:
    """Answers ``POST /par``.

    Args:
        desk: what a sign-in needs at hand.
        counter: what the token endpoint has at hand; clients authenticate as there.
    """

    def __init__(self, desk: Desk, counter: Counter) -> None:
        self._desk = desk
        self._counter = counter

    async def answer(
        self, params: Parameters, authorization: str | None, dpop: str | None = None
    ) -> dict[str, Any]:
        """Return the members of the JSON answer (RFC 9126 §2.2).

        A DPoP proof binds the code to its key (RFC 9449 §10.1); ``dpop`` is that header, or None.

        Raises:
            ProtocolError: the client is not proven, or its request would be refused at
                ``/authorize``, the redirect URI's faults included (RFC 9126 §2.3).
            StoreUnavailable: a store is out of reach.
        """
        twice = params.repeated(_AUTHENTICATION)
        if twice is not None:
            raise InvalidRequest(f"The parameter {twice} was given twice")
        client = await self._counter.client(params, authorization)
        if not may_use(client, v.GRANT_CODE):
            raise UnauthorizedClient
        if "request_uri" in params:
            raise InvalidRequest("A pushed request cannot name a request_uri (RFC 9126 §2.1)")
        if params.one("client_id") not in {None, client.client_id}:
            raise InvalidRequest("client_id is not the client that has authenticated")
        proof = None if dpop is None else self._counter.proofs.judge(dpop, PATH)
        return await self._kept(client, params.joined("client_id", client.client_id), proof)

    async def _kept(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        desk = self._desk
        try:
            request, _ = await authorize.validate(
                desk.clients,
                params,
                desk.hint_subject,
                desk.signing,
                desk.request_objects,
                pushed=True,
            )
        except AuthorizationRefused as error:
            raise error.cause from None
        except BadRequestObject as error:
            raise InvalidRequestObject(private=error.private) from None
        except BadAuthorizationRequest as error:
            raise InvalidRequest(error.public, error.private) from None
        request = replace(request, dpop_jkt=pushed_key(request.dpop_jkt, proof))
        await self._counter.proofs.spend(proof)
        now, lifetime = desk.clock.now(), desk.lifetimes.pushed
        expires_at = float(ceil(now) + lifetime)
        pending = PendingRequest(desk.new_id(), request, "", now, expires_at)
        await desk.requests.put(pending, kept_after=desk.lifetimes.request + desk.lifetimes.skew)
        handle = Handle(_owner(client.client_id), pending.request_id, int(expires_at))
        uri = PREFIX + desk.handles.make(Kind.PUSHED, handle)
        return {"request_uri": uri, "expires_in": lifetime}


def named(params: Parameters) -> str | None:
    """Return the ``request_uri`` of an authorization request if it looks like one of ours."""
    try:
        uri = params.one("request_uri")
    except InvalidRequest:
        return None
    return uri if uri is not None and uri.startswith(PREFIX) else None


async def take(desk: Desk, params: Parameters, uri: str) -> tuple[AuthorizationRequest, Client]:
    """Return a pushed request; nothing but ``client_id`` counts beside it (§4).

    A request object may not stand beside it, though: it would be another request (RFC 9101 §5).

    Args:
        desk: what a sign-in needs at hand.
        params: of the authorization request.
        uri: its ``request_uri``, as ``named`` says.

    Raises:
        BadAuthorizationRequest: there is no such client.
        AuthorizationRefused: the request is over, spent, unknown or another client's, and the
            parameters name a redirect URI of this client; or another request stands beside it.
        PushedRequestGone: the same, and they do not.
        RequestUnknown: the app was switched off, or does not want its people there any more.
        StoreUnavailable: Redis is out of reach.
    """
    client = await authorize.client_of(desk.clients, params)
    handle = desk.handles.open(Kind.PUSHED, uri.removeprefix(PREFIX))
    if handle is None:
        raise _gone(client, params, "not of our making", RequestUriNotSupported)
    if handle.account_id != _owner(client.client_id):
        raise _gone(client, params, "not a request_uri of ours for this client")
    if handle.generation <= desk.clock.now():
        raise _gone(client, params, "it has expired")
    found = await desk.requests.get(handle.item_id)
    if found is None or found.request.client_id != client.client_id:
        raise _gone(client, params, "it was used before")
    if "request" in params:
        raise _joined(client, found.request)
    request = replace(found.request, pushed=handle.item_id)
    return request, await desk.client_of(found)


def _owner(client_id: str) -> str:
    """Return what a handle says of its client: no other one can spend it."""
    return hashlib.sha256(client_id.encode()).digest()[:ID_BYTES].hex()


def _joined(client: Client, request: AuthorizationRequest) -> AuthorizationRefused:
    """Return the refusal of one that has a request object beside it; it is not spent."""
    refused = refusal(request, InvalidRequest("request and request_uri cannot be joined"))
    refused.client = client
    refused.asks = authorize.unvouched(client) and request.prompt != (v.PROMPT_NONE,)
    return refused


def _gone(
    client: Client,
    params: Parameters,
    why: str,
    cause: type[ProtocolError] = InvalidRequestUri,
) -> AuthorizationRefused | PushedRequestGone:
    """Return the refusal of a request that is not there: there is nothing left to trust in it."""
    try:
        wanted, state = params.one("redirect_uri"), params.one("state")
    except InvalidRequest:
        wanted, state = None, None
    if wanted is None or not redirects.registered(client, wanted, client.redirect_uris):
        gone = PushedRequestGone(private=why)
        gone.client = client
        return gone
    refused = AuthorizationRefused(wanted, state, cause(private=why))
    refused.client, refused.asks = client, authorize.asks(client, params)
    return refused
