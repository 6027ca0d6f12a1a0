"""The steps of a sign-in over HTTP, as an app, a browser and an API take them.

Only what the discovery document names is used, so this is also a small conformance check.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from broker.demo.discord.driver import approve
from broker.demo.forms import read_forms

CLIENT_ID = "sample-app"
SCOPE = "openid profile email"
MAX_STEPS = 12
ASYMMETRIC = frozenset({"RS256", "PS256", "ES256", "Ed25519"})


class StepError(Exception):
    """A step of the walk went wrong; the text says what was seen."""


def expect(truth: object, seen: str) -> None:
    """Go on where something holds.

    Raises:
        StepError: it does not; the text says what was seen instead.
    """
    if not truth:
        raise StepError(seen)


def random_text() -> str:
    """Return 256 random bits, fit for a URL."""
    return secrets.token_urlsafe(32)


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@dataclass(slots=True)
class Walk:
    """One sign-in under way: the three origins, the browser's cookies, what was learned so far."""

    issuer: str
    sample: str
    discord: str
    browser: httpx2.AsyncClient
    app: httpx2.AsyncClient
    client_id: str = CLIENT_ID
    person: str = "ada.lindqvist"
    resource: str | None = None
    scope: str = SCOPE
    metadata: dict[str, Any] = field(default_factory=dict)
    keys: KeySet | None = None
    state: str = field(default_factory=random_text)
    nonce: str = field(default_factory=random_text)
    verifier: str = field(default_factory=random_text)
    next_url: str = ""
    code: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)
    subject: str = ""

    async def discovery(self) -> str:
        """Read the discovery document (OpenID Connect Discovery §4)."""
        url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = await self.app.get(url)
        self.metadata = document(answer)
        expect(self.metadata.get("issuer") == self.issuer, f"issuer {self.metadata.get('issuer')}")
        methods = self.metadata.get("code_challenge_methods_supported", [])
        expect("S256" in methods, f"PKCE methods {methods}")
        return f"issuer {self.issuer}"

    async def jwks(self) -> str:
        """Fetch the public keys."""
        answer = await self.app.get(self.metadata["jwks_uri"])
        self.keys = KeySet.import_key_set(document(answer))  # type: ignore[arg-type]
        expect(not any(key.is_private for key in self.keys), "a private key is published")
        kept = answer.headers.get("cache-control", "no cache lifetime")
        return f"{len(self.keys.keys)} keys, {kept}"

    async def authorize(self) -> str:
        """Start at the authorization endpoint; the broker must send the browser to Discord."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "response_type": "code",
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": _base64url(_hashed(self.verifier)),
            "code_challenge_method": "S256",
        } | ({"resource": self.resource} if self.resource else {})
        url = f"{self.metadata['authorization_endpoint']}?{urlencode(query)}"
        self.next_url = await self._browse(url, self.discord + "/")
        return "sent to Discord with PKCE and state"

    async def approval(self) -> str:
        """Approve at the simulated Discord."""
        self.next_url = await approve(self.browser, self.next_url, self.person)
        expect(self.next_url.startswith(self.issuer.rstrip("/") + "/"), self.next_url)
        return f"{self.person} said yes"

    async def consent(self) -> str:
        """Return to the broker, agree to the app by its name, and return to the app."""
        url = await self._browse(self.next_url, self.callback)
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        expect(query.get("state") == self.state, f"state {query.get('state')}")
        expect(query.get("iss") == self.issuer, f"iss {query.get('iss')}")
        expect("code" in query, f"no code but {query.get('error')}")
        self.code = query["code"]
        return "back at the app with code, state and iss"

    async def exchange(self) -> str:
        """Exchange the code for tokens."""
        answer = await self.token(
            grant_type="authorization_code",
            code=self.code,
            redirect_uri=self.callback,
            code_verifier=self.verifier,
        )
        self.tokens = document(answer)
        missing = {"access_token", "id_token", "refresh_token"} - set(self.tokens)
        expect(not missing, f"no {', '.join(sorted(missing))}")
        return f"access token for {self.tokens.get('expires_in')} s, ID token, refresh token"

    async def id_token(self) -> str:
        """Verify the ID token by the JWKS (OpenID Connect Core §3.1.3.7)."""
        claims = self.verified(self.tokens["id_token"], self.client_id, {"nonce": self.nonce})
        if "at_hash" in claims:
            half = _base64url(_hashed(self.tokens["access_token"])[:16])
            expect(claims["at_hash"] == half, "at_hash is not the access token's")
        self.subject = claims["sub"]
        return f"signature, iss, aud, nonce{', at_hash' if 'at_hash' in claims else ''} are right"

    async def access_token(self) -> str:
        """Verify the access token by the JWKS (RFC 9068 §4)."""
        token = self.tokens["access_token"]
        padded = token.split(".")[0] + "=="
        kind = json.loads(base64.urlsafe_b64decode(padded)).get("typ")
        expect(kind == "at+jwt", f"typ {kind}")
        claims = self.verified(token, None, {"sub": self.subject, "client_id": self.client_id})
        return f"at+jwt for {claims['aud']}"

    async def api(self) -> str:
        """Call the sample's protected API, with the token and without."""
        url = f"{self.sample}/api/whoami"
        bare = await self.app.get(url)
        expect(bare.status_code == 401, f"{bare.status_code} without a token")
        seen = document(await self.app.get(url, headers=self.bearer()))
        expect(seen.get("sub") == self.subject, f"the API saw {seen.get('sub')}")
        return "the API verified the token on its own"

    async def userinfo(self) -> str:
        """Ask the userinfo endpoint."""
        url = self.metadata["userinfo_endpoint"]
        claims = document(await self.app.get(url, headers=self.bearer()))
        expect(claims.get("sub") == self.subject, f"sub {claims.get('sub')}")
        return f"{claims.get('name') or claims.get('preferred_username')}"

    async def refresh(self) -> str:
        """Refresh; the old token, sent again at once, must lead to the same successor."""
        old = self.tokens["refresh_token"]
        renewed = document(await self.token(grant_type="refresh_token", refresh_token=old))
        current = renewed.get("refresh_token")
        expect(current and current != old, "the refresh token was not replaced")
        again = document(await self.token(grant_type="refresh_token", refresh_token=old))
        expect(again.get("refresh_token") == current, "two refresh tokens are alive")
        self.tokens |= again
        self.verified(again["access_token"], None, {"sub": self.subject})
        return "rotated; the old token within its grace time led to the same one"

    async def logout(self) -> str:
        """Sign out at the broker (RP-Initiated Logout §2)."""
        home = f"{self.sample}/"
        query = {
            "id_token_hint": self.tokens["id_token"],
            "client_id": self.client_id,
            "post_logout_redirect_uri": home,
        }
        url = f"{self.metadata['end_session_endpoint']}?{urlencode(query)}"
        back = await self._browse(url, home)
        expect(back.partition("?")[0] == home, back)
        return "signed out and back at the app"

    async def ended(self) -> str:
        """Try the refresh token once more: it must be dead."""
        token = self.tokens["refresh_token"]
        answer = await self.token(grant_type="refresh_token", refresh_token=token)
        error = answer.json().get("error")
        expect(
            (answer.status_code, error) == (400, "invalid_grant"), f"{answer.status_code} {error}"
        )
        return "the refresh token is dead: invalid_grant"

    @property
    def callback(self) -> str:
        """The sample app's redirect URI."""
        return f"{self.sample}/callback"

    async def _browse(self, url: str, until: str) -> str:
        """Follow redirects and agree on the broker's pages until a URL that starts so."""
        answer = await self.browser.get(url, follow_redirects=False)
        for _ in range(MAX_STEPS):
            if answer.is_redirect:
                target = str(answer.url.join(answer.headers["location"]))
                if target.startswith(until):
                    return target
                expect(target.startswith(self.issuer), f"sent to {target}")
                answer = await self.browser.get(target, follow_redirects=False)
            else:
                answer = await self._agree(answer)
        raise StepError(f"still at {answer.url} after {MAX_STEPS} steps")

    async def _agree(self, page: httpx2.Response) -> httpx2.Response:
        expect(page.status_code == 200, f"{page.status_code} at {page.url}: {page.text[:200]}")
        for form in read_forms(page.text, str(page.url)):
            if form.offers("decision", "allow"):
                data = form.pressed("decision", "allow")
                # A browser says where a form came from; the broker may rely on it.
                parts = urlsplit(str(page.url))
                headers = {"Origin": f"{parts.scheme}://{parts.netloc}"}
                return await self.browser.post(
                    form.action, data=data, headers=headers, follow_redirects=False
                )
        raise StepError(f"nothing to agree to at {page.url}")

    async def token(self, **fields: str) -> httpx2.Response:
        """Post to the token endpoint."""
        data = fields | {"client_id": self.client_id}
        return await self.app.post(self.metadata["token_endpoint"], data=data)

    def bearer(self) -> dict[str, str]:
        """Return the header that carries the access token."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def verified(
        self, token: str, audience: str | None, values: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the claims of a token whose signature, issuer and times are right.

        Args:
            token: the JWT.
            audience: what `aud` must name, None for anything.
            values: claims that must have these values.
        """
        if self.keys is None:
            raise StepError("the keys were not fetched")
        named = self.metadata.get("id_token_signing_alg_values_supported", [])
        algorithms = [name for name in named if name in ASYMMETRIC]
        wanted: dict[str, Any] = {"iss": {"essential": True, "value": self.issuer}}
        wanted["exp"] = {"essential": True}
        wanted["aud"] = {"essential": True} | ({"value": audience} if audience else {})
        wanted |= {name: {"essential": True, "value": value} for name, value in values.items()}
        claims = jwt.decode(token, self.keys, algorithms=algorithms).claims
        jwt.JWTClaimsRegistry(leeway=5, **wanted).validate(claims)
        return claims


def document(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of a 200 answer."""
    expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    document = answer.json()
    expect(isinstance(document, dict), "not a JSON object")
    return dict(document)
