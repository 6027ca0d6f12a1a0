"""`/_simulator/…`: the switches, for whoever runs in another process.

Each takes JSON and does what the method of `SimulatedDiscord` with that name does; 204 where there
is nothing to tell, 400 with the reason where something is wrong.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.demo.discord.events import EndpointRefusedError
from broker.demo.discord.faults import Fault
from broker.demo.discord.replies import simulator
from broker.demo.discord.state import SimulatedDiscord

Switch = Callable[[SimulatedDiscord, dict[str, Any]], Mapping[str, Any] | None]

_MEMBER_ACTIONS = frozenset({"join", "kick", "set_member", "give_role", "take_role", "time_out"})


def _switch(pull: Switch) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads JSON, pulls a switch in a thread, and tells what is wrong."""

    async def endpoint(request: Request) -> Response:
        # A page of another origin cannot send this type without being asked for permission first.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "send application/json"}, 415)
        try:
            wanted = dict(json.loads(await request.body()))
            answer = await run_in_threadpool(pull, simulator(request), wanted)
        except (ValueError, TypeError, LookupError, EndpointRefusedError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204) if answer is None else JSONResponse(answer)

    return endpoint


def _misbehave(discord: SimulatedDiscord, wanted: dict[str, Any]) -> None:
    """`{route, kind, …}`: set a fault; the rest are the fields of `Fault`."""
    route = str(wanted.pop("route", "*"))
    wanted["fields"] = tuple(wanted.get("fields", ()))
    discord.misbehave(route, Fault(**wanted))


async def behave(request: Request) -> Response:
    """End one fault (`?route=`) or all."""
    simulator(request).behave(request.query_params.get("route"))
    return Response(status_code=204)


def _person(discord: SimulatedDiscord, wanted: dict[str, Any]) -> Mapping[str, Any]:
    """`{username, …}`: make a person; with `id` of one who exists, change them."""
    known = wanted.get("id") in discord.people
    person = (
        discord.change_person(wanted.pop("id"), **wanted) if known else discord.add_person(**wanted)
    )
    return {"id": person.id}


def _guild(discord: SimulatedDiscord, wanted: dict[str, Any]) -> Mapping[str, Any]:
    """`{name, roles, …}`: make a guild; `{delete: id}`: delete one."""
    if "delete" in wanted:
        discord.delete_guild(wanted["delete"])
        return {"id": wanted["delete"]}
    return {"id": discord.add_guild(**wanted).id}


def _member(discord: SimulatedDiscord, wanted: dict[str, Any]) -> Mapping[str, Any]:
    """`{action, person, guild, …}`: the rest is what the method named by `action` takes."""
    action = wanted.pop("action", None)
    if action not in _MEMBER_ACTIONS:
        raise ValueError(f"unknown action {action!r}; one of {sorted(_MEMBER_ACTIONS)}")
    if "roles" in wanted:
        wanted["roles"] = tuple(wanted["roles"])
    act = getattr(discord, action)
    return {"id": act(wanted.pop("person"), wanted.pop("guild"), **wanted).id}


def _deauthorize(discord: SimulatedDiscord, wanted: dict[str, Any]) -> Mapping[str, Any]:
    """`{person, client_id}`; answers whether an event is on its way."""
    delivery = discord.deauthorize(wanted["person"], wanted["client_id"])
    return {"event": delivery is not None}


def _withhold(discord: SimulatedDiscord, wanted: dict[str, Any]) -> None:
    """`{scopes}`: have people untick these."""
    discord.withhold(*wanted["scopes"])


def _events(discord: SimulatedDiscord, wanted: dict[str, Any]) -> None:
    """`{client_id, url}`: send the application's events there, once it has proved itself."""
    if wanted["client_id"] not in discord.applications:
        raise LookupError(f"there is no application {wanted['client_id']!r}")
    discord.send_events(wanted["client_id"], wanted["url"])


async def traffic(request: Request) -> Response:
    """Tell requests by route, answers by route and status, and how many were 429."""
    seen = simulator(request).traffic
    answers: dict[str, dict[str, int]] = {}
    for (route, status), count in sorted(seen.answers.items()):
        answers.setdefault(route, {})[str(status)] = count
    return JSONResponse({"calls": seen.calls, "answers": answers, "limited": seen.limited})


_SWITCHES: Mapping[str, Switch] = {
    "misbehave": _misbehave,
    "people": _person,
    "guilds": _guild,
    "members": _member,
    "deauthorize": _deauthorize,
    "withhold": _withhold,
    "events": _events,
}

ROUTES = [
    *(
        Route(f"/_simulator/{name}", _switch(pull), methods=["POST"])
        for name, pull in _SWITCHES.items()
    ),
    Route("/_simulator/misbehave", behave, methods=["DELETE"]),
    Route("/_simulator/traffic", traffic),
]
