"""What upstreams answer: Discord, GitHub, any OpenID provider, and key sets behind addresses."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from hypothesis import strategies as st
from joserfc import jws

from broker.core.client_jwts import BadJwt
from broker.core.client_keys import KeySet, read
from broker.core.errors import (
    AuthorizationLost,
    OutboundFailed,
    OutboundRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from broker.upstream import discord_members, discord_profile, discord_tokens, fields, github
from broker.upstream.base import read_json, read_object
from broker.upstream.budget import ProcessBudget
from broker.upstream.hearing import heard_of
from broker.upstream.line import Line
from broker.upstream.oidc import discovery, id_token
from broker.upstream.oidc.profile import lacks_profile, profile_of
from broker.upstream.outbound import caller, targets
from broker.upstream.outbound.addresses import is_public
from broker.upstream.pacing import NoTally, Wire
from tests.core.helpers import NOW, Hands, Ticking
from tests.fuzz.given import (
    LONE,
    addresses,
    anything,
    bodies,
    header_values,
    leaves,
    objects,
    sound_but,
)
from tests.fuzz.parser import Parser, each, ran, truth, whatever
from tests.fuzz.protocol import ISSUER, SIGNS

Given = tuple[int, list[tuple[str, str]], bytes]
NO: Final = (UpstreamRejected, UpstreamUnavailable)
LIMITS: Final = (
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset-after",
    "x-ratelimit-reset",
    "x-ratelimit-bucket",
    "x-ratelimit-scope",
    "x-ratelimit-global",
)
CACHING: Final = ("cache-control", "age", "expires", "date", "etag")
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "id_token_signing_alg_values_supported": ["ES256"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
    "prompt_values_supported": ["login"],
    "claims_supported": ["auth_time"],
    "authorization_response_iss_parameter_supported": True,
}
PROVIDER: Final = discovery.read(DOCUMENT, ISSUER)
MANY: Final = replace(PROVIDER, issuer="https://x/{tenantid}/v2")
TRIP: Final = id_token.Trip("us", "nonce", "token", NOW)
CLAIMS: Final = {
    "iss": ISSUER,
    "aud": "us",
    "azp": "us",
    "sub": "ada",
    "exp": NOW + 60,
    "iat": NOW,
    "nbf": NOW,
    "nonce": "nonce",
    "auth_time": NOW,
    "name": "Ada",
    "email": "ada@example.org",
    "picture": "https://a.example/1",
    "locale": "en_US",
}
DISCORD_USER: Final = {
    "id": "80351110224678912",
    "username": "nelly",
    "global_name": "Nelly",
    "avatar": "a_1f",
    "email": "n@example.org",
    "verified": True,
    "locale": "ko",
    "discriminator": "0",
    "mfa_enabled": True,
    "bot": False,
    "system": False,
}
GITHUB_USER: Final = {
    "type": "User",
    "id": 1,
    "login": "ada",
    "name": "Ada",
    "avatar_url": "https://a.example/1",
}
ADDRESS: Final = {"email": "a@b.example", "primary": True, "verified": True}
MEMBER: Final = {
    "roles": ["1"],
    "nick": "Ada",
    "joined_at": "2020-01-01T00:00:00+00:00",
    "pending": False,
    "communication_disabled_until": None,
}
TOKEN: Final = {
    "access_token": "token",
    "token_type": "Bearer",
    "expires_in": 60,
    "refresh_token": "again",
    "scope": "identify email",
}

# Once each of these but the first was a 500: UTF-8 has no words for them, or there are too many.
WORDS: Final = tuple(
    (200, [], text.encode())
    for text in (
        json.dumps(TOKEN),
        *(json.dumps(TOKEN | {"access_token": one}) for one in (*LONE, "é", "a\nb")),
        *(json.dumps({"error": one}) for one in (*LONE, "é", 1, None)),
        *(f'{{"error": {"[" * n}1{"]" * n}}}' for n in (300, 900, 940, 960, 980)),
    )
)


def answered(given: Given) -> httpx2.Response:
    status, headers, body = given
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return httpx2.Response(status, headers=pairs, content=body)


def answers(shape: st.SearchStrategy[Any], *headers: str) -> st.SearchStrategy[Given]:
    values = header_values.filter(lambda one: not set("\r\n\0") & set(one))
    return st.tuples(
        st.sampled_from([200, 200, 200, 200, 204, 302, 400, 401, 403, 404, 429, 500, 503]),
        st.lists(st.tuples(st.sampled_from(headers or ("content-type",)), values), max_size=3),
        bodies(shape),
    )


class Alike(httpx2.AsyncBaseTransport):
    """Answers every call alike."""

    def __init__(self, given: Given) -> None:
        self._given = given

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for _, value in request.headers.raw:
            value.decode("ascii")
        answer = answered(self._given)
        answer.request = request
        return answer


def client_of(given: Given) -> Any:
    return AsyncOAuth2Client(client_id="us", client_secret="s", transport=Alike(given))


CLOCK: Final = Hands(NOW)
WIRE: Final = Wire(Alike((200, [], b"{}")), ProcessBudget(Ticking(CLOCK)), NoTally())
LINE: Final = Line("away", WIRE, CLOCK)
GITHUB: Final = github.GitHub(
    github.GitHubSettings("github", "GitHub", "us", "s", f"{ISSUER}/login/github/callback"), LINE
)


def exchanged(given: Given) -> Any:
    """A code is exchanged, and the token that came is used."""

    async def work() -> None:
        client = client_of(given)
        await LINE.exchange(client, f"{ISSUER}/token", code="c", verifier="v" * 43)
        await client.get(f"{ISSUER}/user")

    async def bounded() -> None:
        await LINE.bounded(work())

    ran(bounded())


def exchanged_at_discord(given: Given) -> Any:
    """A code is exchanged, the token that came is used, and the refresh token too."""
    calls: Any = SimpleNamespace(url=lambda path: f"https://discord.example{path}")

    async def work() -> Any:
        client = client_of(given)
        found = await discord_tokens.exchange(calls, client, code="c", verifier="v" * 43, now=NOW)
        await client.get("https://discord.example/users/@me")
        again = client_of(given)
        return found, await discord_tokens.renew(calls, again, refresh_token="r", now=NOW)

    return ran(work())


class _Keys:
    """A provider's keys."""

    async def keys(self, uri: str) -> KeySet:
        assert uri == PROVIDER.jwks_uri
        return read({"keys": [SIGNS.jwk]})

    async def newer(self, uri: str) -> None:
        assert uri == PROVIDER.jwks_uri


