"""A relying party as the test plans drive it: it checks every answer as strictly as they do."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from broker.core.pkce import challenge_of
from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden
from tests.protocol.harness import World
from tests.protocol.known import ADA, ISSUER

ERROR_CHARACTERS = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*\Z")


class RelyingParty:
    """One client of the plan, its browser, and how its answers come.

    Args:
        world: the broker.
        app: the client's side.
        browser: whose browser it is seen in.
        mode: ``default``, or ``form_post``.
    """

    def __init__(self, world: World, app: App, browser: Browser, mode: str = "default") -> None:
        self.world = world
        self.app = app
        self.browser = browser
        self.mode = mode

    def asks(self, **changes: str | None) -> dict[str, str]:
        """An authorization request of the plan: no PKCE, as registered."""
        plain: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
        if self.mode != "default":
            plain["response_mode"] = self.mode
        return self.app.asks(**(plain | changes))

    async def begin(self, person: str = ADA, **changes: str | None) -> httpx2.Response:
        """Go to /authorize and on, past Discord and our pages, up to the answer."""
        first = await self.browser.http.get("/authorize", params=self.asks(**changes))
        return await self.finish(first, person)

    async def finish(self, first: httpx2.Response, person: str = ADA) -> httpx2.Response:
        """Go on from an answer of ours up to the client's."""
        answer = await self.browser.go_on(first, person)
        if answer.status_code == 200 and 'name="decision"' in answer.text:
            answer = await self.browser.go_on(await self.browser.decide(answer, "allow"), person)
        return answer

    def answer(self, response: httpx2.Response) -> dict[str, str]:
        """What arrives at the client; each parameter once, at the registered address."""
        if self.mode == "form_post":
            fields = hidden(response)
            action = re.search(r'<form[^>]*action="([^"]*)"', response.text)
            assert action is not None
            assert unescape(action[1]) == self.app.redirect_uri
            assert 'method="post"' in response.text.lower()
            return fields
        assert response.status_code == 303, (response.status_code, response.text)
        location = response.headers["location"]
        assert location.startswith(self.app.redirect_uri)
        assert "#" not in location
        pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def code_of(self, response: httpx2.Response) -> str:
        """The code of a good answer: with the state and ``iss``, and nothing else."""
        found = self.answer(response)
        assert found.keys() == {"code", "state", "iss"}, found
        assert (found["state"], found["iss"]) == (self.app.state, ISSUER)
        return found["code"]

    def error_of(self, response: httpx2.Response) -> str:
        """The error of a bad answer: well-formed, with the state, without a code."""
        found = self.answer(response)
        assert found.keys() <= {"error", "error_description", "error_uri", "state", "iss"}, found
        assert found["state"] == self.app.state
        assert ERROR_CHARACTERS.match(found.get("error_description", ""))
        return found["error"]

    async def redeem(self, code: str, **changes: str | None) -> dict[str, Any]:
        """Redeem a code and check the answer (Core §3.1.3.3)."""
        response = await self.app.redeem(code, **({"code_verifier": None} | changes))
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("application/json")
        assert response.headers["cache-control"] == "no-store"
        answer: dict[str, Any] = response.json()
        assert answer["token_type"].lower() in {"bearer", "dpop"}
        assert isinstance(answer["expires_in"], int)
        assert answer["expires_in"] > 0
        await self.id_token(answer["id_token"])
        return answer

    async def run(self, person: str = ADA, **changes: str | None) -> "Outcome":
        """The whole flow: authorization, tokens, the ID token verified."""
        sent = self.asks(**changes)
        code = self.code_of(await self.begin(person, **changes))
        answer = await self.redeem(code)
        claims = await self.id_token(answer["id_token"])
        assert claims.get("nonce") == sent.get("nonce")
        return Outcome(code, answer, claims)

    async def id_token(self, token: str) -> dict[str, Any]:
        """Verify an ID token (Core §3.1.3.7), its key found by its ``kid`` alone."""
        jwks = (await self.world.api.get("/.well-known/jwks.json")).json()
        header = jwt.decode(token, KeySet.import_key_set(jwks), algorithms=ALGORITHMS).header
        named = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
        assert len(named) == 1
        claims: dict[str, Any] = jwt.decode(
            token, KeySet.import_key_set({"keys": named}), algorithms=ALGORITHMS
        ).claims
        assert header["alg"] == self.app.client.id_token_signed_response_alg
        assert claims["iss"] == ISSUER
        assert claims["aud"] in (self.app.client.client_id, [self.app.client.client_id])
        assert claims["iat"] <= self.world.clock.at < claims["exp"]
        assert isinstance(claims.get("auth_time", 1), int)
        assert 0 < len(claims["sub"]) <= 255
        return claims

    async def userinfo(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Ask userinfo with the access token of an answer."""
        response = await self.world.userinfo(answer["access_token"])
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("application/json")
        found: dict[str, Any] = response.json()
        return found

    def pkce(self) -> dict[str, str | None]:
        """The parameters of a request with PKCE."""
        challenge = challenge_of(self.app.verifier)
        return {"code_challenge": challenge, "code_challenge_method": "S256"}


class Outcome:
    """What a flow came to.

    Attributes:
        code: as it arrived.
        answer: of the token endpoint.
        claims: of its ID token.
    """

    def __init__(self, code: str, answer: dict[str, Any], claims: dict[str, Any]) -> None:
        self.code = code
        self.answer = answer
        self.claims = claims


ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
