"""Endpoints for programs: token, userinfo, revocation."""

from starlette.requests import Request

from broker.web import forms
from broker.web.answers import Answer, empty_answer, json_answer, jwt_answer
from broker.web.edge import Edge


async def token(request: Request, edge: Edge) -> Answer:
    """POST /token (RFC 6749 §3.2)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    return json_answer(await edge.services.token.answer(params, forms.authorization(request)))


async def par(request: Request, edge: Edge) -> Answer:
    """POST /par (RFC 9126 §2)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    answer = await edge.services.pushed.answer(params, forms.authorization(request))
    return json_answer(answer, 201)


async def userinfo(request: Request, edge: Edge) -> Answer:
    """GET or POST /userinfo (OpenID Connect Core §5.3)."""
    token = await forms.bearer(request, edge.config)
    answer = await edge.services.token_info.userinfo(token)
    return jwt_answer(answer) if isinstance(answer, str) else json_answer(answer)


async def revoke(request: Request, edge: Edge) -> Answer:
    """POST /revoke (RFC 7009)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    await edge.services.token_info.revoke(params, forms.authorization(request))
    return empty_answer()
