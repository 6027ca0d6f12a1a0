"""Reading and forging JWTs, by hand, so that a test can do what no library would."""

import base64
import json
from typing import Any


def b64(value: bytes | str | dict[str, Any]) -> str:
    """base64url without padding; JSON of what is no text."""
    if isinstance(value, dict):
        value = json.dumps(value, separators=(",", ":"))
    raw = value.encode() if isinstance(value, str) else value
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(token: str, number: int) -> dict[str, Any]:
    segment = token.split(".")[number]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    )
    return found


def header_of(token: str) -> dict[str, Any]:
    return part(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    return part(token, 1)
