"""Writing a code: the one atomic step at the end of every sign-in."""

from dataclasses import replace

from broker.core import authentication, facts, subjects
from broker.core.desk import Desk
from broker.core.device import approval
from broker.core.device.model import Device
from broker.core.entry import Admitted
from broker.core.errors import InvalidGrant, InvalidRequestUri
from broker.core.handles import Handle, Kind
from broker.core.model import AuthorizationRequest, Facts
from broker.core.outcomes import Redirect
from broker.core.ports import CodeIssued, CodeRefused, CodeRequest, Refusal
from broker.core.responses import refusal


async def issue(
    desk: Desk,
    request: AuthorizationRequest,
    admitted: Admitted,
    *,
    required_consent: tuple[str, ...] | None,
    anew: bool,
    newer: Facts | None = None,
) -> Redirect | CodeRefused:
    """Write a code in one atomic step; facts missing in Redis are restored from SQL once.

    Args:
        desk: what a sign-in needs at hand.
        request: the proven request.
        admitted: proof that the person may use the client.
        required_consent: the scope that must be agreed to on record, or None.
        anew: whether the person authenticated for this request; max_age is then satisfied.
        newer: facts to put first, or None.

    Raises:
        RequestUnknown: the device that asked does not wait any more.
        AuthorizationRefused: it was pushed, and has led to a code already.
    """
    client, session = admitted.client, admitted.session
    device: Device | None = None
    if request.device is not None:
        found = await approval.waiting(desk, request, session.account_id)
        if isinstance(found, Redirect):
            return found
        device = found
    now, code_id = desk.clock.now(), desk.new_id()
    wanted = CodeRequest(
        account_id=session.account_id,
        sid=session.item_id,
        generation=session.generation,
        code_id=code_id,
        request=approval.kept(request, device)
        if device
        else subjects.for_account(client, request, session.account_id),
        now=now,
        code_lifetime=max(int(device.expires_at - now), 1) if device else desk.lifetimes.code,
        session_idle=desk.lifetimes.session_idle,
        min_auth_time=0.0 if anew else authentication.least(request, now),
        required_consent=required_consent,
        facts=newer,
    )
    result = await desk.sessions.issue_code(wanted)
    if isinstance(result, CodeRefused) and result.reason is Refusal.NO_FACTS:
        try:
            restored = await facts.restore(desk.accounts, desk.states, session.account_id)
        except InvalidGrant:
            return CodeRefused(Refusal.NO_SESSION)
        result = await desk.sessions.issue_code(replace(wanted, facts=restored))
    if isinstance(result, CodeIssued):
        if device is not None:
            return await approval.approve(desk, request, device, session.account_id, code_id)
        await _last(desk, request)
        code = desk.handles.make(Kind.CODE, Handle(session.account_id, code_id))
        return desk.answer(request, client, code)
    return result


async def _last(desk: Desk, request: AuthorizationRequest) -> None:
    """A pushed request leads to one code; of several at once the others are told to nobody."""
    if request.pushed is not None and await desk.requests.finish(request.pushed) is None:
        raise refusal(request, InvalidRequestUri(private="it led to a code meanwhile"))
