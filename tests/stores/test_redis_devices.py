"""Devices that wait for a person: each step of their record, on every kind of server."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from broker.core.device.model import Approval, Device, DeviceState, Poll, place
from broker.core.model import AuthorizationRequest
from broker.core.ports import GrantAlive, GrantRefused, Refusal
from broker.stores.redis import RedisStores
from tests.core.helpers import Hands
from tests.stores.redis_world import ACCOUNT, CLIENT, OTHER, START, World

DEVICE = Device("de" * 16, CLIENT, ("openid", "profile"), ("https://api.example/a",), START + 600)
NAME = "c0" * 16
APPROVAL = Approval(ACCOUNT, "1" * 32, "2" * 32)


@pytest.fixture
async def devices(stores: RedisStores) -> Any:
    """A store with one device that waits."""
    assert await stores.devices.begin(DEVICE, NAME, now=START)
    return stores.devices


async def poll(devices: Any, after: float, client_id: str = CLIENT) -> Poll:
    """What a poll finds so many seconds after the start."""
    found, approval = await devices.poll(DEVICE.device_id, client_id, now=START + after)
    assert (approval is not None) == (found is Poll.APPROVED)
    return found


async def test_a_device_is_found_by_its_code(devices: Any) -> None:
    """What it asked for comes back; other names and other devices lead nowhere."""
    assert await devices.find(("ff" * 16, NAME)) == DEVICE.device_id
    assert await devices.look(DEVICE.device_id) == DEVICE
    assert await devices.find(("ff" * 16,)) is None
    assert await devices.look("ff" * 16) is None


async def test_a_code_that_another_device_shows(devices: Any) -> None:
    """It is refused, the first device keeps it, and nothing is written."""
    other = replace(DEVICE, device_id="ab" * 16)
    assert not await devices.begin(other, NAME, now=START)
    assert await devices.find((NAME,)) == DEVICE.device_id
    assert await devices.look(other.device_id) is None


async def test_what_redis_keeps_ends_by_itself(stores: RedisStores, devices: Any) -> None:
    """The code with its time, the record somewhat later, so that it can tell it has expired."""
    code = await stores.client.ttl(devices._code(NAME))
    record = await stores.client.ttl(devices._device(DEVICE.device_id))
    assert 590 < code <= 600
    assert 1190 < record <= 1200


async def test_a_crash_between_code_and_record(stores: RedisStores, devices: Any) -> None:
    """A code without a record is an unknown one: for who enters it, and for who polls."""
    await stores.client.delete(devices._device(DEVICE.device_id))
    assert await devices.look(DEVICE.device_id) is None
    assert not await devices.decide(DEVICE.device_id, APPROVAL, now=START)
    assert await poll(devices, 1) is Poll.UNKNOWN


async def test_the_pace_of_polls(devices: Any) -> None:
    """Each hasty poll adds 5 seconds, counted from the last poll, hasty or not."""
    assert await poll(devices, 0) is Poll.WAITING
    assert await poll(devices, 4.6) is Poll.WAITING, "networks do not keep time"
    assert await poll(devices, 9.0) is Poll.TOO_FAST
    assert await poll(devices, 18.4) is Poll.TOO_FAST
    assert await poll(devices, 33.4) is Poll.WAITING
    assert await poll(devices, 48) is Poll.WAITING
    assert await poll(devices, 62) is Poll.TOO_FAST


async def test_parallel_polls_of_a_waiting_device(devices: Any) -> None:
    """One of them is in time."""
    found = await asyncio.gather(*(poll(devices, 10) for _ in range(20)))
    assert found.count(Poll.WAITING) == 1
    assert found.count(Poll.TOO_FAST) == 19


async def test_an_approval_is_handed_to_one_poll_at_a_time(devices: Any) -> None:
    """However many poll: one each 5 seconds, until the tokens were made."""
    assert await devices.decide(DEVICE.device_id, APPROVAL, now=START + 1)
    found = await asyncio.gather(*(poll(devices, 10) for _ in range(20)))
    assert found.count(Poll.APPROVED) == 1
    assert await poll(devices, 14) is Poll.TOO_FAST
    answer = await devices.poll(DEVICE.device_id, CLIENT, now=START + 15)
    assert answer == (Poll.APPROVED, APPROVAL)
    await devices.used(DEVICE.device_id)
    assert await poll(devices, 30) is Poll.USED
    assert await poll(devices, 700) is Poll.USED


async def test_a_hasty_device_gets_what_was_decided(devices: Any) -> None:
    """Its pace no longer counts then."""
    for second in range(5):
        await poll(devices, second)
    await devices.decide(DEVICE.device_id, APPROVAL, now=START + 5)
    assert await poll(devices, 5.1) is Poll.APPROVED


async def test_other_clients(devices: Any) -> None:
    """They learn nothing and take nothing, whatever the state."""
    assert await poll(devices, 0, OTHER) is Poll.FOREIGN
    await devices.decide(DEVICE.device_id, APPROVAL, now=START)
    assert await poll(devices, 1, OTHER) is Poll.FOREIGN
    assert await poll(devices, 1) is Poll.APPROVED


async def test_the_first_decision_counts(devices: Any) -> None:
    """Of many at once exactly one; the same account once more is told yes, and changes nothing."""
    people = [Approval(f"{n:032x}", f"{n:032x}", f"{n:032x}") for n in range(10)]
    decide = devices.decide
    found = await asyncio.gather(*(decide(DEVICE.device_id, p, now=START) for p in people))
    assert sum(found) == 1
    winner = people[found.index(True)]
    again = replace(winner, code_id="f" * 32, grant_id="e" * 32)
    assert await decide(DEVICE.device_id, again, now=START)
    assert not await decide(DEVICE.device_id, None, now=START)
    record = await devices.look(DEVICE.device_id)
    assert (record.state, record.approval) == (DeviceState.APPROVED, winner)


async def test_a_denial(devices: Any) -> None:
    """It stays, and nobody allows afterwards."""
    assert await devices.decide(DEVICE.device_id, None, now=START)
    assert await devices.decide(DEVICE.device_id, None, now=START)
    assert not await devices.decide(DEVICE.device_id, APPROVAL, now=START)
    assert await poll(devices, 0) is Poll.DENIED
    assert await poll(devices, 0.1) is Poll.DENIED


async def test_what_was_not_approved_is_not_used(devices: Any) -> None:
    """Only an approval can be used up."""
    await devices.used(DEVICE.device_id)
    await devices.used("ff" * 16)
    assert await poll(devices, 0) is Poll.WAITING


async def test_the_end_is_to_the_second_and_final(devices: Any) -> None:
    """Nothing brings an expired device back: no decision, no clock that steps back."""
    assert await poll(devices, 599.9) is Poll.WAITING
    assert await poll(devices, 600) is Poll.EXPIRED
    assert not await devices.decide(DEVICE.device_id, APPROVAL, now=START + 10)
    assert await poll(devices, 10) is Poll.EXPIRED


async def test_an_approval_ends_with_its_device(devices: Any) -> None:
    """What was not fetched in time is over."""
    await devices.decide(DEVICE.device_id, APPROVAL, now=START)
    assert await poll(devices, 600) is Poll.EXPIRED


# ── the code that an approval makes ────────────────────────────────────────────────────────


async def approved(world: World) -> Approval:
    """Write a code as an approval does."""
    await world.sign_in()
    request = AuthorizationRequest(CLIENT, place(DEVICE.device_id), DEVICE.scope)
    return Approval(ACCOUNT, await world.code(request=request), "9" * 32)


async def redeem(world: World, approval: Approval, **changes: Any) -> GrantAlive | GrantRefused:
    asked: dict[str, Any] = {
        "redirect_uri": place(DEVICE.device_id),
        "code_challenge": None,
        "grant_id": approval.grant_id,
    }
    return await world.redeem(approval.code_id, **asked | changes)


async def test_a_redemption_that_names_its_grant_can_be_repeated(world: World) -> None:
    """The same grant with the same generation, in parallel too; it is never ended by that."""
    approval = await approved(world)
    answers = await asyncio.gather(*(redeem(world, approval) for _ in range(10)))
    grants = {a.grant.grant_id for a in answers if isinstance(a, GrantAlive)}
    assert len(answers) == 10
    assert grants == {approval.grant_id}
    assert all(isinstance(a, GrantAlive) and a.grant.generation == 1 for a in answers)
    assert await world.alive(approval.grant_id)


async def test_not_once_it_was_refreshed(world: World) -> None:
    """Whoever has the tokens has used them: the repetition is refused, and the grant lives on."""
    approval = await approved(world)
    await redeem(world, approval)
    await world.refresh(approval.grant_id)
    assert await redeem(world, approval) == GrantRefused(Refusal.UNKNOWN)
    assert await world.alive(approval.grant_id)


async def test_not_once_it_was_ended(world: World) -> None:
    """A revoked grant does not come back, nor one whose session is over."""
    approval = await approved(world)
    await redeem(world, approval)
    await world.stores.grants.end(ACCOUNT, approval.grant_id, CLIENT)
    assert await redeem(world, approval) == GrantRefused(Refusal.UNKNOWN)


async def test_with_no_more_than_was_granted(world: World) -> None:
    """The repetition is judged like the first: client, place and resources."""
    approval = await approved(world)
    await redeem(world, approval)
    foreign = await redeem(world, approval, client_id=OTHER)
    assert foreign == GrantRefused(Refusal.FOREIGN)
    elsewhere = await redeem(world, approval, redirect_uri="https://app.example/cb")
    assert elsewhere == GrantRefused(Refusal.MISMATCH)
    wider = await redeem(world, approval, resources=("https://api.example/a",))
    assert wider == GrantRefused(Refusal.RESOURCE)
    assert await world.alive(approval.grant_id)


# ── guesses ────────────────────────────────────────────────────────────────────────────────


async def test_guesses_are_counted_before_they_are_judged(stores: RedisStores) -> None:
    """Of many at once no more than five may be judged, whatever becomes of them."""
    guesses = stores.guesses(Hands(START))
    waits = await asyncio.gather(*(guesses.attempt("192.0.2.1", "browser x") for _ in range(30)))
    assert waits.count(0) == 5
    assert all(0 < wait <= 600 for wait in waits if wait)


async def test_guesses_of_an_address(stores: RedisStores) -> None:
    """Ten of one address, whoever they are; another address is not held up by it."""
    guesses = stores.guesses(Hands(START))
    waits = [await guesses.attempt("192.0.2.1", f"browser {n}") for n in range(11)]
    assert waits[:10] == [0] * 10
    assert waits[10] > 0
    assert await guesses.attempt("192.0.2.2", "browser 0") == 0


async def test_right_guesses_are_forgiven(stores: RedisStores) -> None:
    """They count for nothing, and make no room beyond what there was."""
    guesses = stores.guesses(Hands(START))
    for _ in range(20):
        assert await guesses.attempt("192.0.2.1", "browser x") == 0
        await guesses.forgive("192.0.2.1", "browser x")
    await guesses.forgive("192.0.2.1", "browser x")
    waits = [await guesses.attempt("192.0.2.1", "browser x") for _ in range(6)]
    assert waits[:5] == [0] * 5
    assert waits[5] > 0


async def test_counters_end_with_their_window(stores: RedisStores) -> None:
    """Each has an end from its first attempt on, and attempts in vain do not put it off."""
    guesses = stores.guesses(Hands(START))
    for _ in range(7):
        await guesses.attempt("192.0.2.1", "browser x")
    keys = [key async for key in stores.client.scan_iter(match="*{guess:*")]
    ours = [key for key in keys if key.startswith(stores.devices._prefix)]
    assert len(ours) == 2
    for key in ours:
        await stores.client.pexpire(key, 100_000)
    assert 90 < await guesses.attempt("192.0.2.1", "browser x") <= 101
