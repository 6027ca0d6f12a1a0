"""Whether an access token of ours is still alive: its client, its grant, the token itself."""

from broker.core.dpop import used_before
from broker.core.errors import InvalidGrant, InvalidToken
from broker.core.grants import Counter
from broker.core.handles import NOBODY
from broker.core.minted import AccessToken
from broker.core.model import Client
from broker.core.ports import GrantAlive, GrantRefused, Proof, Refusal
from broker.core.signing import audiences

ORIGINAL = 0
"""``unique`` of the token that a client got for itself; those exchanged for it have another."""


async def alive(
    counter: Counter, access: AccessToken, proof: Proof | None = None
) -> GrantAlive | None:
    """Return the grant behind an access token, and its account; None where a client acts alone.

    One Redis round trip: the grant and its account must be alive, and the token not ended by
    itself. A token that was exchanged for another dies with the grant of the first.

    Args:
        counter: what the token endpoint has at hand.
        access: the token, its signature and times judged.
        proof: a DPoP proof that is used up where the token is alive, or None.

    Raises:
        InvalidToken: it is not alive.
        InvalidDpopProof: the proof was used before.
        StoreUnavailable: a store is out of reach.
    """
    await enabled(counter, access.client_id, access.audience)
    if access.account_id == NOBODY:
        if not await counter.grants.tokens_live(access.grant_id, ORIGINAL, access.unique):
            raise InvalidToken(private="the token was ended")
        await counter.proofs.spend(proof)
        return None
    try:
        result = await counter.step(access.account_id, lambda: _look(counter, access, proof))
    except InvalidGrant as error:
        raise InvalidToken(private=error.private) from None
    if isinstance(result, GrantRefused):
        if result.reason is Refusal.PROOF:
            raise used_before()
        raise InvalidToken(private=f"its grant: {result.reason}")
    if result.grant.client_id != access.client_id:
        await enabled(counter, result.grant.client_id)
    return result


async def enabled(counter: Counter, client_id: str, audience: tuple[str, ...] = ()) -> Client:
    """Return the client of a token.

    Raises:
        InvalidToken: it is gone or switched off, or may not have tokens for that audience now.
    """
    client = await counter.clients.find(client_id)
    if client is None or client.disabled:
        raise InvalidToken(private="the client is gone or switched off")
    if not set(audience) <= {*audiences(client, ()), *client.resources}:
        raise InvalidToken(private="aud is none that this client may have")
    return client


async def _look(
    counter: Counter, access: AccessToken, proof: Proof | None
) -> GrantAlive | GrantRefused:
    return await counter.grants.look(
        access.account_id,
        access.grant_id,
        now=counter.clock.now(),
        unique=access.unique,
        proof=proof,
    )
