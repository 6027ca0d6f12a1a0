"""``broker policy``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import policy_views as views
from broker.cli import show
from broker.cli.client_communities import guilds_of
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.explaining import Explanation
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.model import Client

HELP = """Who may use an app: access policies, in words and rule by rule.

A policy is a JSON document. One that holds for all apps is in the file that BROKER_POLICY names;
an app's own is set with: broker clients edit CLIENT_ID --policy FILE. Both have to let a person in.
Whatever is in it must hold, and every member may be left out:

\b
{
  "guilds": [{
    "id": "613425648685547541",      a member of this Discord server, and there:
    "any_role": ["…"],               one of these roles
    "all_roles": ["…"],              every one of these
    "no_role": ["…"],                none of these
    "not_pending": true,             has accepted its rules
    "not_timed_out": true
  }],
  "match": "all",                    "any": one of the guilds is enough
  "account_age": "30d",              of the Discord account, at least
  "email_verified": true,
  "allow": ["…"],                    Discord ids that pass whatever the rest says
  "deny": ["…"],                     Discord ids that never do
  "only_allowed": false              true: nobody passes but those in allow
}
"""

app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("show")
def show_policy(
    client_id: Annotated[
        str | None,
        typer.Argument(metavar="CLIENT_ID", help="An app. Default: the policy for all alone."),
    ] = None,
    json: show.Json = False,
) -> None:
    """Show the policies that hold, in words and as documents, and what Discord is asked for."""

    async def work(
        stores: "Stores", settings: "Settings", _clock: "SystemClock"
    ) -> tuple[list[views.Held], tuple[str, ...]]:
        from broker.app.explaining import FOR_ALL, OWN, read_of_people
        from broker.app.policies import deployment_document, deployment_policy
        from broker.core.policy.rules import rules_of

        guilds = await guilds_of(stores)
        held = [views.held(FOR_ALL, deployment_document(settings), guilds)]
        if client_id is None:
            return held, ()
        client = await _client(stores, client_id)
        held.append(views.held(OWN, client.policy, guilds))
        needs = rules_of(client, deployment_policy(settings)).needs
        return held, read_of_people(needs, guilds)

    views.tell_policies(*with_stores(work), json=json)


@app.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            allow_dash=True,
            help="A document to judge, asking no store; - for standard input.",
        ),
    ] = None,
    *,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="WHO",
            help="Account identifier, sub, Discord snowflake, username or e-mail.",
        ),
    ] = None,
    client: Annotated[
        str | None, typer.Option(metavar="CLIENT_ID", help="The app that the person would use.")
    ] = None,
    json: show.Json = False,
) -> None:
    """Judge a document, or explain whether a person may use an app: rule by rule.

    Exit code 0 where it is a policy, or the person may; 4 where not, with the reasons. What is
    known of the person is as of the times shown; it is read again at sign-ins and refreshes.
    """
    if file is not None and account is None and client is None:
        _check_file(str(file), json=json)
    elif file is None and account is not None and client is not None:
        _check_person(account, client, json=json)
    else:
        raise typer.BadParameter("give a file, or both --account and --client")


def _check_file(name: str, *, json: bool) -> None:
    with reported():
        import sys

        from broker.app.policies import text_of
        from broker.core.documents import BadDocument, parse

        try:
            document = parse(sys.stdin.read() if name == "-" else text_of(Path(name)))
            found = views.held("policy", document, {})
        except BadDocument as error:
            raise Failure(Exit.REFUSED, str(error)) from None
        if json:
            show.document({"policy": found.document, "words": found.words})
            return
        typer.echo("\n".join(found.words))


def _check_person(who: str, client_id: str, *, json: bool) -> None:
    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> "Explanation":
        from broker.app.explaining import explanation
        from broker.app.policies import deployment_policy
        from broker.cli.account_commands import found as account_found
        from broker.core.policy.rules import rules_of

        account = await account_found(stores, who)
        client = await _client(stores, client_id)
        facts = await stores.sql.accounts.facts(account.account_id)
        if facts is None:
            raise Failure(
                Exit.NOT_FOUND, f"there is no account {who}; see: broker accounts list -q"
            )
        guilds, now = await guilds_of(stores), clock.now()
        rules = rules_of(client, deployment_policy(settings))
        return explanation(account.name, client, rules, facts, guilds=guilds, now=now)

    found = with_stores(work)
    views.tell_explanation(found, json=json)
    if not found.allowed:
        raise typer.Exit(Exit.REFUSED)


async def _client(stores: "Stores", client_id: str) -> "Client":
    record = await stores.sql.clients.get(client_id)
    if record is None:
        raise Failure(Exit.NOT_FOUND, f"there is no client {client_id}; see: broker clients list")
    return record.client
