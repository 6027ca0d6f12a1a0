"""An OpenID provider on loopback, as honest or hostile as a test wants it."""

import base64
import hashlib
from itertools import count
from urllib.parse import parse_qs, unquote_plus, urlencode

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from tests.core.signers import jwks, signs
from tests.upstream.strange import Strange

CLIENT, SECRET = "us", "of-the-provider"
ADA = {
    "sub": "ada-1",
    "name": "Ada Lindqvist",
    "preferred_username": "ada",
    "email": "ada@example.com",
    "email_verified": True,
    "picture": "https://pictures.example/ada.png",
    "locale": "sv-SE",
}


def half(token, name="sha256"):
    """``at_hash`` of an access token."""
    digest = hashlib.new(name, token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


class FakeProvider:
    """A provider that lets anybody in at once, as ``people[whom]``.

    Attributes:
        origin: where it is served; set by who serves it.
        people: whom → claims; ``whom`` is who signs in next.
        key: signs ID tokens; published are ``keys``.
        document, token, claims, header: what is laid over the honest ones; None leaves one out.
        forge: makes the ID token out of its claims in place of the signature, where it is given.
        userinfo: what userinfo says, in place of all that is known.
        told: claims that the ID token holds of the person; None for all.
        asked: the parameters of each authorization request.
        method, secret: how we must authenticate.
    """

    def __init__(self, clock, *, origin="", app=None):
        self.clock = clock
        self.origin = origin
        self.people = {"ada": dict(ADA), "ben": {"sub": "ben-2", "name": "Ben Okafor"}}
        self.whom = "ada"
        self.key = signs("RS256", "first")
        self.keys = [self.key]
        self.document, self.token, self.claims, self.header = {}, {}, {}, {}
        self.forge = self.userinfo = self.told = None
        self.asked, self.codes, self.tokens = [], {}, {}
        self.method, self.secret = "basic", SECRET
        self.deny = ""
        self._numbers = count()
        self.app = app or Strange(
            Starlette(
                routes=[
                    Route("/.well-known/openid-configuration", self._document),
                    Route("/authorize", self._authorize),
                    Route("/token", self._token, methods=["POST"]),
                    Route("/userinfo", self._userinfo),
                    Route("/jwks", self._jwks),
                ]
            )
        )
        self.app.faults = {}

    async def _document(self, request):
        honest = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "jwks_uri": f"{self.origin}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            "token_endpoint_auth_methods_supported": [f"client_secret_{self.method}"],
        }
        return JSONResponse(_over(honest, self.document))

    async def _authorize(self, request):
        asked = dict(request.query_params)
        self.asked.append(asked)
        back = {"state": asked["state"]}
        if self.document.get("authorization_response_iss_parameter_supported"):
            back["iss"] = self.origin
        if self.deny:
            back["error"] = self.deny
        else:
            back["code"] = f"code-{next(self._numbers)}"
            self.codes[back["code"]] = (asked, self.whom)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    async def _token(self, request):
        form = {name: value[0] for name, value in parse_qs((await request.body()).decode()).items()}
        if self._credentials(request, form) != (CLIENT, self.secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked, whom = self.codes.pop(form.get("code", ""), (None, None))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked.get("code_challenge") != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = f"access-{next(self._numbers)}"
        self.tokens[access] = whom
        honest = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": asked["scope"],
            "id_token": self._id_token(asked, whom, access),
        }
        return JSONResponse(_over(honest, self.token))

    def _credentials(self, request, form):
        if self.method == "post":
            return form.get("client_id"), form.get("client_secret")
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        if kind != "Basic" or "client_secret" in form:
            return None
        name, _, secret = base64.b64decode(pair).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    def _id_token(self, asked, whom, access):
        now, scope = int(self.clock.now()), asked["scope"].split()
        known = self.people[whom]
        if "email" not in scope:
            known = {n: v for n, v in known.items() if not n.startswith("email")}
        if self.told is not None:
            known = {n: v for n, v in known.items() if n in self.told}
        honest = {
            "iss": self.origin,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            "at_hash": half(access, "sha512" if self.key.alg == "EdDSA" else "sha256"),
            **known,
        }
        claims = _over(honest, self.claims)
        return self.forge(claims) if self.forge else self.key.sign(claims, **self.header)

    async def _userinfo(self, request):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return JSONResponse({"error": "invalid_token"}, 401)
        known = self.people[self.tokens[token]]
        return JSONResponse(known if self.userinfo is None else self.userinfo)

    async def _jwks(self, request):
        return JSONResponse(jwks(*self.keys))


def _over(honest, changed):
    return {name: value for name, value in (honest | changed).items() if value is not None}
