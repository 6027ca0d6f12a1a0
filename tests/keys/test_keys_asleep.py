"""A process that was stopped for a while: whoever asks it first for a signature gets one."""

import asyncio

import pytest
from keys_helpers import POLICY, HandClock, KeyDrawer, MemoryKeyStore, vault

from keys import keyring
from keys.errors import StaleKeyring
from keys.keyring import Keyring
from keys.rotation import Rotation

SLEPT = POLICY.grace + 3600


class Read(MemoryKeyStore):
    """Counts how often it is read; hangs where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.hangs = False

    async def all(self):
        self.reads += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        return await super().all()


class World:
    """A keyring that has its keys, and then sleeps."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Read()
        self.vault = vault(factory=KeyDrawer())
        self.ring = Keyring(self.store, self.vault, POLICY, self.clock)

    async def sleep(self, seconds: float = SLEPT) -> None:
        await self.ring.load()
        self.clock.now += seconds
        self.store.reads = 0

    async def refused(self, many: int = 1) -> None:
        asked = [self.ring.fresh_signer() for _ in range(many)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in told] == [StaleKeyring] * many


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_who_asks_is_served(world):
    """The store is looked at before anybody is refused; what has no time to wait still is."""
    await world.sleep()
    with pytest.raises(StaleKeyring):
        world.ring.signer()
    assert (await world.ring.fresh_signer()).kid == world.ring.signer().kid
    assert world.ring.ready() is None


async def test_all_who_ask_at_once_look_once(world):
    """However many wait, the store is read once for them all; whoever goes away ends nothing."""
    await world.sleep()
    asked = [asyncio.create_task(world.ring.fresh_signer()) for _ in range(20)]
    await asyncio.sleep(0)
    asked.pop(0).cancel()
    assert len({(await one).kid for one in asked}) == 1
    assert world.store.reads == 1


async def test_fresh_keys_are_not_looked_at(world):
    """Nor does anything wait for anything else."""
    await world.sleep(POLICY.grace)
    asking = world.ring.fresh_signer()
    with pytest.raises(StopIteration):
        asking.send(None)
    assert world.store.reads == 0


async def test_what_was_revoked_meanwhile_signs_nothing(world):
    """The first signature after the sleep is by the successor."""
    await world.sleep()
    revoked = world.ring.records()[0].kid
    tool = Rotation(world.store, world.vault, POLICY)
    await tool.revoke(revoked, "lost", world.clock.now)
    assert (await world.ring.fresh_signer()).kid != revoked


async def test_a_store_that_is_away_is_asked_once_an_interval(world):
    """All are refused at once in between, as ever; then it may be back."""
    await world.sleep()
    world.store.down = True
    await world.refused(20)
    await world.refused()
    assert world.store.reads == 1
    world.clock.now += POLICY.poll_interval
    world.store.down = False
    assert await world.ring.fresh_signer()
    assert world.store.reads == 2


async def test_nobody_waits_long_for_a_store_that_hangs(world, monkeypatch):
    """It is given up well within the deadline of a request, and not waited for again."""
    monkeypatch.setattr(keyring, "LOOK", 0.05)
    await world.sleep()
    world.store.hangs = True
    async with asyncio.timeout(10):
        await world.refused(20)
    with pytest.raises(StaleKeyring):
        world.ring.fresh_signer().send(None)
    assert world.store.reads == 1
