"""The endpoint where Discord tells what has happened there."""

from starlette.requests import Request

from broker.core.events import Delivery
from broker.web import forms
from broker.web.answers import JSON, Answer, empty_answer
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath


async def discord(request: Request, edge: Edge) -> Answer:
    """POST /webhooks/discord (Discord's developer documentation, "Webhook Events").

    The body is read as bytes, whatever it says it is: what was signed counts. Discord wants a
    content type of the 204, too, although there is no content.
    """
    if edge.services.events is None:
        raise NoSuchPath
    body = await forms.read_body(request, edge.config)
    signature, timestamp = (
        forms.header(request, name).decode("latin-1")
        for name in (b"x-signature-ed25519", b"x-signature-timestamp")
    )
    await edge.services.events.take(Delivery(signature, timestamp, body))
    return empty_answer(204, (JSON,))
