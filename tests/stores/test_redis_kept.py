"""Refresh tokens that stay as they are, and access tokens that are ended by themselves."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from broker.core.handles import NOBODY
from broker.core.ports import GrantAlive, GrantRefused, Proof, Refusal, Rotation
from tests.stores.redis_world import ACCOUNT, CLIENT, World

KEY = "jkt-of-a-key"


def proof(digest: str) -> Proof:
    return Proof(KEY, digest, 60)


def how(answer: GrantAlive | GrantRefused) -> tuple[Any, int]:
    assert isinstance(answer, GrantAlive), answer
    return answer.rotation, answer.grant.generation


async def test_a_kept_token_stays(world: World) -> None:
    """Rotation off: the same generation again and again, alone and in parallel; use prolongs it."""
    await world.sign_in()
    gid = await world.grant(grant_idle=100)
    for _ in range(3):
        world.now += 90
        answers = await asyncio.gather(
            *(world.refresh(gid, 1, rotate=False, grant_idle=100) for _ in range(4))
        )
        assert {how(answer) for answer in answers} == {(Rotation.KEPT, 1)}
    world.now += 101
    assert await world.refresh(gid, 1, rotate=False) == GrantRefused(Refusal.EXPIRED)


async def test_what_was_spent_before_stays_spent(world: World) -> None:
    """Switching rotation off gives no spent token back; switching it on again spends the kept."""
    await world.sign_in()
    gid = await world.grant()
    assert how(await world.refresh(gid, 1)) == (Rotation.ROTATED, 2)
    assert how(await world.refresh(gid, 2, rotate=False)) == (Rotation.KEPT, 2)
    assert how(await world.refresh(gid, 1, rotate=False)) == (Rotation.REPEATED, 2)
    assert how(await world.refresh(gid, 2)) == (Rotation.ROTATED, 3)
    world.now += 11
    refused = await world.refresh(gid, 1, rotate=False)
    assert refused == GrantRefused(Refusal.REUSED, ended=gid)


async def test_a_public_client_s_token_is_spent_all_the_same(world: World) -> None:
    """RFC 9700 §2.2.2: where nothing binds the grant, whatever the client's registration says."""
    await world.sign_in()
    gid = await world.grant()
    assert how(await world.refresh(gid, 1, rotate=False, public=True)) == (Rotation.ROTATED, 2)
    world.now += 11
    refused = await world.refresh(gid, 1, rotate=False, public=True)
    assert refused == GrantRefused(Refusal.REUSED, ended=gid)


async def test_a_proof_alone_binds_nothing(world: World) -> None:
    """A proof at the refresh is the presenter's: the grant itself has to be bound."""
    await world.sign_in()
    gid = await world.grant()
    answer = await world.refresh(gid, 1, rotate=False, public=True, proof=proof("a"))
    assert how(answer) == (Rotation.ROTATED, 2)


async def test_a_public_client_s_token_may_stay_where_a_key_binds_it(world: World) -> None:
    """And is of no use without that key."""
    await world.sign_in()
    gid = await world.grant(proof=proof("a"), bind=True)
    for digest in ("b", "c"):
        answer = await world.refresh(gid, 1, rotate=False, public=True, proof=proof(digest))
        assert how(answer) == (Rotation.KEPT, 1)
    refused = await world.refresh(gid, 1, rotate=False, public=True)
    assert refused == GrantRefused(Refusal.KEY)


async def test_a_token_is_ended_by_itself(world: World) -> None:
    """The look at its grant sees it in the same step; the grant and its other tokens live on."""
    await world.sign_in()
    gid = await world.grant()
    grants = world.stores.grants
    await grants.end_token(ACCOUNT, gid, 7, seconds=5)
    for _ in range(2):
        looked = await grants.look(ACCOUNT, gid, now=world.now, unique=7)
        assert looked == GrantRefused(Refusal.REVOKED)
    for unique in (None, 0, 8):
        assert isinstance(await grants.look(ACCOUNT, gid, now=world.now, unique=unique), GrantAlive)
    assert await world.alive(gid)
    assert await grants.end(ACCOUNT, gid, CLIENT)
    looked = await grants.look(ACCOUNT, gid, now=world.now, unique=8)
    assert looked == GrantRefused(Refusal.UNKNOWN)


async def test_a_token_without_an_account(world: World) -> None:
    """It is ended in a slot of its own, with all that is asked of in one go."""
    grants = world.stores.grants
    item, other = world.new_id(), world.new_id()
    assert await grants.tokens_live(item, 0, 5)
    await grants.end_token(NOBODY, item, 5, seconds=5)
    assert not await grants.tokens_live(item, 0, 5)
    assert await grants.tokens_live(item, 0)
    assert await grants.tokens_live(other, 0, 5)


@pytest.mark.parametrize(("seconds", "milliseconds"), [(5.4, 5400), (0.2, 1000), (-3, 1000)])
async def test_an_ending_is_kept_as_long_as_the_token(
    world: World, seconds: float, milliseconds: int
) -> None:
    """And no longer: Redis does not fill up with what is over."""
    began = monotonic()
    await world.stores.grants.end_token(ACCOUNT, "ab" * 16, 1, seconds=seconds)
    left = await world.stores.client.pttl(world.key(f"token:{'ab' * 16}:1"))
    passed = (monotonic() - began) * 1000
    assert milliseconds - passed - 10 < max(left, 0) <= milliseconds
