"""What is thrown at each endpoint: its own parameters, with values that are nobody's."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from broker.core import vocabulary as v
from broker.web.routes import Entry
from tests.core.signers import signs
from tests.protocol.shots import FORM, MARKER, Pair, Shot, Text

_ASK: Final = (
    "client_id redirect_uri response_type scope state nonce code_challenge code_challenge_method"
    " response_mode prompt max_age login_hint id_token_hint ui_locales acr_values claims request"
    " request_uri resource dpop_jkt display idp_hint"
)
_AUTH: Final = " client_id client_secret client_assertion client_assertion_type"
FIELDS: Final[dict[str, str]] = {
    "/token": "grant_type code redirect_uri code_verifier refresh_token scope resource audience"
    " device_code subject_token subject_token_type actor_token actor_token_type"
    " requested_token_type subject_issuer requested_issuer" + _AUTH,
    "/par": _ASK + _AUTH,
    "/userinfo": "access_token schema",
    "/revoke": "token token_type_hint" + _AUTH,
    "/introspect": "token token_type_hint" + _AUTH,
    "/device_authorization": "scope resource nonce" + _AUTH,
    "/register": "", "/register/{client_id}": "", "/webhooks/discord": "",
    "/authorize": _ASK,
    "/interaction": "request csrf decision upstream",
    "/account": "csrf action upstream notice session client sure",
    "/login/{upstream}/callback": "code state error error_description iss",
    "/logout": "id_token_hint post_logout_redirect_uri client_id state logout_hint ui_locales"
    " csrf confirm",
    "/device": "user_code csrf decision", "/device/done": "device result",
    "/device/qr/{code}.svg": "", "/": "",
    "/.well-known/jwks.json": "", "/.well-known/openid-configuration": "",
    "/.well-known/oauth-authorization-server": "", "/static/{name}": "",
    "/admin": "csrftoken", "/admin/enter": "csrf action credential code name with",
    "/admin/static/{path:path}": "", "/admin/{path:path}": "csrftoken q kind kid",
    "/docs": "", "/docs/{name}": "", "/livez": "", "/readyz": "",
}  # fmt: skip
_MEMBERS: Final = (
    "redirect_uris client_name grant_types response_types token_endpoint_auth_method jwks jwks_uri"
    " scope contacts logo_uri client_uri policy_uri tos_uri subject_type sector_identifier_uri"
    " post_logout_redirect_uris backchannel_logout_uri application_type default_max_age client_id"
    " client_secret id_token_signed_response_alg require_pushed_authorization_requests"
    " software_id software_statement initiate_login_uri request_uris dpop_bound_access_tokens"
    " brand_accent support_uri client_name#ko logo_uri#ko-KR tos_uri# policy_uri#\u202e"
)
MEMBERS: Final = tuple(_MEMBERS.split())

URLS: Final = (
    "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)",
    "data:text/html,<x-marker>", "https://front.example@evil.example/callback",
    "https://front.example/callback@evil.example", "https://front.example/callback/../x",
    "https://front.example/callback#x", "https://front.example/callback?x=1",
    "https://front.example/callback\r\nx-marker: 1", "https://front.example.evil.example/callback",
    "HTTPS://FRONT.EXAMPLE/callback", "https://front.example/callback%00", "http://[::1",
    "http://127.0.0.1:99999/callback", "http://127.0.0.1:1/callback", "https://\u0130.example/",
    "https://169.254.169.254/latest", "file:///etc/passwd", "com.example.app:/callback",
)  # fmt: skip
ODD: Final[tuple[Text, ...]] = (
    "", " ", "\x00", "\r\nx-marker: 1", "\ud800", "\udfff", "\u202e", MARKER, "{{7*7}}", "' OR 1=1",
    b"%", b"%zz", b"%c0%af", b"%ff%fe", b"%ed%a0%80", b"\xff\xfe", b"a;b=c", b"a&a", b"+", b"%2500",
    "-1", "0", "1e999", "NaN", "9" * 30, "9" * 5000, "\u0663", "\u00b2", "true", "null", "[]", "{}",
    "[" * 4000, '{"a":' * 3000, '{"id_token":{"sub":{"value":1}}}', '{"userinfo":{"x":[1e999]}}',
    '{"id_token":{"sub":{"value":"\\ud800"}}}', '{"id_token":NaN}', '{"userinfo":[],"userinfo":{}}',
    "a" * 100, "a" * 2100, "a" * 10_000, "a" * 70_000, "\U0001f511" * 500, "none login", "..",
    "form_post", "fragment", "query", "none", "login", "consent", "select_account", "openid",
    "openid offline_access", "plain", "S256", "allow", "deny", "yes", "refresh_token", *v.SCOPES,
    "access_token", "client_credentials", "discord", "github",
    "urn:ietf:params:oauth:request_uri:x",
)  # fmt: skip
KINDS: Final = (
    FORM, None, b"", b"application/json", b"multipart/form-data; boundary=x", b"text/plain",
    FORM + b"; charset=utf-8", FORM + b"; charset=utf-7", FORM + b";charset=", FORM + b", " + FORM,
    b"\xff", b"application/jwt", FORM.upper(), FORM + b"; x=" + b"a" * 9000,
)  # fmt: skip
_BASIC: Final = (b"", b"x", b"Zg==", b"Og==", b"/////w==", b"YmFjazo6OjpcAA==", b"%", b"A" * 9000)
_SCHEMES: Final = (b"Basic ", b"Bearer ", b"DPoP ", b"bearer\t", b"Digest ", b"Basic", b"\xff ")
HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    *((b"authorization", scheme + rest) for scheme in _SCHEMES for rest in _BASIC),
    *((b"cookie", one) for one in (
        b"", b"=", b";;;", b"\xff=\xff", b"__Host-broker_session=", b"__Host-broker_session=\x00",
        b"__Host-broker_session=a; __Host-broker_session=b", b"__Host-broker_browser=" + b"z" * 900,
        b"a=b; " * 3000,
    )),
    *((b"host", one) for one in (b"evil.example", b"", b"a b", b"127.0.0.1:8443, evil.example")),
    (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"javascript"),
    (b"x-forwarded-for", b"::1, x, 999.1.1.1"), (b"forwarded", b"host=evil.example"),
    *((b"accept", one) for one in (b"", b"*/*", b"text/html", b"\xff", b"application/jwt;q=x")),
    *((b"origin", one) for one in (b"null", b"https://front.example", b"https://evil.example",
                                   b"\xff", b"https://[", b"a" * 9000)),
    (b"sec-fetch-site", b"cross-site"),
    *((b"x-signature-ed25519", one) for one in (b"", b"0" * 128, b"\xff" * 128, b"a" * 9000)),
    *((b"x-signature-timestamp", one) for one in (b"", b"0", b"-1", b"1e9", b"9" * 5000, b"\xb2")),
    (b"content-length", b"-1"), (b"content-length", b"9" * 5000),
    (b"content-length", b"99999999"), (b"content-length", b"\xb2"), (b"transfer-encoding", b"x"),
    (b"user-agent", b"\xff" * 500), (b"user-agent", MARKER.encode()), (b"if-none-match", b'W/"'),
    (b"access-control-request-method", b"PUT"), (b"accept-language", b"\xff;q=x"),
    (b"content-encoding", b"gzip"), (b"x-request-id", b"x-marker"), (b"range", b"bytes=0-"),
)  # fmt: skip
_ODD_JSON: Final = (
    b"", b"[]", b"null", b'"x"', b"1", b"{", b"\xff", b'{"redirect_uris": NaN}', b"[" * 30_000,
    b'{"a":' * 8000, b'{"client_name":"a","client_name":"b","redirect_uris":[]}',
    b'{"default_max_age":1e999}', b'{"default_max_age":' + b"9" * 6000 + b"}",
    b'{"client_name":"\\ud800"}', b'{"jwks":{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}}',
    b'\xef\xbb\xbf{"redirect_uris":["https://a.example/"]}', b"{}" * 40_000,
    '{"redirect_uris":["https://a.example/"]}'.encode("utf-16"),
)  # fmt: skip
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X")


@dataclass(frozen=True)
class Kept:
    """What honest clients and people have come by.

    Attributes:
        values: tokens, handles, names and secrets.
        bases: for each path, requests as an honest client would send them.
        headers: authorizations and proofs that are good.
        names: what may stand for a ``{parameter}`` of a path.
    """

    values: tuple[str, ...]
    bases: dict[str, list[Shot]]
    headers: tuple[tuple[bytes, bytes], ...]
    names: dict[str, tuple[str, ...]]


def values(kept: Kept) -> st.SearchStrategy[Text]:
    """Anything that could stand for a value."""
    good = st.sampled_from(kept.values)
    bent = st.builds(_bend, good, st.integers(0, 400), st.characters())
    own: st.SearchStrategy[Any] = st.one_of(good, bent, _jwts(kept))
    return st.one_of(own, st.sampled_from(URLS), st.sampled_from(ODD), st.text(max_size=40),
                     st.binary(max_size=20))  # fmt: skip


def _bend(value: str, at: int, letter: str) -> str:
    at %= len(value) + 1
    return value[:at] + letter + value[at + 1 :]


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from([10**400, -(2**63), MARKER, *URLS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=3), max_leaves=6,
)  # fmt: skip


def _jwts(kept: Kept) -> st.SearchStrategy[str]:
    """Signed by a stranger, or by nobody; members of every type."""
    alg = st.sampled_from(["none", "HS256", "RS256", "ES256", "", "es256", 1, None])
    head = st.sampled_from(["kid", "jwk", "jku", "crit", "typ", "x5u", "b64", "cty", "zip"])
    said = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "grant", "act",
                            "htm", "htu", "ath", "client_id", "scope", "cnf"])  # fmt: skip
    value = st.one_of(_anything, st.sampled_from(kept.values))
    signer = signs("ES256", "stranger")
    return st.builds(
        lambda a, h, c: signer.sign(json.dumps(c), **{"alg": a, **h}),
        alg, st.dictionaries(head, value, max_size=3), st.dictionaries(said, value, max_size=6),
    )  # fmt: skip


def changes(kept: Kept, names: Iterable[str]) -> st.SearchStrategy[Callable[[Shot], Shot]]:
    """One thing of a request is changed."""
    name: st.SearchStrategy[Any] = st.sampled_from((*names, "x", "request", "code", MARKER))
    value, spot = values(kept), st.integers(0, 30)
    header = st.sampled_from((*HEADERS, *kept.headers)) | st.tuples(
        st.sampled_from([b"authorization", b"dpop", b"cookie"]),
        st.builds(lambda t: b"DPoP " + t.encode("utf-8", "replace")[:9000], _jwts(kept)),
    ) | st.tuples(st.just(b"dpop"), st.builds(str.encode, _jwts(kept)))  # fmt: skip
    return st.one_of(
        st.builds(lambda n, x: lambda shot: _put(shot, n, x), name, value),
        st.builds(lambda at, x: lambda shot: _at(shot, at, x), spot, value),
        st.builds(lambda n, x: lambda shot: _add(shot, [(n, x)]), name, value),
        st.builds(lambda at: lambda shot: _add(shot, _pair(shot, at)), spot),
        st.builds(lambda at: lambda shot: _move(shot, at), spot),
        st.builds(lambda x: lambda shot: _add(shot, [(f"n{i}", x) for i in range(150)]), value),
        st.builds(lambda raw: lambda shot: _raw(shot, raw), st.binary(max_size=200)),
        st.builds(lambda kind: lambda shot: replace(shot, kind=kind), st.sampled_from(KINDS)),
        st.builds(lambda one: lambda s: replace(s, headers=(*s.headers, one)), header),
        st.builds(lambda one: lambda s: replace(s, headers=(one,)), header),
        st.builds(lambda m: lambda shot: replace(shot, method=m), st.sampled_from(_METHODS)),
        st.builds(lambda n: lambda shot: replace(shot, parts=n), st.integers(2, 9)),
    )


def _field(shot: Shot) -> str:
    """Where a request has its parameters."""
    return "body" if shot.body and isinstance(shot.body, tuple) else "query"


def _with(shot: Shot, pairs: Iterable[Pair]) -> Shot:
    found: dict[str, Any] = {_field(shot): tuple(pairs)}
    return replace(shot, **found)


def _pairs(shot: Shot) -> tuple[Pair, ...]:
    found = getattr(shot, _field(shot))
    return found if isinstance(found, tuple) else ()


def _pair(shot: Shot, at: int) -> list[Pair]:
    pairs = _pairs(shot)
    return [pairs[at % len(pairs)]] if pairs else []


def _put(shot: Shot, name: Text, value: Text) -> Shot:
    return _with(shot, [*(pair for pair in _pairs(shot) if pair[0] != name), (name, value)])


def _at(shot: Shot, at: int, value: Text) -> Shot:
    return _put(shot, _pair(shot, at)[0][0], value) if _pairs(shot) else shot


def _add(shot: Shot, more: list[Pair]) -> Shot:
    return _with(shot, [*_pairs(shot), *more])


def _move(shot: Shot, at: int) -> Shot:
    taken = _pair(shot, at)
    left = [pair for pair in _pairs(shot) if pair not in taken]
    if _field(shot) == "body" and isinstance(shot.query, tuple):
        return replace(shot, query=(*shot.query, *taken), body=tuple(left))
    return replace(shot, query=tuple(left), body=tuple(taken))


def _raw(shot: Shot, raw: bytes) -> Shot:
    return replace(shot, body=raw) if _field(shot) == "body" else replace(shot, query=raw)


def shots(entry: Entry, kept: Kept) -> st.SearchStrategy[Shot]:
    """Requests to an endpoint: an honest one changed in some ways, or none that is honest."""
    names = FIELDS[entry.path].split()
    value = values(kept)
    pairs = st.lists(st.tuples(st.sampled_from((*names, "x")), value), max_size=8).map(tuple)
    path = _paths(entry.path, kept)
    method = st.sampled_from(entry.methods)
    wild: st.SearchStrategy[Shot] = st.builds(
        lambda m, p, a, b: Shot(m, p, *((a, ()) if m in {"GET", "HEAD"} else (b, a))),
        method, path, pairs, st.just(()) | pairs,
    )  # fmt: skip
    if "register" in entry.path:
        wild = st.builds(_json, method, path, _documents())
    bases = kept.bases.get(entry.path)
    begun = st.one_of(st.sampled_from(bases), wild) if bases else wild
    return st.builds(_changed, begun, st.lists(changes(kept, names), max_size=3))


def _changed(shot: Shot, done: list[Callable[[Shot], Shot]]) -> Shot:
    for change in done:
        shot = change(shot)
    return shot


def _paths(path: str, kept: Kept) -> st.SearchStrategy[str]:
    if "{" not in path:
        return st.just(path)
    before, _, rest = path.partition("{")
    name, _, after = rest.partition("}")
    odd = st.one_of(st.text(min_size=1, max_size=12), st.sampled_from(["..", MARKER, "a" * 3000]))
    one = st.sampled_from(kept.names[name]) | odd.map(
        lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")
    )
    return one.map(lambda text: before + text + after)


def _documents() -> st.SearchStrategy[bytes]:
    good = {"client_name": "Lantern", "redirect_uris": ["https://lantern.example/cb"]}
    wanted = st.dictionaries(st.sampled_from(MEMBERS), _anything, max_size=4)
    return st.sampled_from(_ODD_JSON) | wanted.map(lambda one: json.dumps(good | one).encode())


def _json(method: str, path: str, body: bytes) -> Shot:
    return Shot(method, path, body=body, kind=b"application/json")
