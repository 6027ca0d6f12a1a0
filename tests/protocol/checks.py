"""What an answer must be, in the notation of the list of threats: PAGE, R(x), T(x), RS401."""

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.protocol.known import ISSUER

if TYPE_CHECKING:
    from tests.protocol.actors import App


def hidden(page: httpx2.Response, status: int = 200) -> dict[str, str]:
    """The hidden fields of a page's form."""
    assert page.status_code == status, (page.status_code, page.headers.get("location"), page.text)
    tags = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page.text)
    pairs = ((re.search(r'name="([^"]*)"', t), re.search(r'value="([^"]*)"', t)) for t in tags)
    return {unescape(n[1]): unescape(v[1]) for n, v in pairs if n and v}


def query_of(location: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
    assert len({name for name, _ in pairs}) == len(pairs), location
    return dict(pairs)


def answered(answer: httpx2.Response, app: "App") -> dict[str, str]:
    """The answer's parameters at the client: a code, the state and ``iss`` (RFC 9207)."""
    found = _sent_to(answer, app)
    assert found.keys() == {"code", "state", "iss"}, found
    assert (found["state"], found["iss"]) == (app.state, ISSUER)
    return found


def _sent_to(answer: httpx2.Response, app: "App") -> dict[str, str]:
    assert answer.status_code == 303, (answer.status_code, answer.text)
    location = answer.headers["location"]
    assert location.startswith(app.redirect_uri + ("&" if "?" in app.redirect_uri else "?"))
    assert answer.headers["cache-control"] == "no-store"
    return query_of(location)


def is_refusal(
    answer: httpx2.Response, app: "App", error: str, *, state: str | None = "its own"
) -> None:
    """R(error): to the validated redirect URI, with the request's state and ``iss``."""
    found = _sent_to(answer, app)
    assert found.pop("error") == error, found
    assert found.pop("error_description")
    assert found.pop("iss") == ISSUER
    assert found.pop("state", None) == (app.state if state == "its own" else state)
    assert not {"code", "access_token", "id_token"} & found.keys()


def is_page(answer: httpx2.Response, status: int = 400) -> str:
    """PAGE: HTML for a person, that cannot be framed, kept or redirected; returns its text.

    One that tells of a failure has a button that leads on.
    """
    assert answer.status_code == status, (answer.status_code, answer.headers, answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert status < 400 or 'class="button' in answer.text or "<button" in answer.text
    return unescape(answer.text)


def is_token_error(answer: httpx2.Response, error: str, status: int = 400) -> None:
    """T(error): JSON that nobody may keep, without any token in it."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.pop("error") == error, body
    assert body.keys() == {"error_description"}


def is_challenge(
    answer: httpx2.Response, error: str | None = "invalid_token", status: int = 401
) -> None:
    """RS401 and its kin: a Bearer challenge that names the error."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert answer.headers["cache-control"] == "no-store"
    if error is None:
        assert "error" not in challenge
    else:
        assert f'error="{error}"' in challenge
