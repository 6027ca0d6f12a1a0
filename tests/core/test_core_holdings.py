"""What upstreams let us do for a person is given back, as far as that can be done soon."""

import asyncio
from typing import Any, cast

import pytest

from broker.core.account import holdings
from broker.core.account.holdings import Holdings
from tests.pace import stood


class FarSide:
    """An upstream that takes its time."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.asked: list[str] = []
        self.revoked: list[str] = []

    async def revoke(self, token: str) -> None:
        self.asked.append(token)
        await asyncio.sleep(60 if self.hangs else 0.05)
        self.revoked.append(token)


async def give_back(*upstreams: FarSide) -> None:
    await Holdings.give_back([(cast("Any", one), f"token {n}") for n, one in enumerate(upstreams)])


async def test_one_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others have theirs back."""
    monkeypatch.setattr(holdings, "PATIENCE", 0.3)
    well, hanging = FarSide(), FarSide(hangs=True)
    async with asyncio.timeout(10):
        await give_back(hanging, well)
    assert well.revoked == ["token 1"]
    assert hanging.asked == ["token 0"]
    assert hanging.revoked == []


async def test_they_are_given_back_though_the_process_stood_still() -> None:
    """A token that was not would live on upstream."""
    far = FarSide()
    task = asyncio.create_task(give_back(far))
    await asyncio.sleep(0)
    stood(4.0)
    asyncio.get_running_loop().call_soon(stood, 60.0)
    await task
    assert far.revoked == ["token 0"]
