"""APIs, guilds, policies in words, operators: what is registered besides clients, to look at."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.page import Page
from broker.app.policies import deployment_policy
from broker.core.community.registry import Guild
from broker.core.documents import BadDocument
from broker.core.model import Client
from broker.core.policy import words
from broker.core.policy.reading import read


class Registers(Page):
    """Answers ``GET /admin/registers``."""

    menu_label = "APIs, guilds, policies"
    path = "/registers"

    @route("")
    async def index(self, request: Request) -> Response:
        """Show them; they are changed by ``broker apis``, ``broker guilds`` and ``accounts``."""
        guilds = await self.sql.guilds.list()
        named = {record.guild.guild_id: record.guild for record in guilds}
        clients = [record.client for record in await self.sql.clients.list()]
        policies = [(one, policy_said(one, named)) for one in clients if one.policy is not None]
        deployed = deployment_policy(self.parts.settings)
        operators = [
            (one, await self.sql.accounts.get(one.account_id))
            for one in await self.sql.operators.list()
        ]
        return self.show(
            request,
            "registers.html",
            "APIs, guilds, policies",
            apis=await self.sql.apis.list(),
            guilds=guilds,
            policies=policies,
            everywhere=words.said(deployed, named) if deployed else (),
            operators=operators,
        )


def policy_said(client: Client, guilds: Mapping[str, Guild]) -> tuple[str, ...]:
    """Return a client's policy in sentences; one that cannot be read says so."""
    if client.policy is None:
        return ("Everybody who signs in may use it.",)
    try:
        return words.said(read(client.policy), guilds)
    except BadDocument as error:
        return (f"It cannot be read, so nobody gets in: {error}",)
