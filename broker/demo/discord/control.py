"""`/_simulator/misbehave`: the switches, for whoever runs in another process."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.demo.discord.faults import Fault
from broker.demo.discord.replies import simulator


async def misbehave(request: Request) -> Response:
    """Set a fault (POST `{route, kind, …}`), or end one or all (DELETE, `?route=`)."""
    discord = simulator(request)
    if request.method == "DELETE":
        discord.behave(request.query_params.get("route"))
        return Response(status_code=204)
    # A page of another origin cannot send this type without being asked for permission first.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": "send application/json"}, 415)
    try:
        wanted = dict(json.loads(await request.body()))
        route = str(wanted.pop("route", "*"))
        wanted["fields"] = tuple(wanted.get("fields", ()))
        discord.misbehave(route, Fault(**wanted))
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return Response(status_code=204)
