"""Grants and codes that are bound to a key, and proofs that are used once (RFC 9449)."""

import asyncio
from dataclasses import replace

import pytest

from broker.core.ports import GrantAlive, GrantRefused, Proof, Refusal, Rotation
from tests.stores.redis_world import ACCOUNT, OTHER, World

PROOF = Proof("the-key", "digest-1", 180)
THIEF = Proof("another-key", "digest-2", 180)
USED = GrantRefused(Refusal.PROOF)


def proof(number: int) -> Proof:
    """Another proof of the same key."""
    return replace(PROOF, digest=f"number-{number}")


async def test_a_grant_is_bound_to_the_key_of_its_code(world: World) -> None:
    """Where it is to be: then nothing but a proof of that key refreshes it, and nothing ends it."""
    await world.sign_in()
    gid = await world.grant(proof=PROOF, bind=True)
    found = await world.look(gid)
    assert isinstance(found, GrantAlive)
    assert found.grant.dpop_jkt == PROOF.jkt
    before = await world.everything()
    for generation in (0, 1, 2):
        for wrong in (None, THIEF):
            answer = await world.refresh(gid, generation, proof=wrong, grace=0)
            assert answer == GrantRefused(Refusal.KEY)
    assert await world.everything() == before
    assert isinstance(await world.refresh(gid, proof=proof(1)), GrantAlive)


async def test_a_grant_that_is_not_bound(world: World) -> None:
    """A confidential client's is refreshed with any key's proof, or with none."""
    await world.sign_in()
    gid = await world.grant(proof=PROOF)
    for generation, given in enumerate((None, THIEF, proof(1)), 1):
        answer = await world.refresh(gid, generation, proof=given)
        assert isinstance(answer, GrantAlive)
        assert answer.grant.dpop_jkt is None


async def test_a_code_is_bound_to_its_requests_key(world: World) -> None:
    """Another key, or none, does not redeem it, and spends nothing (RFC 9449 §10)."""
    await world.sign_in()
    code = await world.code(request=replace(world.request, dpop_jkt=PROOF.jkt))
    before = await world.everything()
    for wrong in (None, THIEF):
        assert await world.redeem(code, proof=wrong, bind=True) == GrantRefused(Refusal.KEY)
    assert await world.everything() == before
    assert isinstance(await world.redeem(code, proof=PROOF), GrantAlive)


async def test_a_used_proof_is_refused_before_anything_is_spent(world: World) -> None:
    """By a code, a refresh and a look alike; a good proof then finds everything as it was."""
    await world.sign_in()
    gid, code = await world.grant(proof=PROOF), await world.code()
    before = await world.everything()
    assert await world.redeem(code, proof=PROOF) == USED
    for generation in (0, 1, 2):
        assert await world.refresh(gid, generation, proof=PROOF, grace=0) == USED
    look = world.stores.grants.look
    assert await look(ACCOUNT, gid, now=world.now, proof=PROOF) == USED
    assert await world.everything() == before
    assert isinstance(await look(ACCOUNT, gid, now=world.now, proof=proof(1)), GrantAlive)
    assert await look(ACCOUNT, gid, now=world.now, proof=proof(1)) == USED
    assert isinstance(await world.refresh(gid, proof=proof(2)), GrantAlive)
    assert isinstance(await world.redeem(code, proof=proof(3)), GrantAlive)


async def test_a_replayed_request_does_not_end_the_grant(world: World) -> None:
    """Code and proof together, seen on the way: refused for the proof; a new proof tells reuse."""
    await world.sign_in()
    code = await world.code()
    answer = await world.redeem(code, proof=PROOF)
    assert isinstance(answer, GrantAlive)
    gid = answer.grant.grant_id
    assert await world.redeem(code, proof=PROOF) == USED
    assert await world.alive(gid)
    assert await world.redeem(code, proof=proof(1)) == GrantRefused(Refusal.REPLAYED, gid)


REFUSED = [{"scope": ("email",)}, {"client_id": OTHER}, {"resources": ("https://x.example",)}]


@pytest.mark.parametrize("wrong", REFUSED)
async def test_a_refused_step_does_not_use_the_proof_up(world: World, wrong) -> None:
    """Whatever it was refused for, the same proof may come with what is right."""
    await world.sign_in()
    gid = await world.grant()
    before = await world.everything()
    assert isinstance(await world.refresh(gid, proof=PROOF, **wrong), GrantRefused)
    assert await world.everything() == before
    assert isinstance(await world.refresh(gid, proof=PROOF), GrantAlive)


async def test_every_way_of_answering_uses_the_proof_up(world: World) -> None:
    """A refresh that repeats, adopts or keeps is an answer as well."""
    await world.sign_in()
    gid = await world.grant()
    steps = [
        (1, True, Rotation.ROTATED),
        (1, True, Rotation.REPEATED),
        (5, True, Rotation.ADOPTED),
        (6, False, Rotation.KEPT),
    ]
    for number, (generation, rotate, way) in enumerate(steps):
        given = proof(number)
        answer = await world.refresh(gid, generation, proof=given, rotate=rotate)
        assert isinstance(answer, GrantAlive)
        assert answer.rotation is way
        assert await world.refresh(gid, generation, proof=given, rotate=rotate) == USED


async def test_of_parallel_uses_of_one_proof_one_succeeds(world: World) -> None:
    """However many arrive at once."""
    await world.sign_in()
    gid = await world.grant()
    answers = await asyncio.gather(*(world.refresh(gid, proof=PROOF) for _ in range(30)))
    assert sum(isinstance(answer, GrantAlive) for answer in answers) == 1
    assert answers.count(USED) == 29


async def test_without_a_proof_nothing_is_written(world: World) -> None:
    """A client that does not use DPoP leaves no trace of it."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid)
    await world.look(gid)
    assert not any("once:" in key for key in await world.everything())
