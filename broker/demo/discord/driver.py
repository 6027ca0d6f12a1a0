"""Approve or refuse at the simulated Discord without a browser: for scripts and tests."""

from collections.abc import Collection
from typing import Any

import httpx2

REDIRECTS = frozenset({302, 303})


class RefusedError(Exception):
    """The simulated Discord showed an error page instead of sending the person back."""


def _decision(person: Any, *, deny: bool, scopes: Collection[str] | None) -> dict[str, str]:
    said = {"person": getattr(person, "id", person), "decision": "deny" if deny else "allow"}
    if scopes is not None:
        said |= {"choice": "1"} | {f"allow:{scope}": "on" for scope in scopes}
    return said


def _callback(answer: httpx2.Response) -> str:
    if answer.status_code not in REDIRECTS:
        raise RefusedError(f"{answer.status_code} from {answer.url}: {answer.text[:400]}")
    return answer.headers["location"]


def _left(page: httpx2.Response) -> bool:
    """Say whether the page was skipped: approved before, or an error sent back at once."""
    return page.status_code in REDIRECTS


async def approve(
    client: httpx2.AsyncClient,
    authorize_url: str,
    person: Any = "ada.lindqvist",
    *,
    deny: bool = False,
    scopes: Collection[str] | None = None,
) -> str:
    """Answer the approval page as a person would; returns the callback URL, not yet followed.

    Args:
        client: any HTTP client; its cookies are the browser's.
        authorize_url: where the broker sent the browser.
        person: a username, a snowflake, or a `Person` with an `id`.
        deny: say no.
        scopes: what is left ticked of what is asked; None: all of it. `identify` and `openid`
            cannot be unticked.

    Raises:
        RefusedError: Discord would have shown an error page.
    """
    page = await client.get(authorize_url, follow_redirects=False)
    if not _left(page) and page.status_code == 200:
        data = _decision(person, deny=deny, scopes=scopes)
        page = await client.post(authorize_url, data=data, follow_redirects=False)
    return _callback(page)


def approve_sync(
    client: httpx2.Client,
    authorize_url: str,
    person: Any = "ada.lindqvist",
    *,
    deny: bool = False,
    scopes: Collection[str] | None = None,
) -> str:
    """Do as `approve` does, with a blocking client."""
    page = client.get(authorize_url, follow_redirects=False)
    if not _left(page) and page.status_code == 200:
        data = _decision(person, deny=deny, scopes=scopes)
        page = client.post(authorize_url, data=data, follow_redirects=False)
    return _callback(page)
