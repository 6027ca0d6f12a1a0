"""Endpoints for clients that register themselves (RFC 7591, RFC 7592)."""

from starlette.requests import Request

from broker.core.errors import MissingToken
from broker.web import bodies, forms
from broker.web.addresses import asker
from broker.web.answers import Answer, empty_answer, json_answer
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath
from broker.web.services import Registration


async def register(request: Request, edge: Edge) -> Answer:
    """POST /register (RFC 7591 §3)."""
    service = _service(edge)
    bodies.must_be_json(request)
    admission = await service.admit(await _token(request, edge), asker(request, edge.config))
    given = await bodies.json_object(request, edge.config)
    return json_answer(await service.register(given, admission), 201)


async def manage(request: Request, edge: Edge) -> Answer:
    """GET, PUT or DELETE /register/{client_id} (RFC 7592 §2)."""
    service, client_id = _service(edge), request.path_params["client_id"]
    token = await _token(request, edge)
    if request.method == "GET":
        return json_answer(await service.read(client_id, token))
    if request.method == "DELETE":
        await service.remove(client_id, token)
        return empty_answer(204)
    await service.read(client_id, token)  # before what anybody sends is read
    bodies.must_be_json(request)
    given = await bodies.json_object(request, edge.config)
    return json_answer(await service.change(client_id, token, given))


def _service(edge: Edge) -> Registration:
    if edge.services.registration is None:
        raise NoSuchPath
    found: Registration = edge.services.registration
    return found


async def _token(request: Request, edge: Edge) -> str | None:
    try:
        return await forms.bearer(request, edge.config)
    except MissingToken:
        return None
