"""The access policy of the deployment: a file that a setting names, read once by each process."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from broker.app.settings import Settings
from broker.core.documents import BadDocument, parse
from broker.core.policy.model import Policy
from broker.core.policy.reading import read

LARGEST: Final = 1024 * 1024  # bytes


def deployment_policy(settings: Settings) -> Policy | None:
    """Return the policy that holds for every client, or None where there is none.

    A file that changed meanwhile is read at the next start, where it is checked.

    Raises:
        BadDocument: the file cannot be read, or holds no policy.
    """
    return None if settings.policy is None else _read(settings.policy.resolve())


def deployment_document(settings: Settings) -> dict[str, Any] | None:
    """Return that policy as it is written now, or None where there is none.

    Raises:
        BadDocument: the file cannot be read, or holds no JSON object.
    """
    return None if settings.policy is None else parse(text_of(settings.policy))


@lru_cache(maxsize=8)
def _read(path: Path) -> Policy:
    return read(parse(text_of(path)))


def text_of(path: Path) -> str:
    """Return the text of a policy's file.

    Raises:
        BadDocument: it cannot be read.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise BadDocument("", f"{path} cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise BadDocument("", f"{path} is larger than {LARGEST} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadDocument("", f"{path} is no UTF-8 text") from None
