"""Codes and grants."""

from typing import Final

from broker.core.handles import NOBODY
from broker.core.ports import (
    CodeRedemption,
    CommunityWanted,
    GrantAlive,
    GrantRefused,
    Proof,
    RefreshRequest,
    Refusal,
    Rotation,
)
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

ROTATIONS: Final = {rotation.value: rotation for rotation in Rotation}


class RedisGrants:
    """``broker.core.ports.Grants`` in Redis.

    The facts in its answers hold no consents: those were judged when the code was written. They
    hold identities and community facts only where those are wanted.

    Args:
        steps: runs the scripts.
        names: names the keys.
        index_cap: how many sessions, codes and grants one account may have alive.
    """

    def __init__(self, steps: Steps, names: Names, *, index_cap: int) -> None:
        self._steps = steps
        self._names = names
        self._cap = str(index_cap)
        self._redeem = script("code_redeem")
        self._refresh = script("grant_refresh")
        self._look = script("grant_look")
        self._end = script("grant_end")
        self._end_token = script("token_end")

    async def redeem(self, wanted: CodeRedemption) -> GrantAlive | GrantRefused:
        """Spend a code and make its grant, in one step (RFC 6749 §4.1.3)."""
        base = self._names.account(wanted.account_id)
        answer = await self._steps.run(
            self._redeem,
            (
                base + "facts",
                base + "index",
                f"{base}code:{wanted.code_id}",
                f"{base}grant:{wanted.grant_id}",
            ),
            wanted.code_id,
            wanted.client_id,
            wanted.redirect_uri or "",
            wanted.code_challenge or "",
            wanted.grant_id,
            codec.at(wanted.now),
            str(wanted.grant_lifetime),
            str(wanted.grant_idle),
            self._cap,
            codec.words(wanted.resources),
            *_proof(wanted.proof),
            "1" if wanted.bind else "",
            *codec.wanted_fields(wanted.community),
        )
        if answer[0]:
            reason = Refusal(answer[0])
            return GrantRefused(reason, answer[1] if reason is Refusal.REPLAYED else None)
        _, record, facts, nonce = answer
        return GrantAlive(
            codec.grant(wanted.account_id, wanted.grant_id, record, nonce),
            codec.facts(facts, wanted=wanted.community),
        )

    async def refresh(self, wanted: RefreshRequest) -> GrantAlive | GrantRefused:
        """Spend a generation and name the next, in one step (RFC 9700 §4.14)."""
        base = self._names.account(wanted.account_id)
        answer = await self._steps.run(
            self._refresh,
            (base + "facts", base + "index", f"{base}grant:{wanted.grant_id}"),
            wanted.grant_id,
            wanted.client_id,
            str(wanted.generation),
            codec.words(wanted.scope or ()),
            codec.words(wanted.resources),
            codec.at(wanted.now),
            str(wanted.grace),
            str(wanted.grant_idle),
            _rotates(wanted),
            *_proof(wanted.proof),
            "0" if wanted.offline else "1",
            *_fresh(wanted.community),
        )
        rotation = ROTATIONS.get(answer[0])
        if rotation is None:
            reason = Refusal(answer[0])
            return GrantRefused(reason, wanted.grant_id if reason is Refusal.REUSED else None)
        record = codec.grant(wanted.account_id, wanted.grant_id, answer[1])
        return GrantAlive(record, codec.facts(answer[2], wanted=wanted.community), rotation)

    async def look(
        self,
        account_id: str,
        grant_id: str,
        *,
        now: float,
        unique: int | None = None,
        proof: Proof | None = None,
        community: CommunityWanted | None = None,
        offline: bool = True,
    ) -> GrantAlive | GrantRefused:
        """Return the living grant and its account's facts, in one round trip."""
        base = self._names.account(account_id)
        keys: tuple[str, ...] = (base + "facts", f"{base}grant:{grant_id}")
        if unique is not None:
            keys += (self._names.token(account_id, grant_id, unique),)
        wanted = codec.wanted_fields(community)
        bound = "0" if offline else "1"
        answer = await self._steps.run(
            self._look, keys, codec.at(now), *_proof(proof)[1:], bound, *wanted
        )
        if answer[0]:
            return GrantRefused(Refusal(answer[0]))
        facts = codec.facts(answer[2], wanted=community)
        return GrantAlive(codec.grant(account_id, grant_id, answer[1]), facts)

    async def end(self, account_id: str, grant_id: str, client_id: str) -> bool:
        """End a grant of this client (RFC 7009); False when it is another client's."""
        base = self._names.account(account_id)
        keys = (base + "index", f"{base}grant:{grant_id}")
        answer = await self._steps.end(self._end, keys, grant_id, client_id, self._steps.marks)
        return bool(answer == 1)

    async def end_token(
        self, account_id: str, grant_id: str, unique: int, *, seconds: float
    ) -> None:
        """End one access token that would live so many seconds more (RFC 7009)."""
        key = self._names.token(account_id, grant_id, unique)
        await self._steps.end(self._end_token, (key,), str(max(int(seconds * 1000), 1000)))

    async def tokens_live(self, item_id: str, *uniques: int) -> bool:
        """Return whether none of these tokens without an account was ended, in one round trip."""
        keys = [self._names.token(NOBODY, item_id, unique) for unique in dict.fromkeys(uniques)]
        return not await self._steps.command("EXISTS", *keys)


def _proof(proof: Proof | None) -> tuple[str, str, str]:
    """Return a proof's key, digest and lifetime as steps want them; all empty without one."""
    return ("", "", "") if proof is None else (proof.jkt, proof.digest, str(proof.ttl))


def _fresh(wanted: CommunityWanted | None) -> tuple[str, ...]:
    """Return how old community facts may be, and which; nothing where none are wanted."""
    if wanted is None:
        return ()
    bound = "" if wanted.read_after is None else codec.at(wanted.read_after)
    return (bound, *codec.wanted_fields(wanted))


def _rotates(wanted: RefreshRequest) -> str:
    """Return what the step is told; a token that nothing binds is spent (RFC 9700 §2.2.2)."""
    if wanted.rotate:
        return "1"
    return "2" if wanted.public else "0"
