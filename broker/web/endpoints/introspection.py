"""The introspection endpoint: for programs that are shown tokens."""

from starlette.requests import Request

from broker.web import forms
from broker.web.answers import Answer, json_answer
from broker.web.edge import Edge


async def introspect(request: Request, edge: Edge) -> Answer:
    """POST /introspect (RFC 7662 §2)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    header = forms.authorization(request)
    return json_answer(await edge.services.introspection.answer(params, header))
