"""What an authorization request asks, parameter by parameter (OpenID Connect Core §3.1.2.1).

Its client and its redirect URI were found good before; every fault here is told there.
"""

import re
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from broker.core import claims, pkce, responses
from broker.core import vocabulary as v
from broker.core.apis import known_scopes
from broker.core.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from broker.core.model import AuthorizationRequest, Client
from broker.core.parameters import Parameters
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


async def judged(
    client: Client,
    redirect_uri: str,
    params: Parameters,
    hint_subject: HintSubject,
    signing: SigningAlgorithms,
) -> AuthorizationRequest:
    """Return what a request asks, as a proven record; one check after the other.

    Args:
        client: who asks.
        redirect_uri: that was found good.
        params: of the request.
        hint_subject: judges an ``id_token_hint``.
        signing: knows how the tokens would be signed.

    Raises:
        ProtocolError: something is wrong.
        StoreUnavailable: the APIs cannot be read.
    """
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
