"""Endpoints for programs: token, userinfo, revocation."""

from starlette.requests import Request

from broker.web import forms
from broker.web.answers import Answer, Header, empty_answer, json_answer, jwt_answer
from broker.web.edge import Edge


async def token(request: Request, edge: Edge) -> Answer:
    """POST /token (RFC 6749 §3.2)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    dpop = forms.dpop(request)
    answer = await edge.services.token.answer(params, forms.authorization(request), dpop)
    return json_answer(answer, 200, next_nonce(dpop, edge))


async def par(request: Request, edge: Edge) -> Answer:
    """POST /par (RFC 9126 §2)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    dpop = forms.dpop(request)
    answer = await edge.services.pushed.answer(params, forms.authorization(request), dpop)
    return json_answer(answer, 201, next_nonce(dpop, edge))


async def userinfo(request: Request, edge: Edge) -> Answer:
    """GET or POST /userinfo (OpenID Connect Core §5.3)."""
    shown = await forms.access_token(request, edge.config)
    answer = await edge.services.token_info.userinfo(shown)
    nonce = next_nonce(shown.proof, edge)
    return jwt_answer(answer, nonce) if isinstance(answer, str) else json_answer(answer, 200, nonce)


def next_nonce(proof: str | None, edge: Edge) -> list[Header]:
    """Return the header with the nonce for the next proof, where one is wanted (RFC 9449 §8.2)."""
    nonce = edge.services.dpop_nonce() if proof is not None else None
    return [] if nonce is None else [(b"dpop-nonce", nonce.encode("ascii"))]


async def revoke(request: Request, edge: Edge) -> Answer:
    """POST /revoke (RFC 7009)."""
    forms.refuse_secrets_in_url(request, edge.config)
    params = await forms.form(request, edge.config)
    await edge.services.token_info.revoke(params, forms.authorization(request))
    return empty_answer()
