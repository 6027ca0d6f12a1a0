"""The sample's protected API: who am I, what may I do, notes of one's own, and a notice board."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.demo.sample.rights import READ, WRITE, Right, described, roles_of
from broker.demo.sample.verifier import (
    InsufficientScopeError,
    KeysUnavailableError,
    VerificationError,
    VerifiedToken,
    Verifier,
)

MAX_NOTE_CHARACTERS = 280
MAX_NOTES = 50
MAX_PEOPLE = 1000
MAX_BODY_BYTES = 8 * 1024


class RefusedError(Exception):
    """A request without a good access token; `response` is its answer (RFC 6750 §3)."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(slots=True)
class Notes:
    """Everybody's notes, in memory, by the `sub` of the token that wrote them."""

    _by_subject: OrderedDict[str, list[str]] = field(default_factory=OrderedDict)

    def of(self, subject: str) -> list[str]:
        """Return a person's notes, newest first."""
        return list(reversed(self._by_subject.get(subject, [])))

    def add(self, subject: str, text: str) -> None:
        """Keep a note; the oldest notes, and the longest unseen people, make room."""
        kept = self._by_subject.setdefault(subject, [])
        kept.append(text)
        del kept[:-MAX_NOTES]
        self._by_subject.move_to_end(subject)
        if len(self._by_subject) > MAX_PEOPLE:
            self._by_subject.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Api:
    """The API's endpoints over a verifier and a place for notes."""

    verifier: Verifier
    scope: str
    notes: Notes = field(default_factory=Notes)
    board: list[str] = field(default_factory=list)

    async def whoami(self, request: Request) -> Response:
        """`GET /api/whoami`: what the token says, as the API understood it."""
        token = await self._admit(request)
        body: dict[str, Any] = {
            "sub": token.subject,
            "client_id": token.client_id,
            "scope": sorted(token.scopes),
            "kid": token.kid,
            "expires_at": token.claims["exp"],
        }
        return _private(body)

    async def own_notes(self, request: Request) -> Response:
        """`GET /api/notes` lists the caller's notes; `POST {"text": …}` adds one."""
        token = await self._admit(request)
        if request.method == "POST":
            text = await _note_text(request)
            if text is None:
                return _bad_note()
            self.notes.add(token.subject, text)
        status = 201 if request.method == "POST" else 200
        return _private({"notes": self.notes.of(token.subject)}, status)

    async def rights(self, request: Request) -> Response:
        """`GET /api/rights`: what the caller may do, by the roles in the token."""
        return _private(described(await self._admit(request)))

    async def notices(self, request: Request) -> Response:
        """`GET /api/board` reads the notice board, `POST {"text": …}` writes on it: by role."""
        posts = request.method == "POST"
        await self._admit(request, WRITE if posts else READ)
        if posts:
            text = await _note_text(request)
            if text is None:
                return _bad_note()
            self.board.insert(0, text)
            del self.board[MAX_NOTES:]
        return _private({"notices": self.board}, 201 if posts else 200)

    async def _admit(self, request: Request, right: Right | None = None) -> VerifiedToken:
        """Return the verified token of the Authorization header; it must give the right."""
        token = await self._verified(request)
        if right is not None and not right.allows(roles_of(token)):
            problem = f"to {right.text} takes the role {right.role}"
            body = {"error": "forbidden", "error_description": problem}
            raise RefusedError(_private(body, 403))
        return token

    async def _verified(self, request: Request) -> VerifiedToken:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            # No error code where no token was sent: RFC 6750 §3.1.
            raise RefusedError(_challenge(401, None, "send an access token"))
        try:
            return await self.verifier.verify(token.strip(), scope=self.scope)
        except InsufficientScopeError as error:
            raise RefusedError(_challenge(403, "insufficient_scope", str(error))) from error
        except VerificationError as error:
            raise RefusedError(_challenge(401, "invalid_token", str(error))) from error
        except KeysUnavailableError as error:
            answer = _private({"error": "temporarily_unavailable"}, 503)
            answer.headers["Retry-After"] = "5"
            raise RefusedError(answer) from error


async def refused(_: Request, error: Exception) -> Response:
    """Answer a `RefusedError`."""
    if not isinstance(error, RefusedError):
        raise error
    return error.response


def _private(body: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})


def _bad_note() -> Response:
    problem = f"send a text of 1 to {MAX_NOTE_CHARACTERS} characters"
    return _private({"error": "invalid_note", "error_description": problem}, 400)


def _challenge(status: int, error: str | None, description: str) -> Response:
    quoted = description.replace("\\", "").replace('"', "'").encode("ascii", "replace").decode()
    challenge = 'Bearer realm="sample"'
    if error is not None:
        challenge += f', error="{error}", error_description="{quoted}"'
    answer = _private({"error": error or "unauthorized", "error_description": description}, status)
    answer.headers["WWW-Authenticate"] = challenge
    return answer


async def _note_text(request: Request) -> str | None:
    """Return the text of a note, None for a body that is not one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    try:
        text = json.loads(body)["text"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= MAX_NOTE_CHARACTERS:
        return None
    return text.strip()
