"""Lengths of time as people write them: ``90``, ``90s``, ``10m``, ``24h``, ``30d``."""

import re
from typing import Any, Final

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_WHOLE: Final = re.compile(r"(\d{1,9}[smhd])+", re.ASCII)


def parse(value: Any) -> Any:
    """Return the seconds of a text such as ``1h30m``; anything else is returned as it came.

    Raises:
        ValueError: the text is not a length of time.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if text.isdigit():
        return int(text)
    if not _WHOLE.fullmatch(text):
        raise ValueError("write seconds, or a number with s, m, h or d, such as 90s, 10m, 30d")
    return sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text))


def show(seconds: float) -> str:
    """Return a length of time in its largest units: ``600`` is ``10m``, ``90`` is ``1m30s``."""
    left = round(seconds)
    if left <= 0:
        return "0s"
    shown = ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, UNITS[unit])
        shown += f"{count}{unit}" if count else ""
    return shown