def signed_in(claims: dict[str, Any]) -> Any:
    """A provider's ID token, well signed, that says anything."""
    try:
        payload = json.dumps(claims).encode()
    except RecursionError:
        return None
    token = jws.serialize_compact({"alg": "ES256"}, payload, SIGNS.key, algorithms=["ES256"])
    found = ran(id_token.verified(token, PROVIDER, _Keys(), TRIP))
    subject = id_token.subject(found, PROVIDER)
    moment = id_token.auth_time(found, PROVIDER, NOW)
    profile = profile_of(found, upstream="away", subject=subject, email_read=True, plain=False)
    return subject, moment, profile, lacks_profile(found)


PARSERS: Final[dict[str, Parser]] = {
    "answers": Parser(
        lambda one: (read_object(answered(one), "it"), read_json(answered(one), "it")),
        answers(anything),
        NO,
        whatever,
    ),
    "limits": Parser(
        lambda one: (heard_of(answered(one)), GITHUB._heard(answered(one))),
        answers(objects("retry_after", "global", "message", values=leaves), *LIMITS),
        seeds=(
            (429, [], b'{"retry_after": 1%s}' % (b"0" * 400)),
            (429, [("retry-after", "1" + "0" * 400)], b"[" * 5000),
            (403, [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9" * 20)], b""),
        ),
    ),
    "what people are called": Parser(
        each(fields.name, fields.email, fields.locale, fields.picture, fields.word),
        anything | st.sampled_from(LONE),
    ),
    "token endpoints": Parser(
        exchanged, answers(sound_but(TOKEN) | objects("error")), NO, seeds=WORDS
    ),
    "Discord's token endpoint": Parser(
        exchanged_at_discord,
        answers(sound_but(TOKEN) | objects("error")),
        (*NO, AuthorizationLost),
        seeds=WORDS,
    ),
    "Discord's users": Parser(
        lambda user: discord_profile.profile_of(user, "https://cdn.example"),
        sound_but(DISCORD_USER),
        (UpstreamRejected,),
    ),
    "Discord's members": Parser(
        lambda member: discord_members.standing_of(member, "1", NOW),
        sound_but(MEMBER),
        (UpstreamUnavailable,),
    ),
    "Discord's guilds": Parser(
        discord_members.guilds_of,
        anything
        | st.lists(sound_but({"id": "1", "name": "A", "owner": True}) | anything, max_size=3),
        (UpstreamUnavailable,),
    ),
    "GitHub's users": Parser(GITHUB._profile, sound_but(GITHUB_USER), (UpstreamRejected,)),
    "GitHub's addresses": Parser(
        github._primary, anything | st.lists(sound_but(ADDRESS), max_size=2)
    ),
    "GitHub's scopes": Parser(github._scopes, anything, judge=whatever),
    "discovery documents": Parser(
        lambda document: discovery.read(document, ISSUER),
        sound_but(DOCUMENT),
        (discovery.UnusableDocument,),
        whatever,
    ),
    "issuers of many tenants": Parser(
        lambda named: [MANY.is_issuer(named), PROVIDER.is_issuer(named)], anything
    ),
    "ID tokens": Parser(signed_in, sound_but(CLAIMS), (BadJwt,)),
    "addresses to call": Parser(
        lambda text: (targets.read(text, {"a.example"}), targets.read(text, {}).literal),
        addresses,
        (OutboundRefused,),
        whatever,
        ("https://192.0.2.1/", "https://[2001:db8::1]:8443/a?b", "https://0x7f.1/"),
    ),
    "hosts to allow": Parser(targets.is_entry, addresses, judge=truth),
    "IP addresses": Parser(is_public, st.ip_addresses(), judge=truth),
    "documents behind addresses": Parser(
        lambda body: caller._json("https://a.example", body), bodies(), (OutboundFailed,), whatever
    ),
    "lifetimes of documents": Parser(
        lambda one: caller._max_age(answered(one)), answers(anything, *CACHING)
    ),
}
