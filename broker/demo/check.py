"""Walk the whole sign-in by itself and tell each step: `broker demo --check`."""

from collections.abc import Awaitable, Callable, Iterator

import httpx2
from joserfc.errors import JoseError

from broker.demo.community import SCOPE
from broker.demo.community_walk import CommunityWalk
from broker.demo.discord.driver import RefusedError
from broker.demo.walk import StepError, Walk

Report = Callable[[str, bool, str], None]
Step = Callable[[], Awaitable[str]]


def _steps(walk: Walk) -> Iterator[tuple[str, Step]]:
    yield "discovery", walk.discovery
    yield "public keys", walk.jwks
    yield "authorize", walk.authorize
    yield "approve at Discord", walk.approval
    yield "consent and callback", walk.consent
    yield "exchange the code", walk.exchange
    yield "verify the ID token", walk.id_token
    yield "verify the access token", walk.access_token
    yield "call the sample API", walk.api
    yield "userinfo", walk.userinfo
    yield "refresh", walk.refresh
    if isinstance(walk, CommunityWalk):
        yield "roles", walk.roles
        yield "lose a role", walk.lost_role
    yield "sign out", walk.logout
    yield "refresh after sign-out", walk.ended
    if isinstance(walk, CommunityWalk):
        yield "sign in again", walk.again
        yield "deauthorize at Discord", walk.withdrawn


async def check(
    broker_issuer: str,
    sample_origin: str,
    discord_origin: str,
    report: Report,
    *,
    resource: str | None = None,
    community: bool = False,
) -> bool:
    """Walk the sign-in, reporting each step as (name, whether it went well, detail).

    Stops at the first step that fails, since the next ones stand on it.

    Args:
        broker_issuer: the broker's issuer URL, exactly as it names itself.
        sample_origin: origin of the sample app.
        discord_origin: origin of the simulated Discord.
        report: called once a step.
        resource: the resource indicator to ask for, where the client has no default audience.
        community: whether the app goes by the roles of the demonstration's guild, and the broker
            hears of withdrawals.

    Returns:
        Whether every step went well.
    """
    async with (
        httpx2.AsyncClient(timeout=10, trust_env=False) as browser,
        httpx2.AsyncClient(timeout=10, trust_env=False) as app,
    ):
        origins = broker_issuer, sample_origin, discord_origin
        walk = (
            CommunityWalk(*origins, browser, app, resource=resource, scope=SCOPE)
            if community
            else Walk(*origins, browser, app, resource=resource)
        )
        for name, step in _steps(walk):
            try:
                detail = await step()
            except (StepError, RefusedError, JoseError, httpx2.HTTPError) as error:
                report(name, False, str(error) or type(error).__name__)  # noqa: FBT003
                return False
            except (KeyError, ValueError, TypeError) as error:
                report(name, False, f"unexpected answer: {error!r}")  # noqa: FBT003
                return False
            report(name, True, detail)  # noqa: FBT003
    return True
