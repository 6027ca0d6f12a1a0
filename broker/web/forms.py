"""Strict reading of what a request carries: query, form, bearer token.

Sources: RFC 6749 §3.1 and Appendix B (form encoding), RFC 6750 §2 (bearer tokens).
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import Message

from broker.core.deadlines import Span, TookTooLong
from broker.core.dpop import Presented
from broker.core.errors import InvalidDpopProof, InvalidRequest, MissingToken
from broker.core.parameters import Parameters
from broker.web.addresses import asker
from broker.web.edge_config import EdgeConfig
from broker.web.problems import BodyTooLarge, BodyTooSlow, ClientGone, QueryTooLong
from broker.web.trace import trace_of

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 100
_FORM_BYTES: Final = FORM.encode()

# Parameters that must never stand in a URL of ours, where logs and histories keep them.
SECRET_PARAMETERS: Final = frozenset({
    "access_token", "assertion", "client_assertion", "client_secret", "code", "code_verifier",
    "device_code", "password", "refresh_token", "token",
})  # fmt: skip

# RFC 6750 §2.1 and RFC 9449 §7.1: b64token or token68, which are the same.
_BEARER: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")

# Python refuses to make a number of more than some thousand digits.
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")

Pairs = list[tuple[str, str]]


def query_pairs(request: Request, config: EdgeConfig) -> Pairs:
    """Return the parameters in the URL.

    Raises:
        InvalidRequest: they are too many, too long or not UTF-8.
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > config.query_limit:
        raise QueryTooLong
    return _parse(raw) if raw else []


def query(request: Request, config: EdgeConfig) -> Parameters:
    """Return the parameters in the URL; raises like ``query_pairs``."""
    return Parameters(query_pairs(request, config))


async def form(request: Request, config: EdgeConfig) -> Parameters:
    """Return the parameters in the body; raises like ``form_pairs``."""
    return Parameters(await form_pairs(request, config), partial(asker, request, config))


async def form_pairs(request: Request, config: EdgeConfig) -> Pairs:
    """Read the body, which must be a form, and return its fields.

    Raises:
        InvalidRequest: it is not a form, is not UTF-8, is too large, too slow or has too many
            fields.
        ClientGone: the client went away.
    """
    if not is_form(request):
        raise InvalidRequest(f"The body must be {FORM}")
    return _parse(await read_body(request, config))


def is_form(request: Request) -> bool:
    """Whether the body is declared as a form in UTF-8."""
    declared = header(request, b"content-type")
    if declared == _FORM_BYTES:
        return True
    media_type, _, rest = declared.decode("latin-1").lower().partition(";")
    charset = rest.strip().replace('"', "")
    return media_type.strip() == FORM and charset in {"", "charset=utf-8"}


async def read_body(request: Request, config: EdgeConfig) -> bytes:
    """Return the body, read no further than the limit.

    The usual body is there whole at once, so only one that comes in parts gets a timer of its own;
    while its first part is awaited the request's deadline runs, and ``reading`` says so.

    Raises:
        BodyTooLarge: it is larger than the limit, by its own word or by its size.
        BodyTooSlow: it did not arrive in time.
        ClientGone: the client went away.
    """
    declared = header(request, b"content-length")
    if declared and not (_LENGTH.fullmatch(declared) and int(declared) <= config.body_limit):
        raise BodyTooLarge
    trace = trace_of(request.scope)
    trace.reading = True
    message = await request.receive()
    if message.get("more_body", False):
        body = await _read_on(message, request, config)
    else:
        body = _part(message, 0, config.body_limit)
    trace.reading = False
    return body


async def _read_on(message: Message, request: Request, config: EdgeConfig) -> bytes:
    body = bytearray(_part(message, 0, config.body_limit))
    try:
        await Span(config.body_timeout).within(_rest_of(body, request, config))
    except TookTooLong:
        raise BodyTooSlow from None
    return bytes(body)


async def _rest_of(body: bytearray, request: Request, config: EdgeConfig) -> None:
    message: Message = {"more_body": True}
    while message.get("more_body", False):
        message = await request.receive()
        body += _part(message, len(body), config.body_limit)


