"""Strict reading of a JSON body (RFC 8259)."""

import json
from typing import Any, Final

from starlette.requests import Request

from broker.core.errors import InvalidClientMetadata, InvalidRequest
from broker.web.edge_config import EdgeConfig
from broker.web.forms import header, read_body

JSON: Final = "application/json"


def must_be_json(request: Request) -> None:
    """Refuse a body that is not declared as JSON, which a form of another site cannot do.

    Raises:
        InvalidRequest: it is declared as something else, or in another charset.
    """
    declared = header(request, b"content-type").decode("latin-1").lower()
    media_type, _, rest = declared.partition(";")
    charset = rest.strip().replace('"', "")
    if media_type.strip() != JSON or charset not in {"", "charset=utf-8"}:
        raise InvalidRequest(f"The body must be {JSON}")


async def json_object(request: Request, config: EdgeConfig) -> dict[str, Any]:
    """Read the body: one JSON object in UTF-8 that says nothing twice.

    Raises:
        InvalidClientMetadata: it is something else.
        InvalidRequest: it is too large or too slow.
        ClientGone: the client went away.
    """
    body = await read_body(request, config)
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidClientMetadata("The body is no JSON that could be read") from None
    if not isinstance(found, dict):
        raise InvalidClientMetadata("The body must be a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, unless one is there twice (RFC 8259 §4: who wins is unclear)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
