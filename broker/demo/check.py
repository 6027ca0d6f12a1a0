"""Walk the whole sign-in by itself and tell each step: `broker demo --check`."""

from collections.abc import Awaitable, Callable

import httpx2
from joserfc.errors import JoseError

from broker.demo.discord.driver import RefusedError
from broker.demo.walk import StepError, Walk

Report = Callable[[str, bool, str], None]


def _steps(walk: Walk) -> tuple[tuple[str, Callable[[], Awaitable[str]]], ...]:
    return (
        ("discovery", walk.discovery),
        ("public keys", walk.jwks),
        ("authorize", walk.authorize),
        ("approve at Discord", walk.approval),
        ("consent and callback", walk.consent),
        ("exchange the code", walk.exchange),
        ("verify the ID token", walk.id_token),
        ("verify the access token", walk.access_token),
        ("call the sample API", walk.api),
        ("userinfo", walk.userinfo),
        ("refresh", walk.refresh),
        ("sign out", walk.logout),
        ("refresh after sign-out", walk.ended),
    )


async def check(
    broker_issuer: str,
    sample_origin: str,
    discord_origin: str,
    report: Report,
    *,
    resource: str | None = None,
) -> bool:
    """Walk the sign-in, reporting each step as (name, whether it went well, detail).

    Stops at the first step that fails, since the next ones stand on it.

    Args:
        broker_issuer: the broker's issuer URL, exactly as it names itself.
        sample_origin: origin of the sample app.
        discord_origin: origin of the simulated Discord.
        report: called once a step.
        resource: the resource indicator to ask for, where the client has no default audience.

    Returns:
        Whether every step went well.
    """
    async with (
        httpx2.AsyncClient(timeout=10, trust_env=False) as browser,
        httpx2.AsyncClient(timeout=10, trust_env=False) as app,
    ):
        walk = Walk(broker_issuer, sample_origin, discord_origin, browser, app, resource=resource)
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
