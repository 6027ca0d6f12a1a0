"""Discord's error bodies, and reading what a client sent."""

import base64
import binascii
from collections.abc import Mapping
from typing import cast
from urllib.parse import parse_qs, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

from broker.demo.discord.state import SimulatedDiscord

MAX_FORM_BYTES = 64 * 1024


def simulator(request: Request) -> SimulatedDiscord:
    """Return the simulator that serves this request."""
    return cast("SimulatedDiscord", request.app.state.discord)


def api_error(
    status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error of the resource endpoints: `{message, code}`."""
    return JSONResponse({"message": message, "code": code}, status, headers)


def unauthorized() -> JSONResponse:
    """Return the answer to a missing, expired or revoked token."""
    return api_error(401, 0, "401: Unauthorized")


def rate_limited(seconds: float, headers: Mapping[str, str], *, is_global: bool) -> JSONResponse:
    """Return a 429 that says how long to wait (seconds)."""
    body = {
        "message": "You are being rate limited.",
        "code": 0,
        "retry_after": seconds,
        "global": is_global,
    }
    return JSONResponse(body, 429, headers)


def oauth_error(error: str, description: str, status: int = 400) -> JSONResponse:
    """Return an error of the token endpoints (RFC 6749 §5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status)


async def read_form(request: Request) -> dict[str, str] | None:
    """Return the fields of a urlencoded body, the last of each name; None for another type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = await request.body()
    fields = parse_qs(body[:MAX_FORM_BYTES].decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def client_credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Return client id and secret from a Basic header, else from the body; empty where absent."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    # RFC 6749 §2.3.1 form-encodes both; clients that do not are understood the same way here.
    return unquote_plus(name), unquote_plus(secret)
