"""The authorization request: its checks, in their order (OpenID Connect Core §3.1.2.2).

The client and the redirect URI are judged first, and a fault in them is shown on a page. Every
later fault goes back to the redirect URI that was found good (RFC 6749 §4.1.2.1).
"""

import re
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from broker.core import claims, pkce, redirects, responses
from broker.core import vocabulary as v
from broker.core.apis import known_scopes
from broker.core.errors import (
    AuthorizationRefused,
    BadAuthorizationRequest,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    ProtocolError,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from broker.core.model import AuthorizationRequest, Client
from broker.core.parameters import Parameters
from broker.core.ports import Clients
from broker.core.request_objects import RequestObjects
from broker.core.signing import SigningAlgorithms

HintSubject = Callable[[str, str], str]
"""Takes an ID token and the client_id it must be for; returns its subject or raises."""

_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+\Z")
_SINGLE: Final = (
    "state", "response_type", "response_mode", "scope", "nonce", "prompt", "max_age",
    "code_challenge", "code_challenge_method", "login_hint", "id_token_hint", "ui_locales",
    "display", "acr_values", "claims", "claims_locales", "request", "request_uri", "registration",
    "dpop_jkt", "idp_hint",
)  # fmt: skip


async def validate(
    clients: Clients,
    params: Parameters,
    hint_subject: HintSubject,
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
        return await _checked(client, redirect_uri, params, hint_subject, signing), client
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


async def _checked(
    client: Client,
    redirect_uri: str,
    params: Parameters,
    hint_subject: HintSubject,
    signing: SigningAlgorithms,
) -> AuthorizationRequest:
    _given_once(params)
    _without_request_objects(params)
    _response_type(params)
    scope = asked_scope(client, params, known_scopes(await signing.apis.registered(), client))
    max_age = _max_age(client, params)  # 0 is prompt=login in other words
    wish = claims.read(params.one("claims"), params.one("acr_values"), client)
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scope=scope,
        state=params.one("state"),
        nonce=params.one("nonce"),
        code_challenge=pkce.challenge(
            params.one("code_challenge"),
            params.one("code_challenge_method"),
            required=client.public or client.require_pkce,
        ),
        prompt=_prompt(params) if max_age != 0 else (*_prompt(params), v.PROMPT_LOGIN),
        max_age=max_age,
        resources=await _signable(client, resources(client.resources, params), signing),
        login_hint=params.one("login_hint"),
        hint_sub=_hint(client, params, hint_subject, wish.sub),
        ui_locales=params.one("ui_locales"),
        response_mode=responses.asked_mode(params, redirect_uri),
        dpop_jkt=_dpop_jkt(params),
        idp_hint=params.one("idp_hint"),
        claims=wish.kept,
    )


def _given_once(params: Parameters) -> None:
    """RFC 6749 §3.1: no parameter twice (``resource`` may repeat, RFC 8707 §2)."""
    name = params.repeated(_SINGLE)
    if name is not None:
        raise InvalidRequest(f"The parameter {name} was given twice")


def _without_request_objects(params: Parameters) -> None:
    """OpenID Connect Core §6 and §7.2.1: none of them is offered, and nothing is fetched."""
    if "request" in params:
        raise RequestNotSupported
    if "request_uri" in params:
        raise RequestUriNotSupported
    if "registration" in params:
        raise RegistrationNotSupported


def _response_type(params: Parameters) -> None:
    """RFC 6749 §3.1.1: ``code`` alone; RFC 9700 §2.1.2 advises against the others."""
    response_type = params.one("response_type")
    if response_type is None:
        raise InvalidRequest("response_type is missing")
    if response_type != "code":
        raise UnsupportedResponseType


def asked_scope(
    client: Client, params: Parameters, known: Collection[str] = v.SCOPES
) -> tuple[str, ...]:
    """Return the scope asked for (OpenID Connect Core §3.1.2.1): unknown words are ignored.

    Args:
        client: who asks.
        params: of the request.
        known: the words that mean something here, as ``apis.known_scopes`` says.

    Raises:
        InvalidScope: it is malformed, more than the client is registered for, or nothing is left.
    """
    asked = params.words("scope")
    scope = tuple([word for word in asked if word in known])
    if len(scope) < len(asked) and not all(_SCOPE_TOKEN.match(word) for word in asked):
        raise InvalidScope("The scope is malformed")
    refused = [word for word in scope if word not in client.scopes]
    if refused:
        raise InvalidScope(f"This client is not registered for the scope {refused[0]}")
    if not scope:
        raise InvalidScope("The scope is missing")
    return scope


def _prompt(params: Parameters) -> tuple[str, ...]:
    """OpenID Connect Core §3.1.2.1: known words, ``none`` only alone."""
    prompt = params.words("prompt")
    if any(word not in v.PROMPTS for word in prompt):
        raise InvalidRequest("prompt holds a word that is not known")
    if v.PROMPT_NONE in prompt and len(prompt) > 1:
        raise InvalidRequest("prompt=none cannot be joined with another prompt")
    return prompt


def _dpop_jkt(params: Parameters) -> str | None:
    """RFC 9449 §10: the SHA-256 thumbprint of the key that the code will be bound to."""
    thumbprint = params.one("dpop_jkt")
    if thumbprint is not None and not _THUMBPRINT.match(thumbprint):
        raise InvalidRequest("dpop_jkt must be 43 characters of base64url")
    return thumbprint


def _max_age(client: Client, params: Parameters) -> int | None:
    """OpenID Connect Core §3.1.2.1: seconds, not negative; the client's own unless named."""
    text = params.one("max_age")
    if text is None:
        return client.default_max_age
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidRequest("max_age must be a number of seconds")
    return int(text)


def resources(allowed: tuple[str, ...], params: Parameters) -> tuple[str, ...]:
    """Return the resource indicators asked for (RFC 8707 §2).

    Raises:
        InvalidTarget: one is not an absolute URI without fragment, or not ``allowed``.
    """
    wanted = params.many("resource")
    for resource in wanted:
        if not _absolute(resource):
            raise InvalidTarget("A resource is an absolute URI without a fragment (RFC 8707 §2)")
        if resource not in allowed:
            raise InvalidTarget("This client is not registered for the resource")
    return wanted


async def _signable(
    client: Client, wanted: tuple[str, ...], signing: SigningAlgorithms
) -> tuple[str, ...]:
    """One token has one signature: resources whose APIs want different ones go not together.

    An algorithm that was switched off is told before the person does anything.
    """
    await signing.of_access_token(client, wanted)
    signing.of_id_token(client)
    return wanted


def _absolute(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.scheme) and "#" not in uri


def _hint(
    client: Client, params: Parameters, hint_subject: HintSubject, wanted: str | None
) -> str | None:
    """Who has to be signed in: ``id_token_hint`` (Core §3.1.2.1), or the claims request (§5.5.1).

    The hint is one of ours, for this client.
    """
    hint = params.one("id_token_hint")
    sub = None if hint is None else hint_subject(hint, client.client_id)
    if None not in {sub, wanted} and sub != wanted:
        raise InvalidRequest("id_token_hint and claims name two subjects")
    return sub or wanted
