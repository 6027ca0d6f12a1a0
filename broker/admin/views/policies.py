"""Who may use which app: policies in words, and what they come to for one person."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.page import Page
from broker.app.explaining import Explanation, explanation, read_of_people
from broker.app.policies import deployment_policy
from broker.core.community.registry import Guild
from broker.core.documents import BadDocument
from broker.core.errors import ServerError
from broker.core.model import Client
from broker.core.policy import words
from broker.core.policy.reading import read
from broker.core.policy.rules import rules_of


class Policies(Page):
    """Answers ``GET /admin/policies``."""

    menu_label = "Policies"
    path = "/policies"

    @route("")
    async def index(self, request: Request) -> Response:
        """Show them in sentences; each is edited with its app, the one for all in its file."""
        guilds = await self.sql.guilds.registered()
        clients = [record.client for record in await self.sql.clients.list()]
        deployed = deployment_policy(self.parts.settings)
        return self.show(
            request,
            "policies.html",
            "Policies",
            policies=[(one, policy_said(one, guilds)) for one in clients if one.policy is not None],
            everywhere=words.said(deployed, guilds) if deployed else (),
            clients=clients,
        )

    @route("/check")
    async def check(self, request: Request) -> Response:
        """Explain whether a person may use an app, rule by rule, as ``policy check`` does."""
        who = request.query_params.get("who", "").strip()[:200]
        client_id = request.query_params.get("client", "").strip()[:200]
        found, problem = None, ""
        asked: tuple[str, ...] = ()
        guilds = await self.sql.guilds.registered()
        record = await self.sql.clients.get(client_id) if client_id else None
        if who and record is not None:
            try:
                rules = rules_of(record.client, deployment_policy(self.parts.settings))
                asked = read_of_people(rules.needs, guilds)
                found, problem = await self._explained(who, record.client, guilds)
            except ServerError:
                problem = "The app's policy cannot be read, so nobody gets in."
        elif who or client_id:
            problem = "Name a person and choose an app."
        return self.show(
            request,
            "policy_check.html",
            "Who may?",
            who=who,
            client_id=client_id,
            clients=[one.client for one in await self.sql.clients.list()],
            found=found,
            problem=problem,
            asked=asked,
        )

    async def _explained(
        self, who: str, client: Client, guilds: Mapping[str, Guild]
    ) -> tuple[Explanation | None, str]:
        people = await self.sql.accounts.find(who)
        if len(people) != 1:
            many = ", ".join(one.account_id for one in people)
            return None, f"It may mean {many}." if many else "Nobody here is called so."
        facts = await self.sql.accounts.facts(people[0].account_id)
        if facts is None:
            return None, "Nobody here is called so."
        rules = rules_of(client, deployment_policy(self.parts.settings))
        return explanation(people[0].name, client, rules, facts, guilds=guilds, now=self.now), ""


def policy_said(client: Client, guilds: Mapping[str, Guild]) -> tuple[str, ...]:
    """Return a client's policy in sentences; one that cannot be read says so."""
    if client.policy is None:
        return ("Everybody who signs in may use it.",)
    try:
        return words.said(read(client.policy), guilds)
    except BadDocument as error:
        return (f"It cannot be read, so nobody gets in: {error}",)
