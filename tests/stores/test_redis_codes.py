"""Authorization codes: written for a signed-in person, spent once."""

import asyncio
from dataclasses import replace

import pytest

from broker.core.model import Facts
from broker.core.ports import CodeIssued, CodeRefused, GrantAlive, GrantRefused, Refusal
from tests.stores.redis_world import ACCOUNT, CALLBACK, CHALLENGE, CLIENT, OTHER, World


async def test_a_code_carries_its_request_into_the_grant(world: World) -> None:
    """What was asked for, and when the person signed in, comes back when the code is spent."""
    await world.sign_in(auth_time=world.now - 5)
    answer = await world.redeem(await world.code(scope="openid offline_access"), grant_id="9" * 32)
    assert isinstance(answer, GrantAlive)
    grant = answer.grant
    assert (grant.account_id, grant.grant_id, grant.client_id) == (ACCOUNT, "9" * 32, CLIENT)
    assert (grant.scope, grant.offline) == (("openid", "offline_access"), True)
    assert grant.resources == ("https://api.example/a", "https://api.example/b")
    assert (grant.nonce, grant.auth_time) == ("n-1", world.now - 5)
    assert (grant.created_at, grant.expires_at) == (world.now, world.now + 90 * 86400)
    assert (grant.sid, grant.generation) == (world.session.sid, 1)
    assert (answer.facts.sub, answer.facts.claims["name"]) == ("sub-1", "Zoë")
    members = [member for member, _ in (await world.everything())[world.key("index")]]
    assert not any(member.startswith("c:") for member in members), "a spent code is not alive"


async def test_issuing_answers_session_and_facts(world: World) -> None:
    """The step that writes a code answers what the response needs, with this client's consent."""
    await world.sign_in()
    answer = await world.try_code(required_consent=("openid",))
    assert isinstance(answer, CodeIssued)
    assert answer.session == world.session
    assert answer.facts == replace(world.facts, consents={CLIENT: "openid profile offline_access"})


REFUSED_CODES = [
    ("no such session", {"sid": "0" * 32}, Refusal.NO_SESSION, False),
    ("an older cookie", {"generation": 0}, Refusal.NO_SESSION, False),
    ("max_age", {"min_auth_time": 1_800_000_000.0}, Refusal.STALE_LOGIN, True),
    ("scope not agreed to", {"required_consent": ("openid", "email")}, Refusal.NO_CONSENT, True),
]


@pytest.mark.parametrize(("case", "changes", "reason", "shown"), REFUSED_CODES)
async def test_no_code_is_written(world: World, case, changes, reason, shown) -> None:
    """A refused request for a code says why, shows what is alive, and changes nothing."""
    await world.sign_in()
    before = await world.everything()
    answer = await world.try_code(**changes)
    assert isinstance(answer, CodeRefused)
    assert answer.reason is reason
    assert (answer.session is not None, answer.facts is not None) == (shown, shown)
    assert await world.everything() == before


async def test_no_code_for_a_client_never_agreed_to(world: World) -> None:
    """A consent to one client's scope is none to another's."""
    await world.sign_in()
    request = replace(world.request, client_id="third")
    answer = await world.try_code(request=request, required_consent=("openid",))
    assert isinstance(answer, CodeRefused)
    assert answer.reason is Refusal.NO_CONSENT


async def test_no_code_for_another_subject(world: World) -> None:
    """The person that the id_token_hint names must be the one who is signed in."""
    await world.sign_in()
    answer = await world.try_code(request=replace(world.request, hint_sub="sub-2"))
    assert isinstance(answer, CodeRefused)
    assert (answer.reason, answer.session) == (Refusal.OTHER_SUBJECT, world.session)
    same = await world.try_code(request=replace(world.request, hint_sub="sub-1"))
    assert isinstance(same, CodeIssued)


async def test_no_code_without_facts(world: World) -> None:
    """Missing facts are asked for, and once put the same request succeeds."""
    await world.sign_in()
    await world.stores.client.delete(world.key("facts"))
    answer = await world.try_code()
    assert isinstance(answer, CodeRefused)
    assert (answer.reason, answer.session) == (Refusal.NO_FACTS, world.session)
    assert isinstance(await world.try_code(facts=world.facts), CodeIssued)


async def test_consent_put_with_the_request_counts(world: World) -> None:
    """Newer facts that come along are put first, in the same step."""
    await world.sign_in()
    newer = replace(world.facts, version=2, consents={CLIENT: "openid email"})
    answer = await world.try_code(required_consent=("email",), facts=newer)
    assert isinstance(answer, CodeIssued)
    assert answer.facts.version == 2


async def test_no_code_for_a_disabled_account(world: World) -> None:
    """A disabled account gets no code, even where the session is still there."""
    await world.sign_in()
    await world.stores.accounts.put_facts(ACCOUNT, Facts(2, "sub-1", disabled=True))
    answer = await world.try_code()
    assert isinstance(answer, CodeRefused)
    assert answer.reason is Refusal.DISABLED


REFUSED_REDEMPTIONS = [
    ("another client", {"client_id": OTHER}, Refusal.FOREIGN),
    ("another redirect URI", {"redirect_uri": CALLBACK + "/"}, Refusal.MISMATCH),
    ("no redirect URI", {"redirect_uri": None}, Refusal.MISMATCH),
    ("a wrong verifier", {"code_challenge": CHALLENGE[::-1]}, Refusal.MISMATCH),
    ("no verifier", {"code_challenge": None}, Refusal.MISMATCH),
    ("a resource not granted", {"resources": ("https://api.example/c",)}, Refusal.RESOURCE),
    ("an unknown code", {"code_id": "f" * 32}, Refusal.UNKNOWN),
    ("another account", {"account_id": "ff" * 16}, Refusal.UNKNOWN),
]


