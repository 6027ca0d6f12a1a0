"""Identities: one belongs to one account, the last stays, and what is unlinked leaves nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.core.errors import StoreUnavailable
from broker.core.federation import UpstreamAuthorization
from broker.core.identities import Linked, NotLinked, NotUnlinked
from broker.core.model import Facts, Profile
from broker.stores.sql import records
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import (
    ADA,
    BOB,
    NOW,
    another,
    clock,
    migrated_url,
    stores,
)

__all__ = ["another", "clock", "migrated_url", "stores"]

OCTO = Profile(
    upstream="github",
    subject="583231",
    username="octo",
    display_name="Octo",
    email="octo@example.org",
    email_verified=True,
)
BOTH = ("discord", "github")


async def linked(stores: SqlStores) -> tuple[str, Facts]:
    """Ada, who has linked GitHub a moment ago."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    found = await stores.identities.link(ada, OCTO, now=NOW + 1)
    assert isinstance(found, Linked)
    assert found.new
    return ada, found.facts


async def test_a_linked_identity_signs_in_to_the_account(stores: SqlStores) -> None:
    """Both ways lead to one account; the facts, the log and the outbox know at once."""
    ada, facts = await linked(stores)
    assert facts.version == 2
    assert facts.identities == {"discord": ADA.subject, "github": "583231"}
    assert await stores.accounts.facts(ada) == facts
    assert (await stores.accounts.sign_in(OCTO, now=NOW + 2))[0] == ada
    (event,) = await stores.audit.page(AuditFilter(kind="identity.linked"))
    assert (event.event.account_id, event.event.detail) == (ada, {"upstream": "github"})
    (item,) = await stores.outbox.waiting()
    assert item.kind == records.ACCOUNT_CHANGED


async def test_the_profile_stays_that_of_the_first(stores: SqlStores) -> None:
    """Signing in through another identity changes neither name nor address, nor the version."""
    ada, before = await linked(stores)
    assert before.claims["name"] == "Ada"
    _, after = await stores.accounts.sign_in(replace(OCTO, display_name="New"), now=NOW + 2)
    assert after == before
    _, after = await stores.accounts.sign_in(replace(ADA, display_name="Countess"), now=NOW + 3)
    assert after.claims["name"] == "Countess"
    first, second = await stores.identities.of(ada)
    assert (first.upstream, first.leads, first.linked_at) == ("discord", True, NOW)
    assert (second.upstream, second.leads, second.seen_at) == ("github", False, NOW + 2)


async def test_linking_again_is_no_change(stores: SqlStores) -> None:
    """The identity is the account's already: it was only seen once more."""
    ada, before = await linked(stores)
    again = await stores.identities.link(ada, replace(OCTO, username="octo2"), now=NOW + 2)
    assert again == Linked(before, new=False)
    assert [one.username for one in await stores.identities.of(ada)] == ["ada", "octo2"]
    assert len(await stores.audit.page(AuditFilter(kind="identity.linked"))) == 1


async def test_an_identity_of_another_account_is_refused(stores: SqlStores) -> None:
    """Nothing is merged, and both accounts stay as they were; the log knows who has tried."""
    ada, before = await stores.accounts.sign_in(ADA, now=NOW)
    other, others = await stores.accounts.sign_in(OCTO, now=NOW)
    assert await stores.identities.link(ada, OCTO, now=NOW + 1) is NotLinked.TAKEN
    assert await stores.accounts.facts(ada) == before
    assert await stores.accounts.facts(other) == others
    (event,) = await stores.audit.page(AuditFilter(kind="identity.refused"))
    assert event.event.account_id == ada


async def test_one_identity_an_upstream(stores: SqlStores) -> None:
    """An account has one Discord: facts tell of one person there."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    assert await stores.identities.link(ada, BOB, now=NOW) is NotLinked.OCCUPIED
    assert len(await stores.identities.of(ada)) == 1


async def test_an_address_joins_nobody(stores: SqlStores) -> None:
    """A sign-in with the address of another account makes an account of its own."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    other, _ = await stores.accounts.sign_in(replace(OCTO, email=ADA.email), now=NOW)
    assert other != ada


async def test_unlinking_forgets(stores: SqlStores) -> None:
    """The identity is free, what was kept of it is gone, and whoever signs in with it is new."""
    ada, before = await linked(stores)
    token = UpstreamAuthorization("secret", None, ("user",))
    assert await stores.authorizations.keep(ada, "github", token, now=NOW)
    found = await stores.identities.unlink(ada, "github", usable=BOTH, now=NOW + 5)
    assert isinstance(found, Facts)
    assert found.version == before.version + 1
    assert found.identities == {"discord": ADA.subject}
    assert await stores.authorizations.get(ada, "github") is None
    assert (await stores.outbox.waiting())[-1].payload == {
        "account_id": ada,
        "version": found.version,
        "upstream": "github",
        "at": NOW + 5,
    }
    (event,) = await stores.audit.page(AuditFilter(kind="identity.unlinked"))
    assert event.event.detail == {"upstream": "github"}
    assert (await stores.accounts.sign_in(OCTO, now=NOW + 6))[0] != ada


