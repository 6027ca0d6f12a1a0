"""Start the simulated Discord and the sample app beside a broker, in one event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker.demo.community import SCOPE, patient_discord
from broker.demo.discord.app import serve as serve_discord
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.discord.records import Application
from broker.demo.discord.state import SimulatedDiscord
from broker.demo.loopback import require_loopback_url
from broker.demo.sample.app import SampleSettings, create_app
from broker.demo.serving import serving

DISCORD_CLIENT_ID = "1130000000000000001"
DISCORD_CLIENT_SECRET = "simulated-discord-secret"
CALLBACK_PATH = "/login/discord/callback"
HOST = "127.0.0.1"
NAME = "localhost"  # the broker's: an operator's passkey belongs to a host name


@dataclass(frozen=True, slots=True)
class DemoPorts:
    """The three ports of a demonstration, in a row."""

    broker: int
    discord: int
    sample: int

    @classmethod
    def from_base(cls, port: int) -> "DemoPorts":
        """Return the ports that follow the broker's."""
        return cls(port, port + 1, port + 2)

    @property
    def issuer(self) -> str:
        """The broker's issuer."""
        return f"http://{NAME}:{self.broker}"

    @property
    def discord_origin(self) -> str:
        """Where the simulated Discord is."""
        return f"http://{HOST}:{self.discord}"

    @property
    def sample_origin(self) -> str:
        """Where the sample app is."""
        return f"http://{HOST}:{self.sample}"

    @property
    def audience(self) -> str:
        """What names the sample's API in `aud`."""
        return f"{self.sample_origin}/api"


@dataclass(frozen=True, slots=True)
class SampleClient:
    """How the sample app is to be registered at the broker: a public client with PKCE."""

    client_id: str
    name: str
    redirect_uri: str
    post_logout_redirect_uri: str
    origin: str
    audience: str
    scopes: tuple[str, ...]
    backchannel_logout_uri: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What runs: the two origins, and the simulated Discord's memory."""

    discord_origin: str
    sample_origin: str
    discord: SimulatedDiscord


def sample_client(ports: DemoPorts) -> SampleClient:
    """Return the registration the sample app needs."""
    origin = ports.sample_origin
    return SampleClient(
        client_id="sample-app",
        name="Fieldnotes (sample app)",
        redirect_uri=f"{origin}/callback",
        post_logout_redirect_uri=f"{origin}/",
        origin=origin,
        audience=ports.audience,
        scopes=tuple(SCOPE.split()),
        backchannel_logout_uri=f"{origin}/backchannel-logout",
    )


def discord_application(issuer: str) -> Application:
    """Return the application the broker is at the simulated Discord.

    Raises:
        NotLoopbackError: the issuer is not on loopback. The simulator lets anybody be anybody,
            so no broker that others can reach may rely on it.
    """
    redirect_uri = require_loopback_url(issuer).rstrip("/") + CALLBACK_PATH
    return Application(DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET, (redirect_uri,))


@asynccontextmanager
async def running(
    ports: DemoPorts, *, issuer: str | None = None, discord: SimulatedDiscord | None = None
) -> AsyncIterator[Demo]:
    """Run the simulated Discord and the sample app on their ports until the block ends.

    Args:
        ports: where.
        issuer: the broker's issuer, that of `ports` unless said.
        discord: a simulator to serve, a new one unless given.

    Raises:
        NotLoopbackError: the issuer is not on loopback.
        OSError: a port is taken.
    """
    wanted = issuer or ports.issuer
    simulator = discord or patient_discord()
    simulator.add_application(discord_application(wanted))
    async with serve_discord(simulator, HOST, ports.discord) as discord_origin:
        settings = SampleSettings(
            wanted,
            ports.audience,
            scope=SCOPE,
            pictures=discord_origin,
            guild_page=f"{discord_origin}/guilds/{LIGHTHOUSE.id}",
            apps_page=f"{discord_origin}/apps",
        )
        async with serving(create_app(settings), HOST, ports.sample) as sample_origin:
            yield Demo(discord_origin, sample_origin, simulator)
