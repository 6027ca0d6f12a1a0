"""Pages of the simulated Discord where things are done to people: a guild's, and a person's apps.

They are for the demonstration: whoever is at this machine is everybody's administrator.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from broker.demo.discord.authorize import COOKIE
from broker.demo.discord.pages import page
from broker.demo.discord.people import Guild, Membership, Person
from broker.demo.discord.population import from_iso
from broker.demo.discord.replies import read_form, simulator
from broker.demo.discord.state import SimulatedDiscord

TIME_OUT_SECONDS: Final = 600.0

Deed = Callable[[SimulatedDiscord, str, str], Person]

# What a button of the guild's page does to a person in it, and what is said afterwards.
_DEEDS: Final[dict[str, tuple[Deed, str]]] = {
    "join": (lambda d, who, guild: d.join(who, guild), "is in the server now"),
    "kick": (lambda d, who, guild: d.kick(who, guild), "is not in the server any more"),
    "pending": (
        lambda d, who, guild: d.set_member(who, guild, pending=True),
        "has yet to accept the rules",
    ),
    "passed": (
        lambda d, who, guild: d.set_member(who, guild, pending=False),
        "has accepted the rules",
    ),
    "hush": (
        lambda d, who, guild: d.time_out(who, guild, TIME_OUT_SECONDS),
        "is timed out for ten minutes",
    ),
    "speak": (lambda d, who, guild: d.time_out(who, guild, None), "is timed out no longer"),
}
_ROLE_TEXTS: Final = {"give": "has another role", "take": "has lost a role"}
_APP_TEXTS: Final = {
    "told": "The app was deauthorized, and is being told.",
    "untold": "The app was deauthorized. It has no address for events, so it was not told.",
    "nothing": "The app had no authorization.",
}


async def home(request: Request) -> Response:
    """Say what this place is, and who and what is in it."""
    discord = simulator(request)
    return page("home.html", guilds=discord.guilds.values(), people=discord.people.values())


async def guild(request: Request) -> Response:
    """`/guilds/{guild_id}`: its members, and what can be done to them."""
    discord = simulator(request)
    found = discord.guilds.get(request.path_params["guild_id"])
    if found is None:
        return page("error.html", 404, message="There is no such server.")
    if request.method == "POST":
        return await _acted(request, lambda form: _do(discord, found, form))
    inside = discord.members(found.id)
    ids = {person.id for person, _ in inside}
    return page(
        "guild.html",
        guild=found,
        members=[(person, member, _is_hushed(discord, member)) for person, member in inside],
        outside=[person for person in discord.people.values() if person.id not in ids],
        said=_said(discord, request),
    )


async def apps(request: Request) -> Response:
    """`/people/{person_id}/apps`: what a person lets applications do, and an end to it."""
    discord = simulator(request)
    person = discord.people.get(request.path_params["person_id"])
    if person is None:
        return page("error.html", 404, message="There is nobody of that id.")
    if request.method == "POST":
        return await _acted(request, lambda form: _deauthorize(discord, person, form))
    allowed = [
        (discord.applications[client_id], scopes)
        for client_id, scopes in discord.approved(person.id).items()
    ]
    said = _APP_TEXTS.get(request.query_params.get("did", ""))
    return page("apps.html", person=person, allowed=allowed, said=said)


async def own_apps(request: Request) -> Response:
    """`/apps`: those of the person this browser is signed in as, else everybody's."""
    person = simulator(request).people.get(request.cookies.get(COOKIE, ""))
    return RedirectResponse(f"/people/{person.id}/apps" if person else "/", 303)


async def _acted(request: Request, act: Callable[[dict[str, str]], str]) -> Response:
    """Act on a form of this very page, and show the page again."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return page("error.html", 403, message="This form was sent by another site.")
    form = await read_form(request)
    try:
        return RedirectResponse(request.url.path + act(form or {}), 303)
    except LookupError:
        return page("error.html", 400, message="Nothing here answers to that form.")


def _do(discord: SimulatedDiscord, where: Guild, form: dict[str, str]) -> str:
    """Do what a button says; returns the query that says so, and where on the page to look."""
    deed, _, role = form["do"].partition(":")
    if deed in _ROLE_TEXTS:
        act = discord.give_role if deed == "give" else discord.take_role
        person = act(form["person"], where.id, role)
    else:
        person = _DEEDS[deed][0](discord, form["person"], where.id)
    return f"?did={deed}&who={person.id}#p{person.id}"


def _said(discord: SimulatedDiscord, request: Request) -> tuple[Person, str] | None:
    """Return whom something was done to and what, where the page is shown after that."""
    person = discord.people.get(request.query_params.get("who", ""))
    deed = request.query_params.get("did", "")
    text = _ROLE_TEXTS.get(deed) or _DEEDS.get(deed, (None, ""))[1]
    return (person, text) if person and text else None


def _is_hushed(discord: SimulatedDiscord, member: Membership) -> bool:
    until = member.communication_disabled_until
    return until is not None and from_iso(until) > discord.now()


def _deauthorize(discord: SimulatedDiscord, person: Person, form: dict[str, str]) -> str:
    client_id = form["deauthorize"]
    if client_id not in discord.approved(person.id):
        return "?did=nothing"
    return "?did=told" if discord.deauthorize(person.id, client_id) else "?did=untold"


ROUTES = [
    Route("/", home),
    Route("/guilds/{guild_id}", guild, methods=["GET", "POST"]),
    Route("/apps", own_apps),
    Route("/people/{person_id}/apps", apps, methods=["GET", "POST"]),
]