@pytest.mark.parametrize(("case", "changes", "reason"), REFUSED_REDEMPTIONS)
async def test_a_failed_redemption_changes_nothing(world: World, case, changes, reason) -> None:
    """A wrong presentation is refused, and the right one still works after it."""
    await world.sign_in()
    code = await world.code()
    before = await world.everything()
    changes = {"code_id": code, **changes}
    assert await world.redeem(**changes) == GrantRefused(reason)
    assert await world.everything() == before
    assert isinstance(await world.redeem(code), GrantAlive)


async def test_a_verifier_without_a_challenge_is_refused(world: World) -> None:
    """A verifier where no challenge was sent is a downgrade (RFC 9700 §4.8.2)."""
    await world.sign_in()
    code = await world.code(request=replace(world.request, code_challenge=None))
    assert await world.redeem(code) == GrantRefused(Refusal.MISMATCH)
    assert isinstance(await world.redeem(code, code_challenge=None), GrantAlive)


async def test_a_narrower_resource_is_allowed(world: World) -> None:
    """Asking for one of two resources is no more than was granted; the grant keeps both."""
    await world.sign_in()
    answer = await world.redeem(await world.code(), resources=("https://api.example/b",))
    assert isinstance(answer, GrantAlive)
    assert len(answer.grant.resources) == 2


async def test_an_expired_code_stays_expired(world: World) -> None:
    """A code ends at its time to the second, and a clock that steps back does not revive it."""
    await world.sign_in()
    early, late = await world.code(), await world.code()
    world.now += 59.999
    assert isinstance(await world.redeem(early), GrantAlive)
    world.now += 0.001
    assert await world.redeem(late) == GrantRefused(Refusal.EXPIRED)
    world.now -= 30
    assert await world.redeem(late) == GrantRefused(Refusal.EXPIRED)


async def test_a_replay_by_its_client_ends_the_grant(world: World) -> None:
    """A code presented again by its client with the right verifier ends its grant (§4.1.2)."""
    await world.sign_in()
    code = await world.code()
    first = await world.redeem(code)
    assert isinstance(first, GrantAlive)
    gid = first.grant.grant_id
    assert await world.redeem(code) == GrantRefused(Refusal.REPLAYED, ended=gid)
    assert await world.look(gid) == GrantRefused(Refusal.UNKNOWN)
    assert await world.refresh(gid) == GrantRefused(Refusal.UNKNOWN)
    assert not any(gid in m for m, _ in (await world.everything())[world.key("index")])


async def test_a_replay_is_told_even_after_the_code_would_have_expired(world: World) -> None:
    """The tombstone outlives the code for a while."""
    await world.sign_in()
    code = await world.code()
    first = await world.redeem(code)
    assert isinstance(first, GrantAlive)
    world.now += 61
    assert await world.redeem(code) == GrantRefused(Refusal.REPLAYED, first.grant.grant_id)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": OTHER}, Refusal.FOREIGN),
        ({"code_challenge": CHALLENGE[::-1]}, Refusal.MISMATCH),
        ({"code_challenge": None}, Refusal.MISMATCH),
        ({"redirect_uri": CALLBACK + "?a"}, Refusal.MISMATCH),
    ],
)
async def test_a_replay_by_others_leaves_the_grant(world: World, changes, reason) -> None:
    """Who cannot prove to be the client cannot end its grant with a stolen code."""
    await world.sign_in()
    code = await world.code()
    first = await world.redeem(code)
    assert isinstance(first, GrantAlive)
    assert await world.redeem(code, **changes) == GrantRefused(reason)
    assert await world.alive(first.grant.grant_id)


async def test_parallel_redemptions_make_one_grant(world: World) -> None:
    """Of many presentations at once exactly one makes a grant; the others end it."""
    await world.sign_in()
    code = await world.code()
    answers = await asyncio.gather(*(world.redeem(code) for _ in range(40)))
    assert sum(isinstance(a, GrantAlive) for a in answers) == 1
    reasons = {a.reason for a in answers if isinstance(a, GrantRefused)}
    assert reasons == {Refusal.REPLAYED}


async def test_a_code_dies_with_its_session(world: World) -> None:
    """After a logout the codes of that session that were not spent yet are worth nothing."""
    await world.sign_in()
    code = await world.code()
    await world.stores.sessions.end(ACCOUNT, world.session.sid, now=world.now)
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    await world.sign_in()
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)


async def test_a_code_needs_its_session_alive(world: World) -> None:
    """A session that reached its end takes its codes along, without being ended by anybody."""
    await world.sign_in(expires_at=world.now + 30)
    code = await world.code()
    world.now += 31
    assert await world.redeem(code) == GrantRefused(Refusal.NO_SESSION)


async def test_a_code_of_a_disabled_account(world: World) -> None:
    """Disabled between code and redemption: refused; without facts: asked for."""
    await world.sign_in()
    code = await world.code()
    await world.stores.client.delete(world.key("facts"))
    assert await world.redeem(code) == GrantRefused(Refusal.NO_FACTS)
    await world.stores.accounts.put_facts(ACCOUNT, Facts(2, "sub-1", disabled=True))
    assert await world.redeem(code) == GrantRefused(Refusal.DISABLED)
    await world.stores.accounts.put_facts(ACCOUNT, Facts(3, "sub-1", not_before=world.now))
    assert await world.redeem(code) == GrantRefused(Refusal.NO_SESSION)