async def test_the_profile_becomes_that_of_the_next(stores: SqlStores) -> None:
    """Nothing that the unlinked upstream told stays behind, the address least of all."""
    ada, _ = await linked(stores)
    found = await stores.identities.unlink(ada, "discord", usable=BOTH, now=NOW + 5)
    assert isinstance(found, Facts)
    assert found.claims == {
        "name": "Octo",
        "preferred_username": "octo",
        "email": "octo@example.org",
        "email_verified": True,
        "updated_at": int(NOW) + 5,
    }
    _, later = await stores.accounts.sign_in(replace(OCTO, display_name="Octavia"), now=NOW + 6)
    assert later.claims["name"] == "Octavia"


async def test_an_address_that_was_never_read_is_not_the_former_ones(stores: SqlStores) -> None:
    """The next identity has told no address: then the account has none."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    unread = replace(OCTO, email=None, email_verified=False, email_read=False)
    await stores.identities.link(ada, unread, now=NOW)
    found = await stores.identities.unlink(ada, "discord", usable=BOTH, now=NOW)
    assert isinstance(found, Facts)
    assert not {"email", "email_verified", "picture", "locale"} & found.claims.keys()


async def test_the_last_one_stays(stores: SqlStores) -> None:
    """Nobody locks themselves out, not even behind an upstream that is not set up any more."""
    ada, before = await linked(stores)
    found = await stores.identities.unlink(ada, "discord", usable=("discord",), now=NOW)
    assert found is NotUnlinked.LAST
    assert isinstance(
        await stores.identities.unlink(ada, "github", usable=("discord",), now=NOW), Facts
    )
    found = await stores.identities.unlink(ada, "discord", usable=BOTH, now=NOW)
    assert found is NotUnlinked.LAST
    found = await stores.identities.unlink(ada, "github", usable=BOTH, now=NOW)
    assert found is NotUnlinked.UNKNOWN
    assert before.identities.keys() == set(BOTH)


async def test_no_such_account(stores: SqlStores) -> None:
    """It says so; nothing is made."""
    with pytest.raises(NotFound):
        await stores.identities.link("0" * 32, OCTO, now=NOW)
    with pytest.raises(NotFound):
        await stores.identities.unlink("0" * 32, "github", usable=BOTH, now=NOW)
    assert await stores.identities.of("0" * 32) == ()


async def test_racing_links_give_an_identity_one_account(
    another: Callable[[], SqlStores],
) -> None:
    """Of two accounts that want one identity, and a first sign-in with it, one has it."""
    one, two, three = another(), another(), another()
    ada, _ = await one.accounts.sign_in(ADA, now=NOW)
    bob, _ = await one.accounts.sign_in(BOB, now=NOW)
    first, second, (third, _) = await asyncio.gather(
        one.identities.link(ada, OCTO, now=NOW),
        two.identities.link(bob, OCTO, now=NOW),
        three.accounts.sign_in(OCTO, now=NOW),
    )
    won = [who for who, answer in ((ada, first), (bob, second)) if isinstance(answer, Linked)]
    assert len(won) <= 1
    owner = won[0] if won else third
    assert third == owner
    assert (await one.accounts.sign_in(OCTO, now=NOW))[0] == owner


async def test_racing_unlinks_leave_one(another: Callable[[], SqlStores]) -> None:
    """Both of two identities at once: one of them stays."""
    one, two = another(), another()
    ada, _ = await linked(one)
    found = await asyncio.gather(
        one.identities.unlink(ada, "discord", usable=BOTH, now=NOW),
        two.identities.unlink(ada, "github", usable=BOTH, now=NOW),
    )
    assert sorted(isinstance(each, Facts) for each in found) == [False, True]
    assert NotUnlinked.LAST in found
    assert len(await one.identities.of(ada)) == 1


async def test_racing_sign_in_and_unlink(another: Callable[[], SqlStores]) -> None:
    """The sign-in comes before or after, or is told to try again; it never ends up nowhere."""
    one, two = another(), another()
    for number in range(5):
        octo = replace(OCTO, subject=str(number + 1))
        ada, _ = await one.accounts.sign_in(replace(ADA, subject=str(number + 1)), now=NOW)
        await one.identities.link(ada, octo, now=NOW)
        signed_in, unlinked = await asyncio.gather(
            one.accounts.sign_in(octo, now=NOW),
            two.identities.unlink(ada, "github", usable=BOTH, now=NOW),
            return_exceptions=True,
        )
        assert isinstance(unlinked, Facts)
        assert isinstance(signed_in, tuple | StoreUnavailable), signed_in
        assert (await one.accounts.sign_in(octo, now=NOW))[0] != ada
