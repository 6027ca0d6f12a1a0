"""Clients that prove possession of a key (RFC 9449)."""

import base64
from hashlib import sha256
from itertools import count
from typing import Any

import httpx2

from tests.core.signers import Signs, signs
from tests.protocol.actors import App
from tests.protocol.known import ISSUER

NUMBERS = count()


class Prover:
    """A client with a key: a new proof for each request."""

    def __init__(self, app: App, key: Signs | None = None) -> None:
        self.app = app
        self.world = app.world
        self.key = key or signs("ES256")
        self.nonce: str | None = None

    @property
    def jkt(self) -> str:
        found: str = self.key.key.thumbprint()
        return found

    def proof(self, path: str = "/token", method: str = "POST", **changes: Any) -> str:
        """A proof; changes are of its claims, None leaves one out."""
        claims = {
            "jti": f"proof-{next(NUMBERS)}",
            "htm": method,
            "htu": ISSUER + path,
            "iat": int(self.world.clock.now()),
            "nonce": self.nonce,
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return self.key.sign(
            kept, typ="dpop+jwt", kid=None, jwk=self.key.key.as_dict(private=False)
        )

    async def post(
        self, path: str = "/token", *, dpop: str | None = None, **fields: str | None
    ) -> httpx2.Response:
        """POST a form with a proof: a new one, or the one given."""
        named = {} if self.app.secret else {"client_id": self.app.client.client_id}
        data = {name: value for name, value in (named | fields).items() if value is not None}
        headers = self.app.proof() | {"dpop": dpop or self.proof(path)}
        return await self.world.api.post(path, data=data, headers=headers)

    async def redeem(self, code: str, *, dpop: str | None = None) -> httpx2.Response:
        return await self.post(
            dpop=dpop,
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.app.redirect_uri,
            code_verifier=self.app.verifier,
        )

    async def refresh(
        self, token: str, *, dpop: str | None = None, **more: str | None
    ) -> httpx2.Response:
        return await self.post(dpop=dpop, grant_type="refresh_token", refresh_token=token, **more)

    def ath(self, token: str) -> str:
        digest = sha256(token.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    async def userinfo(
        self, token: str, *, dpop: str | None = None, method: str = "GET", **changes: Any
    ) -> httpx2.Response:
        """Ask with the token and a proof: a new one, or the one given."""
        given = dpop or self.proof("/userinfo", method, **{"ath": self.ath(token)} | changes)
        headers = {"authorization": f"DPoP {token}", "dpop": given}
        return await self.world.api.request(method, "/userinfo", headers=headers)
