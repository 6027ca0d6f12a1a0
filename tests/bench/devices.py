"""Devices that a person has just let in: what a load of last polls draws on."""

import asyncio
import time
from typing import Final

from broker.core.device.model import Approval, Device, place
from broker.core.handles import NOBODY, Handle, Handles, Kind
from broker.core.model import AuthorizationRequest
from broker.core.ports import CodeIssued, CodeRequest
from broker.stores.redis import RedisStores, connect
from tests.bench.crowd import SCOPE, App

LIFETIME: Final = 600
AT_ONCE: Final = 200


class Waiting:
    """Writes devices and the codes of their approvals as the broker does, past its pages.

    Args:
        redis_url: its Redis.
        handles: made of its secret.
        app: whose devices they are.
    """

    def __init__(self, redis_url: str, handles: Handles, app: App) -> None:
        self._redis_url = redis_url
        self._handles = handles
        self._app = app
        self._numbers = iter(range(10**9))

    async def codes(self, cookies: list[str], number: int) -> list[str]:
        """Return so many device codes, approved in the sessions of these cookies in turn."""
        sessions = [self._session(cookie) for cookie in cookies]
        stores = RedisStores(connect(self._redis_url), prefix="tb:")
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(session: Handle) -> str:
            async with turn:
                return await self._approved(stores, session)

        try:
            return await asyncio.gather(*(one(sessions[i % len(sessions)]) for i in range(number)))
        finally:
            await stores.close()

    def _session(self, cookie: str) -> Handle:
        opened = self._handles.open(Kind.SESSION, cookie.partition("=")[2])
        if opened is None:
            raise ValueError("a session cookie that does not open")
        return opened

    async def _approved(self, stores: RedisStores, session: Handle) -> str:
        now, identifier = time.time(), f"{time.time_ns():016x}{next(self._numbers):016x}"
        scope = tuple(SCOPE.split())
        device = Device(identifier, self._app.client_id, scope, (), now + LIFETIME)
        await stores.devices.begin(device, identifier, now=now)
        wanted = CodeRequest(
            account_id=session.account_id,
            sid=session.item_id,
            generation=session.generation,
            code_id=identifier,
            request=AuthorizationRequest(self._app.client_id, place(identifier), scope),
            now=now,
            code_lifetime=LIFETIME,
            session_idle=7 * 86400,
        )
        if not isinstance(await stores.sessions.issue_code(wanted), CodeIssued):
            raise TypeError("no code was written")
        approval = Approval(session.account_id, identifier, identifier)
        await stores.devices.decide(identifier, approval, now=now)
        return self._handles.make(Kind.DEVICE, Handle(NOBODY, identifier, int(now + LIFETIME)))
