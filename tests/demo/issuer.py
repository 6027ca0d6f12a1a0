"""A very small issuer: enough of an OpenID provider to try the sample app and the check on.

It keeps a list of the requests it saw and can be told to be wrong in one way (`flaw`).
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from cryptography.exceptions import InvalidSignature
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from broker.demo.community import ROLE_MAPPING
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.run import (
    CALLBACK_PATH,
    DISCORD_CLIENT_ID,
    DISCORD_CLIENT_SECRET,
    discord_application,
)
from broker.demo.sample.ended import EVENT


def new_key() -> RSAKey:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
    key.ensure_kid()
    return key


def hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Issuer:
    now: Callable[[], float]
    issuer: str = ""
    discord: str = ""
    audience: str = "api"
    keys: list[RSAKey] = field(default_factory=lambda: [new_key()])
    cache_control: str = "public, max-age=600"
    jwks_status: int = 200
    jwks_calls: list[int] = field(default_factory=list)
    flaw: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    person: dict[str, Any] = field(default_factory=dict)
    generation: int = 0
    backchannel: str = ""
    upstream_token: str = ""
    roles: list[str] | None = None

    def access_token(self, key: RSAKey | None = None, typ: str = "at+jwt", **changes: Any) -> str:
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "subject-1",
            "client_id": "sample-app",
            "scope": "openid profile email",
            "roles": self.roles,
            "iat": int(self.now()),
            "exp": int(self.now()) + 300,
            "jti": "1",
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        signer = key or self.keys[0]
        header = {"alg": "RS256", "kid": signer.kid, "typ": typ}
        return jwt.encode(header, kept, signer, algorithms=["RS256"])

    def id_token(self, access: str) -> str:
        claims = {
            "iss": self.issuer,
            "aud": "sample-app",
            "sub": "subject-1",
            "iat": int(self.now()),
            "exp": int(self.now()) + 300,
            "auth_time": int(self.now()),
            "nonce": "another" if self.flaw == "nonce" else self.asked["nonce"],
            "at_hash": b64(hashed("x" if self.flaw == "at_hash" else access)[:16]),
            "name": self.person.get("global_name"),
            "preferred_username": self.person.get("username"),
            "email": self.person.get("email"),
            "email_verified": self.person.get("verified"),
            "sid": f"s{self.generation}",
            "guilds": [{"id": LIGHTHOUSE.id, "name": LIGHTHOUSE.name}],
            "picture": f"{self.discord}/avatars/{self.person['id']}/{self.person['avatar']}.png",
        }
        key = self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, algorithms=["RS256"])

    async def metadata(self, _: Request) -> Response:
        at = self.issuer
        return JSONResponse(
            {
                "issuer": "http://127.0.0.1:1" if self.flaw == "issuer" else at,
                "authorization_endpoint": f"{at}/authorize",
                "token_endpoint": f"{at}/token",
                "userinfo_endpoint": f"{at}/userinfo",
                "end_session_endpoint": f"{at}/logout",
                "jwks_uri": f"{at}/.well-known/jwks.json",
                "code_challenge_methods_supported": ["S256"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def jwks(self, request: Request) -> Response:
        etag = '"' + b64(hashed(" ".join(str(key.kid) for key in self.keys))) + '"'
        headers = {"ETag": etag, "Cache-Control": self.cache_control}
        same = request.headers.get("if-none-match") == etag
        status = 304 if same and self.jwks_status == 200 else self.jwks_status
        self.jwks_calls.append(status)
        if status != 200:
            return Response(status_code=status, headers=headers)
        public = [key.as_dict(private=self.flaw == "private key") for key in self.keys]
        return JSONResponse({"keys": public}, headers=headers)

    async def authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        query = {
            "client_id": DISCORD_CLIENT_ID,
            "redirect_uri": self.issuer + CALLBACK_PATH,
            "response_type": "code",
            "scope": "identify email guilds.members.read",
            "state": "broker-state",
        }
        return RedirectResponse(f"{self.discord}/oauth2/authorize?{urlencode(query)}", 303)

    async def callback(self, request: Request) -> Response:
        async with httpx2.AsyncClient() as client:
            tokens = await client.post(
                f"{self.discord}/api/oauth2/token",
                data={
                    "grant_type": "authorization_code",
                    "code": request.query_params["code"],
                    "redirect_uri": self.issuer + CALLBACK_PATH,
                },
                auth=(DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET),
            )
            self.upstream_token = tokens.json()["access_token"]
            bearer = {"Authorization": f"Bearer {self.upstream_token}"}
            me = await client.get(f"{self.discord}/api/v10/users/@me", headers=bearer)
        self.person = me.json()
        return HTMLResponse(
            "<!doctype html><link rel=icon href=data:,><p>Fieldnotes wants to know you</p>"
            '<form method="post" action="/decide"><input type=hidden name=handle value="h1">'
            '<button name="decision" value="deny">No</button>'
            '<button name="decision" value="allow">Continue</button></form>'
        )

    async def decide(self, request: Request) -> Response:
        body = (await request.body()).decode()
        assert "handle=h1" in body
        answer = {"code": "code-1"} if "decision=allow" in body else {"error": "access_denied"}
        answer |= {"state": self.asked["state"], "iss": self.issuer}
        if self.flaw == "iss":
            answer["iss"] = "http://127.0.0.1:1"
        return RedirectResponse(f"{self.asked['redirect_uri']}?{urlencode(answer)}", 303)

    async def token(self, request: Request) -> Response:
        fields = dict(httpx2.QueryParams((await request.body()).decode()))
        if fields["grant_type"] == "authorization_code":
            assert b64(hashed(fields["code_verifier"])) == self.asked["code_challenge"]
            self.generation = 1
        elif self.generation == 0:
            return JSONResponse({"error": "invalid_grant"}, 400)
        elif fields["refresh_token"] == f"refresh-{self.generation}":
            self.generation += self.flaw != "no rotation"
        elif self.flaw == "two alive":
            self.generation += 1
        if self.flaw != "role kept" or self.roles is None:
            await self.read_roles()
        access = self.access_token()
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": 300,
                "refresh_token": f"refresh-{self.generation}",
                "id_token": self.id_token(access),
            }
        )

    async def read_roles(self) -> None:
        url = f"{self.discord}/api/v10/users/@me/guilds/{LIGHTHOUSE.id}/member"
        bearer = {"Authorization": f"Bearer {self.upstream_token}"}
        async with httpx2.AsyncClient() as client:
            member = await client.get(url, headers=bearer)
        held = member.json().get("roles", ()) if self.flaw != "no roles" else ()
        mapping = ROLE_MAPPING[LIGHTHOUSE.id]
        self.roles = sorted({name for role in held for name in mapping.get(role, ())})

    async def events(self, request: Request) -> Response:
        signature = bytes.fromhex(request.headers["x-signature-ed25519"])
        body = await request.body()
        application = discord_application(self.issuer)
        try:
            application.private_key.public_key().verify(
                signature, request.headers["x-signature-timestamp"].encode() + body
            )
        except InvalidSignature:
            return Response(status_code=401)
        if json.loads(body)["type"] == 1:
            await self.deauthorized()
        return Response(status_code=204)

    async def deauthorized(self) -> None:
        if self.flaw != "deafness":
            self.generation = 0
        if self.flaw != "silence":
            claims = {
                "iss": self.issuer,
                "aud": "sample-app",
                "sid": "s1",
                "iat": int(self.now()),
                "exp": int(self.now()) + 60,
                "jti": "1",
                "events": {EVENT: {}},
            }
            header = {"alg": "RS256", "kid": self.keys[0].kid, "typ": "logout+jwt"}
            token = jwt.encode(header, claims, self.keys[0], algorithms=["RS256"])
            async with httpx2.AsyncClient() as client:
                await client.post(self.backchannel, data={"logout_token": token})

    async def userinfo(self, _: Request) -> Response:
        return JSONResponse({"sub": "subject-1", "name": self.person.get("global_name")})

    async def logout(self, request: Request) -> Response:
        if self.flaw != "logout":
            self.generation = 0
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 303)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.metadata),
                Route("/.well-known/jwks.json", self.jwks),
                Route("/authorize", self.authorize),
                Route(CALLBACK_PATH, self.callback),
                Route("/decide", self.decide, methods=["POST"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.userinfo),
                Route("/logout", self.logout),
                Route("/webhooks/discord", self.events, methods=["POST"]),
            ],
            middleware=[Middleware(CORSMiddleware, allow_origins=["*"])],
        )
