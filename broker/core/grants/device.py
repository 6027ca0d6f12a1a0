"""The device grant: a device that polls (RFC 8628 §3.4, §3.5).

A poll is one round trip; the one that finds an approval takes two more. In this order:

1. *poll* takes the approval: for 5 seconds every other poll is told ``slow_down``;
2. *redeem* spends the code and makes the grant, whose identifier was fixed at the approval;
3. the tokens are made;
4. *used* marks the device, and the answer goes out.

A crash or a lost answer after 1 leaves an approval that the next poll takes again. After 2 or 3,
that poll finds its very grant, not refreshed yet, and gets the same refresh token for it: never a
second grant, and nothing is revoked. After 4 the code is ``invalid_grant`` for everybody. Where 4
itself fails the answer is given nevertheless: the code is spent, a later poll makes no other grant.
"""

from contextlib import suppress
from typing import Any, Final, NoReturn

from broker.core import dpop
from broker.core.device.model import Approval, Devices, Poll, place
from broker.core.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    InvalidRequest,
    InvalidTarget,
    ProtocolError,
    SlowDown,
    StoreUnavailable,
)
from broker.core.grants import Counter
from broker.core.handles import Handle, Kind
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.ports import CodeRedemption, GrantAlive, GrantRefused, Proof, Refusal

_REFUSED: Final[dict[Poll, type[ProtocolError]]] = {
    Poll.WAITING: AuthorizationPending,
    Poll.TOO_FAST: SlowDown,
    Poll.EXPIRED: ExpiredToken,
    Poll.DENIED: AccessDenied,
}


class DeviceGrant:
    """Answers polls; redeems what a person has approved.

    Args:
        counter: what the token endpoint has at hand.
        devices: keeps devices that wait.
    """

    def __init__(self, counter: Counter, devices: Devices) -> None:
        self._counter = counter
        self._devices = devices

    def id_token(self, client: Client) -> bool:
        """Return True: with the scope ``openid`` the answer holds one."""
        del client
        return True

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the first tokens of a grant.

        Raises:
            AuthorizationPending, SlowDown, ExpiredToken, AccessDenied: RFC 8628 §3.5.
            InvalidGrant: the device code is unknown, foreign or used, or what the person had
                allowed is over: signed out, or the account switched off.
            InvalidTarget: a resource that the device did not ask for.
        """
        code = params.one("device_code")
        if code is None:
            raise InvalidRequest("device_code is missing")
        handle = self._counter.handles.open(Kind.DEVICE, code)
        if handle is None:
            raise InvalidGrant(private="not a device code of ours")
        now = self._counter.clock.now()
        found, approval = await self._devices.poll(handle.item_id, client.client_id, now=now)
        if approval is None:
            _refuse(found, handle, now)
        resources = params.many("resource")
        alive = await self._redeem(client, handle.item_id, approval, resources, proof)
        answer = await self._counter.mint.answer(
            client,
            alive.grant,
            await self._counter.told(client, alive.grant.scope, alive),
            scope=alive.grant.scope,
            resources=resources or alive.grant.resources,
            id_token=True,
            proof=proof,
        )
        with suppress(StoreUnavailable):
            await self._devices.used(handle.item_id)
        return answer

    async def _redeem(
        self,
        client: Client,
        device_id: str,
        approval: Approval,
        resources: tuple[str, ...],
        proof: Proof | None,
    ) -> GrantAlive:
        counter = self._counter
        wanted = CodeRedemption(
            account_id=approval.account_id,
            code_id=approval.code_id,
            client_id=client.client_id,
            redirect_uri=place(device_id),
            code_challenge=None,
            resources=resources,
            grant_id=approval.grant_id,
            now=counter.clock.now(),
            grant_lifetime=client.grant_lifetime or counter.lifetimes.grant,
            grant_idle=client.grant_idle or counter.lifetimes.grant_idle,
            proof=proof,
            bind=client.public,
            community=counter.access.wanted(client),
        )
        result = await counter.step(approval.account_id, lambda: counter.grants.redeem(wanted))
        if isinstance(result, GrantRefused):
            if result.reason is Refusal.RESOURCE:
                raise InvalidTarget
            raise dpop.refusal(result.reason, proof) or InvalidGrant(
                private=f"approved device: {result.reason}"
            )
        return result


def _refuse(found: Poll, handle: Handle, now: float) -> NoReturn:
    if found is Poll.UNKNOWN and handle.generation <= now:
        found = Poll.EXPIRED
    if found in _REFUSED:
        raise _REFUSED[found]
    raise InvalidGrant(private=f"device code: {found}")
