"""The simulated Discord's resource endpoints, under `/api/v10`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.demo.discord.people import Person, guild_of, member_of, own_user, public_user
from broker.demo.discord.records import Authorization
from broker.demo.discord.replies import api_error, rate_limited, simulator, unauthorized
from broker.demo.discord.state import SimulatedDiscord

MAX_GUILDS = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the person, what they allowed, and when the token expires (epoch seconds)."""

    discord: SimulatedDiscord
    person: Person
    grant: Authorization
    expires_at: float


Endpoint = Callable[[Request], Awaitable[Response]]
Resource = Callable[[Request, Caller], Response]


def guarded(route: str, scope: str | None, resource: Resource) -> Endpoint:
    """Return an endpoint that asks for a live token, its scope, and room under the limits."""

    async def endpoint(request: Request) -> Response:
        discord = simulator(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = discord.authorization(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            return unauthorized()
        verdict = discord.limits.count(token, route)
        if verdict.refused:
            return rate_limited(verdict.retry_after, verdict.headers, is_global=verdict.is_global)
        grant, expires_at = found
        if scope is not None and scope not in grant.scopes:
            answer: Response = api_error(403, 50026, "Missing required OAuth2 scope")
        else:
            person = discord.people[grant.person_id]
            answer = resource(request, Caller(discord, person, grant, expires_at))
        answer.headers.update(verdict.headers)
        return answer

    return endpoint


def me(_: Request, caller: Caller) -> Response:
    """`GET /users/@me`: the person's profile."""
    return JSONResponse(own_user(caller.person, with_email="email" in caller.grant.scopes))


def guilds(request: Request, caller: Caller) -> Response:
    """`GET /users/@me/guilds`: the person's guilds by rising id, paged by before/after/limit."""
    query = request.query_params
    before, after, limit = query.get("before"), query.get("after"), query.get("limit", MAX_GUILDS)
    if any(value is not None and not str(value).isdigit() for value in (before, after, limit)):
        return api_error(400, 50035, "Invalid Form Body")
    if not 1 <= int(limit) <= MAX_GUILDS:
        return api_error(400, 50035, "Invalid Form Body")
    shown = sorted(
        (m for m in caller.person.memberships if m.guild_id in caller.discord.guilds),
        key=lambda m: int(m.guild_id),
    )
    shown = [m for m in shown if after is None or int(m.guild_id) > int(after)]
    shown = [m for m in shown if before is None or int(m.guild_id) < int(before)]
    # With `before` alone the page is the one that ends there, as for Discord's other lists.
    backwards = before is not None and after is None
    page = shown[-int(limit) :] if backwards else shown[: int(limit)]
    with_counts = query.get("with_counts", "").lower() in {"1", "true"}
    return JSONResponse(
        [guild_of(caller.discord.guilds[m.guild_id], m, with_counts=with_counts) for m in page]
    )


def member(request: Request, caller: Caller) -> Response:
    """`GET /users/@me/guilds/{guild_id}/member`: 404 with code 10004 for a guild not theirs."""
    guild_id = request.path_params["guild_id"]
    if not guild_id.isdigit():
        return api_error(400, 50035, "Invalid Form Body")
    membership = caller.person.membership(guild_id)
    if membership is None or guild_id not in caller.discord.guilds:
        return api_error(404, 10004, "Unknown Guild")
    return JSONResponse(member_of(caller.person, membership))


def authorization(_: Request, caller: Caller) -> Response:
    """`GET /oauth2/@me`: which application the token belongs to, its scopes and its end."""
    application = caller.discord.applications[caller.grant.client_id]
    body = {
        "application": {
            "id": application.client_id,
            "name": application.name,
            "icon": None,
            "description": application.description,
            "type": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": application.verify_key,
            "flags": 0,
            "flags_new": "0",
        },
        "scopes": sorted(caller.grant.scopes),
        "expires": datetime.fromtimestamp(caller.expires_at, UTC).isoformat(),
    }
    if "identify" in caller.grant.scopes:
        body["user"] = public_user(caller.person)
    return JSONResponse(body)


def userinfo(request: Request, caller: Caller) -> Response:
    """`GET /oauth2/userinfo`: the standard claims of OpenID Connect."""
    person, scopes = caller.person, caller.grant.scopes
    claims: dict[str, object] = {"sub": person.id}
    if "identify" in scopes:
        claims |= {
            "preferred_username": person.username,
            "nickname": person.global_name,
            "locale": person.locale,
        }
        if person.avatar:
            claims["picture"] = f"{request.base_url}avatars/{person.id}/{person.avatar}.png"
    if "email" in scopes:
        claims |= {"email": person.email, "email_verified": person.verified}
    return JSONResponse(claims)


async def keys(request: Request) -> Response:
    """`GET /oauth2/keys`: the public keys of ID tokens."""
    key = simulator(request).signing_key
    return JSONResponse({"keys": [key.as_dict(private=False)]})
