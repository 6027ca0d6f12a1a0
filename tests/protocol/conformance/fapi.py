"""A FAPI 2.0 client as the test plan drives it: pushed requests, ``private_key_jwt``, DPoP."""

import base64
import hashlib
from typing import Any

import httpx2
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from tests.protocol.actors import App, Browser
from tests.protocol.conformance.suite import RelyingParty
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, ISSUER

Key = ECKey | RSAKey
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EVERY = ["ES256", "PS256", "RS256"]


class FapiClient:
    """One client of the plan and its keys.

    Args:
        world: the broker.
        app: as registered.
        key: signs assertions.
        alg: with this algorithm.
        browser: whose browser it is seen in.
    """

    def __init__(self, world: World, app: App, key: Key, alg: str, browser: Browser) -> None:
        self.world = world
        self.app = app
        self.key = key
        self.alg = alg
        self.browser = browser
        self.proof_key: Key = ECKey.generate_key("P-256")
        self.rp = RelyingParty(world, app, browser)
        self._count = 0

    def unique(self) -> str:
        """A text that was not used before."""
        self._count += 1
        return f"{self.app.client.client_id}-{self._count}-{id(self)}"

    def assertion(self, alg: str | None = None, **changes: Any) -> str:
        """A client assertion (FAPI 2.0 Security Profile §5.3.2.1: ``aud`` is the issuer)."""
        now = int(self.world.clock.at)
        claims = {
            "iss": self.app.client.client_id,
            "sub": self.app.client.client_id,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 60,
            "jti": self.unique(),
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": alg or self.alg, "kid": self.key.ensure_kid() or self.key.kid}
        return jwt.encode(header, kept, self.key, algorithms=EVERY)

    def proof(self, path: str, token: str | None = None, **changes: Any) -> str:
        """A DPoP proof for one of our endpoints (RFC 9449 §4.2)."""
        header = {
            "typ": "dpop+jwt",
            "alg": "ES256" if isinstance(self.proof_key, ECKey) else "PS256",
            "jwk": self.proof_key.as_dict(private=False),
        } | changes.pop("header", {})
        claims = {
            "jti": self.unique(),
            "htm": "POST",
            "htu": f"{ISSUER}{path}",
            "iat": int(self.world.clock.at),
        }
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        kept = {n: value for n, value in (claims | changes).items() if value is not None}
        registry = jws.JWSRegistry(strict_check_header=False, algorithms=EVERY)
        kept_header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(kept_header, kept, self.proof_key, registry=registry)

    @property
    def jkt(self) -> str:
        """The thumbprint of the DPoP key."""
        return self.proof_key.thumbprint()

    async def post(
        self, path: str, fields: dict[str, str | None], *proofs: str, **assertion: Any
    ) -> httpx2.Response:
        """POST a form, authenticated by an assertion unless ``client_assertion`` is given."""
        named: dict[str, str | None] = {
            "client_id": self.app.client.client_id,
            "client_assertion_type": JWT_BEARER,
            "client_assertion": self.assertion(**assertion),
        }
        data = {name: value for name, value in (named | fields).items() if value is not None}
        headers = [("dpop", proof) for proof in proofs]
        return await self.world.api.post(path, data=data, headers=headers)

    async def knocks(
        self, path: str, fields: dict[str, str | None] | None = None, **assertion: Any
    ) -> httpx2.Response:
        """Ask what a client that has authenticated is not refused for being somebody else."""
        if path == "/par":
            return await self.post(
                path, self.app.asks(client_id=None) | (fields or {}), **assertion
            )
        asked: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": "garbage"}
        return await self.post(path, asked | (fields or {}), self.proof(path), **assertion)

    async def push(self, *proofs: str, **changes: str | None) -> httpx2.Response:
        """POST /par."""
        return await self.post("/par", self.app.asks(client_id=None, **changes), *proofs)

    async def pushed(self, *proofs: str, **changes: str | None) -> str:
        """Push a request that is taken; returns its ``request_uri`` (RFC 9126 §2.2)."""
        answer = await self.push(*proofs, **changes)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert 0 < found["expires_in"] < 600
        uri: str = found["request_uri"]
        return uri

    async def authorize(self, request_uri: str, person: str = ADA, **more: str) -> httpx2.Response:
        """Go to /authorize with nothing but the client and the ``request_uri``, and on."""
        params = {"client_id": self.app.client.client_id, "request_uri": request_uri} | more
        return await self.rp.finish(
            await self.browser.http.get("/authorize", params=params), person
        )

    async def code(self, *proofs: str, **changes: str | None) -> str:
        """A code, by a pushed request."""
        return self.rp.code_of(await self.authorize(await self.pushed(*proofs, **changes)))

    async def redeem(self, code: str, *proofs: str, **changes: str | None) -> httpx2.Response:
        """Redeem a code, with a proof unless others are given."""
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.app.redirect_uri,
            "code_verifier": self.app.verifier,
        }
        return await self.post("/token", fields | changes, *(proofs or (self.proof("/token"),)))

    async def tokens(self, **changes: str | None) -> dict[str, Any]:
        """The whole flow."""
        answer = await self.redeem(await self.code(**changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert found["token_type"] == "DPoP"
        await self.rp.id_token(found["id_token"])
        return found

    async def refresh(self, token: str, *proofs: str) -> httpx2.Response:
        """Refresh, with a proof unless others are given."""
        fields: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": token}
        return await self.post("/token", fields, *(proofs or (self.proof("/token"),)))

    async def resource(
        self, token: str, *proofs: str, scheme: str = "DPoP", name: str = "DPoP"
    ) -> httpx2.Response:
        """GET /userinfo, which is the plan's protected resource here."""
        given = proofs or (self.proof("/userinfo", token, htm="GET"),)
        headers = [("authorization", f"{scheme} {token}"), *((name, proof) for proof in given)]
        return await self.world.api.get("/userinfo", headers=headers)


def b64(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def register(world: World, browser: Browser, alg: str = "PS256", **fields: Any) -> FapiClient:
    """Register a client of the plan."""
    key: Key = RSAKey.generate_key(2048) if alg == "PS256" else ECKey.generate_key("P-256")
    public = KeySet([key]).as_dict(private=False)
    public["keys"][0]["kid"] = key.kid or key.ensure_kid() or key.kid
    app = await world.new_app(
        BACK,
        **{
            "auth_method": "private_key_jwt",
            "secrets": (),
            "jwks": public,
            "token_endpoint_auth_signing_alg": alg,
            "id_token_signed_response_alg": alg,
            "require_pushed_authorization_requests": True,
            "dpop_bound_access_tokens": True,
            "rotate_refresh_tokens": False,
            "first_party": True,
        }
        | fields,
    )
    return FapiClient(world, app, key, alg, browser)
