"""GitHub on loopback, as its documentation describes the parts that a sign-in uses."""

import base64
import hashlib
from itertools import count
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from tests.upstream.strange import Strange

CLIENT, SECRET = "Iv1.github", "of-github"
ADA = {
    "login": "ada",
    "id": 583231,
    "node_id": "MDQ6VXNlcjU4MzIzMQ==",
    "avatar_url": "https://avatars.example/u/583231?v=4",
    "type": "User",
    "site_admin": False,
    "name": "Ada Lindqvist",
    "email": "shown@example.com",
}
ADDRESSES = [
    {"email": "old@example.com", "primary": False, "verified": True, "visibility": None},
    {"email": "ada@example.com", "primary": True, "verified": True, "visibility": "private"},
]


class FakeGitHub:
    """It lets anybody in at once, as ``people[whom]``.

    Attributes:
        people: what is said of each, by whom; ``addresses`` are those of ``ada``.
        whom: who comes next.
        granted: scopes granted in place of those asked for, where it is given.
        asked: the parameters of each authorization request.
        limited: status and headers of the API's answers, where a limit is to be met.
    """

    def __init__(self, *, origin="", app=None):
        self.origin = origin
        self.people = {"ada": dict(ADA), "ben": {**ADA, "login": "ben", "id": 7, "name": None}}
        self.addresses = ADDRESSES
        self.whom = "ada"
        self.granted = self.limited = None
        self.asked, self.codes, self.tokens = [], {}, {}
        self.deny = ""
        self._numbers = count()
        self.app = app or Strange(
            Starlette(
                routes=[
                    Route("/login/oauth/authorize", self._authorize),
                    Route("/login/oauth/access_token", self._token, methods=["POST"]),
                    Route("/api/v3/user", self._user),
                    Route("/api/v3/user/emails", self._emails),
                ]
            )
        )
        self.app.faults = {}

    async def _authorize(self, request):
        asked = dict(request.query_params)
        self.asked.append(asked)
        back = {"state": asked["state"]}
        if self.deny:
            back["error"] = self.deny
        else:
            back["code"] = f"code-{next(self._numbers)}"
            self.codes[back["code"]] = (asked, self.whom)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

    async def _token(self, request):
        """Errors come with status 200, and only as JSON where that is accepted."""
        assert request.headers["accept"] == "application/json"
        form = {name: value[0] for name, value in parse_qs((await request.body()).decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return JSONResponse({"error": "incorrect_client_credentials"})
        asked, whom = self.codes.pop(form.get("code", ""), (None, None))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked.get("code_challenge") != challenge:
            return JSONResponse({"error": "bad_verification_code"})
        scope = asked.get("scope", "") if self.granted is None else self.granted
        token = f"gho_{next(self._numbers)}"
        self.tokens[token] = (whom, scope.split())
        told = {"access_token": token, "token_type": "bearer", "scope": ",".join(scope.split())}
        return JSONResponse(told)

    def _holder(self, request):
        assert request.headers["x-github-api-version"]
        assert request.headers["user-agent"]
        return self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    async def _user(self, request):
        if self.limited:
            return JSONResponse({"message": "limit"}, *self.limited)
        holder = self._holder(request)
        if holder is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        return JSONResponse(self.people[holder[0]])

    async def _emails(self, request):
        holder = self._holder(request)
        if holder is None or not {"user:email", "user"}.intersection(holder[1]):
            return JSONResponse({"message": "Not Found"}, 404)
        return JSONResponse(self.addresses)
