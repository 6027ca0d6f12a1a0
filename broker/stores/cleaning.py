"""Text that comes from outside, as every store takes it."""


def clean(text: str) -> str:
    """Return text that every database takes: no NUL, no half of a surrogate pair."""
    return text.encode(errors="replace").decode().replace("\0", "")


def clean_or_none(text: str | None) -> str | None:
    """Return clean text, or None for None."""
    return None if text is None else clean(text)
