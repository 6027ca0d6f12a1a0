"""Discord as an upstream: OAuth 2.0 with PKCE, profiles, and what people are in guilds.

Discord's discovery document is not complete enough for OpenID Connect clients and its ID token
says little; ``/users/@me`` of the API is the source of truth.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import httpx2

from broker.core.budget import Urgency
from broker.core.community.model import Community, GuildList, ListedGuild, Standing
from broker.core.community.needs import Needs, by_id
from broker.core.community.snowflakes import is_snowflake
from broker.core.errors import AuthorizationLost, UpstreamRejected, UpstreamUnavailable
from broker.core.federation import SignedIn, TokenOwner, UpstreamAuthorization
from broker.core.model import Profile
from broker.core.ports import Clock
from broker.upstream import discord_tokens
from broker.upstream.base import read_json, read_object
from broker.upstream.discord_calls import NAME, DiscordCalls, DiscordSettings
from broker.upstream.discord_members import guilds_of, moment, standing_of
from broker.upstream.discord_profile import profile_of
from broker.upstream.pacing import Wire

__all__ = ["Discord", "DiscordSettings", "scopes_for"]

PAGE: Final = 200  # guilds; the most that Discord puts on one
PAGES: Final = 5  # Discord lets nobody be in more than 200 guilds
LARGE: Final = 1024 * 1024  # bytes of a page: each guild lists its features
STRANGER: Final = frozenset((10004, 10007))  # codes: unknown guild, unknown member
NO_SCOPE: Final = 50026  # code: the token was never granted that


class Discord:
    """``broker.core.federation.CommunityUpstream`` over Discord.

    Args:
        settings: how to reach it.
        wire: how calls leave this process.
        clock: time.
    """

    name = NAME
    title = "Discord"

    def __init__(self, settings: DiscordSettings, wire: Wire, clock: Clock) -> None:
        self.application = settings.client_id
        self._settings = settings
        self._calls = DiscordCalls(settings, wire)
        self._clock = clock

    async def authorization_url(
        self, *, state: str, verifier: str, prompt: str, login_hint: str, needs: Needs
    ) -> str:
        """Return where to send the browser.

        Args:
            state: binds the answer to this trip (RFC 6749 §10.12).
            verifier: PKCE code verifier, 43 to 128 characters (RFC 7636 §4.1).
            prompt: ``none`` skips Discord's page for who has approved before, ``consent`` shows it.
            login_hint: unused, Discord has no such parameter.
            needs: what has to be known; no scope is asked for but what that takes.
        """
        del login_hint
        url, _ = self._calls.to_sign_in().create_authorization_url(
            self._settings.authorize_url,
            state=state,
            code_verifier=verifier,
            prompt=prompt,
            scope=" ".join(scopes_for(needs)),
        )
        return str(url)

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        return not set(scopes_for(needs)) <= set(scope)

    async def fetch(self, *, code: str, verifier: str) -> SignedIn:
        """Exchange the code (RFC 6749 §4.1.3, RFC 7636 §4.5) and read the profile.

        Raises:
            UpstreamUnavailable: no sound answer in time, or no turn to ask.
            UpstreamRejected: the code is not good, the account is no person's, or the answer makes
                no sense.
        """
        client, now = self._calls.to_sign_in(), self._clock.now()
        authorization = await discord_tokens.exchange(
            self._calls, client, code=code, verifier=verifier, now=now
        )
        try:
            return SignedIn(await self._profile(client, authorization.scope), authorization)
        except AuthorizationLost as error:
            raise UpstreamRejected(private=error.private) from None

    async def profile(self, access_token: str) -> Profile:
        """Read the profile of a token's person.

        Raises:
            UpstreamUnavailable: no sound answer in time, or no turn to ask.
            UpstreamRejected: the account is no person's, or the answer makes no sense.
            AuthorizationLost: the token is not good.
        """
        return await self._profile(self._calls.with_token(access_token, Urgency.OFFERED))

    async def _profile(self, client: Any, scope: Sequence[str] = ()) -> Profile:
        what = "discord: users/@me"
        answer = await client.get(self._calls.url("/users/@me"))
        if answer.status_code == 401:
            raise AuthorizationLost(private=f"{what} answered 401")
        if answer.status_code >= 400:
            raise UpstreamRejected(private=f"{what} answered {answer.status_code}")
        return profile_of(read_object(answer, what), self._settings.cdn_url, scope)

    async def owner(self, access_token: str) -> TokenOwner:
        """Return to which application a token was issued.

        Raises:
            UpstreamUnavailable: no sound answer in time, or no turn to ask.
            AuthorizationLost: the token is not good.
        """
        what = "discord: oauth2/@me"
        client = self._calls.with_token(access_token, Urgency.OFFERED)
        answer = await client.get(self._calls.url("/oauth2/@me"))
        found = _read(answer, what)
        application, scopes = found.get("application"), found.get("scopes")
        name = application.get("id") if isinstance(application, dict) else None
        if not is_snowflake(name) or not isinstance(scopes, list):
            raise UpstreamUnavailable(private=f"{what} names no application")
        granted = tuple(scope for scope in scopes if isinstance(scope, str))
        return TokenOwner(name, granted, moment(found.get("expires")))

    async def community(
        self, access_token: str, needs: Needs, *, waiting: bool = False
    ) -> Community:
        """Read the standings and the list that are needed, as of now, all at once.

        Args:
            access_token: the person's.
            needs: which.
            waiting: whether a person waits for it.

        Raises:
            UpstreamUnavailable: no sound answer in time, or no turn to ask.
            AuthorizationLost: the token is not good, or does not reach so far.
        """
        urgency = Urgency.SIGN_IN if waiting else Urgency.KEEPING
        client, now = self._calls.with_token(access_token, urgency), self._clock.now()
        try:
            async with asyncio.TaskGroup() as group:
                standings = [
                    group.create_task(self._standing(client, guild_id, now))
                    for guild_id in dict.fromkeys(needs.standings)
                ]
                listed = group.create_task(self._listed(client, now)) if needs.listing else None
        except ExceptionGroup as errors:
            lost, _ = errors.split(AuthorizationLost)
            raise (lost or errors).exceptions[0] from None
        found = (task.result() for task in standings)
        guilds = listed.result() if listed is not None else None
        return Community({each.guild_id: each for each in found}, guilds)

    async def _standing(self, client: Any, guild_id: str, now: float) -> Standing:
        what = "discord: users/@me/guilds/…/member"
        answer = await client.get(self._calls.url(f"/users/@me/guilds/{guild_id}/member"))
        if answer.status_code == 404 and _code(answer) in STRANGER:
            return Standing(guild_id, now, member=False)
        return standing_of(_read(answer, what), guild_id, now)

    async def _listed(self, client: Any, now: float) -> GuildList:
        """Read the list page by page."""
        found: dict[str, ListedGuild] = {}
        for _ in range(PAGES):
            after = max(found, key=by_id, default="0")
            answer = await client.get(
                self._calls.url("/users/@me/guilds"),
                params={"limit": PAGE, "after": after},
                extensions={"most": LARGE},
            )
            page = guilds_of(_judged(answer, "discord: users/@me/guilds"))
            found |= {guild.guild_id: guild for guild in page}
            if len(page) < PAGE:
                break
        return GuildList(now, tuple(found[each] for each in sorted(found, key=by_id)))

    async def renew(self, refresh_token: str) -> UpstreamAuthorization:
        """Spend a refresh token.

        Raises:
            UpstreamUnavailable: no sound answer came; the token may be spent.
            AuthorizationLost: it was refused.
        """
        client, now = self._calls.in_our_name(), self._clock.now()
        return await discord_tokens.renew(self._calls, client, refresh_token=refresh_token, now=now)

    async def revoke(self, token: str) -> None:
        """Give an authorization back, as far as that can be done now (RFC 7009); never raises."""
        with suppress(UpstreamUnavailable, AuthorizationLost):
            await self._calls.in_our_name().revoke_token(
                self._calls.url(discord_tokens.REVOKE), token=token
            )


def scopes_for(needs: Needs) -> tuple[str, ...]:
    """Return Discord's scopes that these needs take, and no other."""
    wanted = {
        "identify": True,
        "email": needs.email,
        "guilds": needs.listing,
        "guilds.members.read": bool(needs.standings),
    }
    return tuple(scope for scope, is_needed in wanted.items() if is_needed)


def _judged(answer: httpx2.Response, what: str) -> Any:
    """Return the JSON of an answer about a person's guilds.

    Raises:
        UpstreamUnavailable: it is no success, or no JSON.
        AuthorizationLost: the token is not good, or does not reach so far.
    """
    status = answer.status_code
    if status == 401 or (status == 403 and _code(answer) == NO_SCOPE):
        raise AuthorizationLost(private=f"{what} answered {status}")
    if status != 200:
        raise UpstreamUnavailable(private=f"{what} answered {status}")
    return read_json(answer, what)


def _read(answer: httpx2.Response, what: str) -> dict[str, Any]:
    """Return the JSON object of such an answer; raises as `_judged` does."""
    found = _judged(answer, what)
    if not isinstance(found, dict):
        raise UpstreamUnavailable(private=f"{what}: JSON, but no object")
    return found


def _code(answer: httpx2.Response) -> int | None:
    """Return Discord's own code of an error, or None where the answer has none."""
    try:
        body = read_json(answer, "")
    except UpstreamUnavailable:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else None