def _part(message: Message, before: int, limit: int) -> bytes:
    """Return a part of a body, unless it makes the whole too large."""
    if message["type"] == "http.disconnect":
        raise ClientGone
    part: bytes = message.get("body", b"")
    if before + len(part) > limit:
        raise BodyTooLarge
    return part


def header(request: Request, name: bytes) -> bytes:
    """Return the first header of that (lower-case) name, or nothing; it costs no copy of all."""
    value: bytes
    for key, value in request.scope["headers"]:
        if key == name:
            return value
    return b""


def _parse(raw: bytes) -> Pairs:
    """As ``urllib.parse.parse_qsl`` does; that one takes no notice of how little is encoded."""
    try:
        text = raw.decode()
        if text.count("&") >= MAX_FIELDS:
            raise InvalidRequest("There are too many parameters")
        fields = [field.partition("=") for field in text.split("&") if field]
        return [(_decoded(name), _decoded(value)) for name, _, value in fields]
    except UnicodeDecodeError:
        raise InvalidRequest("The parameters are not UTF-8") from None


def _decoded(text: str) -> str:
    if "%" in text or "+" in text:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    return text


def refuse_secrets_in_url(request: Request, config: EdgeConfig) -> None:
    """Refuse credentials in the URL of an endpoint for programs (RFC 6749 §2.3.1).

    Raises:
        InvalidRequest: one is there, or the query cannot be read.
    """
    if not request.scope["query_string"]:
        return
    if any(name in SECRET_PARAMETERS for name, _ in query_pairs(request, config)):
        raise InvalidRequest("Secrets do not belong into the URL: send them in the body")


def authorization(request: Request) -> str | None:
    """Return the Authorization header, or None.

    Raises:
        InvalidRequest: there are several.
    """
    values = [v for k, v in request.scope["headers"] if k == b"authorization"]
    if len(values) > 1:
        raise InvalidRequest("There are several Authorization headers")
    return values[0].decode("latin-1") if values else None


async def bearer(request: Request, config: EdgeConfig) -> str:
    """Return the access token of a request (RFC 6750 §2.1 and §2.2; in the URL it never counts).

    Raises:
        MissingToken: there is none.
        InvalidRequest: there are several, or it is malformed.
    """
    return (await _presented(request, config, ("bearer",))).token


async def access_token(request: Request, config: EdgeConfig) -> Presented:
    """Return the access token of a request, bearer's or bound to a key (RFC 9449 §7.1).

    Raises:
        MissingToken: there is none.
        InvalidRequest: there are several, or it is malformed.
        InvalidDpopProof: there are several proofs.
    """
    try:
        return await _presented(request, config, ("bearer", "dpop"))
    except MissingToken:
        raise MissingToken(dpop=True) from None


def dpop(request: Request) -> str | None:
    """Return the DPoP header, or None.

    Raises:
        InvalidDpopProof: there are several (RFC 9449 §4.3).
    """
    values = [v for k, v in request.scope["headers"] if k == b"dpop"]
    if len(values) > 1:
        raise InvalidDpopProof("There are several DPoP headers")
    return values[0].decode("latin-1") if values else None


async def _presented(request: Request, config: EdgeConfig, schemes: tuple[str, ...]) -> Presented:
    found: list[str] = []
    scheme, _, credentials = (authorization(request) or "").partition(" ")
    scheme = scheme.lower()
    if scheme in schemes:
        found.append(credentials.strip(" "))
    if request.method == "POST" and is_form(request):
        found += _named("access_token", await form_pairs(request, config))
    if found:
        found += _named("access_token", query_pairs(request, config))
    if not found:
        raise MissingToken
    if len(found) > 1:
        raise InvalidRequest("The access token was sent more than once")
    if not _BEARER.fullmatch(found[0]):
        raise InvalidRequest("The access token is malformed")
    bound = scheme == "dpop"
    return Presented(found[0], request.method, bound, dpop(request) if bound else None)


def _named(name: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [value for key, value in pairs if key == name]
