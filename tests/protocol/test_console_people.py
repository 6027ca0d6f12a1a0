"""People in the console: one session, one grant of theirs; and the log to take away."""

import csv
import io
import json
import re

from broker.admin.views.moments import stamp
from broker.core.federation import UpstreamAuthorization
from broker.core.model import AuditEvent
from broker.demo.discord import Fault
from tests.protocol.actors import App
from tests.protocol.known import BEN, FRONT, THIRD
from tests.protocol.operating import Desk


async def somebody(desk: Desk) -> tuple[str, App, dict[str, str]]:
    """Ben, signed in to an app; returns his account, the app and its tokens."""
    app = desk.world.app(FRONT)
    tokens = await desk.world.browser().tokens(app, BEN)
    return await desk.world.account_of(BEN), app, tokens


async def test_one_session_is_ended(desk: Desk) -> None:
    """Its grants with it, the person's other session not; the log says who did it."""
    account, app, tokens = await somebody(desk)
    other = desk.world.app(FRONT)
    kept = await desk.world.browser().tokens(other, BEN)
    page = f"/accounts/{account}"
    shown = await desk.form(page, f"{page}/end-session")
    look = desk.world.broker.stores.redis.accounts
    _, grants = await look.living(account, now=desk.world.clock.at)
    first = next(one for one in grants if one.sid == shown["sid"][0])
    answer = await desk.send(page, f"{page}/end-session")
    assert "The session has ended, and 1 grant with it" in answer.text
    left, alive = await look.living(account, now=desk.world.clock.at)
    assert (len(left), len(alive)) == (1, 1)
    assert alive[0].grant_id != first.grant_id
    refreshed = [(await a.refresh(t["refresh_token"])).status_code for a, t in
                 ((app, tokens), (other, kept))]  # fmt: skip
    assert sorted(refreshed) == [200, 400]
    (entry,) = await desk.world.audit("sign_out")
    assert entry.event.detail == {"grants_ended": 1, "operator": desk.account}
    assert (entry.event.actor, entry.event.account_id) == ("operator", account)
    again = await desk.send(page, f"{page}/end-session", sid=shown["sid"][0])
    assert "has ended already" in again.text


async def test_one_grant_is_ended(desk: Desk) -> None:
    """Nothing of it refreshes; the session goes on."""
    account, app, tokens = await somebody(desk)
    page = f"/accounts/{account}"
    answer = await desk.send(page, f"{page}/end-grant")
    assert "The grant has ended" in answer.text
    assert (await app.refresh(tokens["refresh_token"])).status_code == 400
    sessions, grants = await desk.world.broker.stores.redis.accounts.living(
        account, now=desk.world.clock.at
    )
    assert (len(sessions), grants) == (1, ())
    (entry,) = await desk.world.audit("grant.ended")
    assert (entry.event.account_id, entry.event.client_id) == (account, "front")
    assert entry.event.detail["operator"] == desk.account


async def test_the_log_is_taken_away_as_it_is_filtered(desk: Desk) -> None:
    """JSON lines and CSV hold the same; what a spreadsheet would reckon with is text."""
    account, *_ = await somebody(desk)
    event = AuditEvent("test.odd", desk.world.clock.at, "=cmd()", account, "front", {"a": "é"})
    await desk.world.sql.audit.record(event)
    query = {"account": account, "kind": "test."}
    lines = await desk.get("/audit/export", **query)
    (found,) = [json.loads(line) for line in lines.text.splitlines()]
    assert found["kind"] == "test.odd"
    assert found["detail"] == {"a": "é"}
    assert 'filename="audit.jsonl"' in lines.headers["content-disposition"]
    assert lines.headers["cache-control"] == "no-store"
    sheet = await desk.get("/audit/export", **query, **{"as": "csv"})
    assert sheet.headers["content-type"].startswith("text/csv")
    head, row = csv.reader(io.StringIO(sheet.text))
    told = dict(zip(head, row, strict=True))
    assert told["actor"] == "'=cmd()"
    assert (told["at"], told["account_id"]) == (found["at"], account)
    assert json.loads(told["detail"]) == found["detail"]
    every = await desk.get("/audit/export")
    assert len(every.text.splitlines()) > 1


async def test_an_apps_access_is_withdrawn(desk: Desk) -> None:
    """What was agreed to and all that stood on it, for this app alone."""
    account, app, tokens = await somebody(desk)
    third = desk.world.app(THIRD)
    others = await desk.world.browser().tokens(third, BEN)
    page = f"/accounts/{account}"
    answer = await desk.send(page, f"{page}/withdraw", client="third")
    assert "The access of third is withdrawn. 1 grant was alive" in answer.text
    assert (await desk.world.sql.accounts.get(account)).consents == {}
    assert (await third.refresh(others["refresh_token"])).status_code == 400
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    (entry,) = await desk.world.audit("consent.withdrawn")
    assert (entry.event.actor, entry.event.client_id) == ("operator", "third")
    assert entry.event.detail["operator"] == desk.account


async def test_an_account_is_deleted_and_kept_after_all(desk: Desk) -> None:
    """Off at once; kept in its grace; never one's own."""
    account, app, tokens = await somebody(desk)
    page = f"/accounts/{account}"
    answer = await desk.send(page, f"{page}/delete")
    assert "1 grant was alive, and ended" in answer.text
    assert (await app.refresh(tokens["refresh_token"])).status_code == 400
    record = await desk.world.sql.accounts.get(account)
    assert record.delete_at is not None
    assert "as an operator wants" in answer.text
    answer = await desk.send(page, f"{page}/keep")
    assert f"{record.name} stays." in answer.text
    assert (await desk.world.sql.accounts.get(account)).delete_at is None
    for kind in ("account.leaving", "account.kept"):
        (entry,) = await desk.world.audit(kind)
        assert entry.event.detail["operator"] == desk.account
    own = f"/accounts/{desk.account}"
    assert "Not your own account" in (await desk.send(own, f"{own}/delete")).text


async def test_accounts_are_listed_by_how_they_stand(desk: Desk) -> None:
    """By state, with a search or without; bans are among those that are off."""
    account, *_ = await somebody(desk)
    sql, now = desk.world.sql, desk.world.clock.at
    record, own = await sql.accounts.get(account), await sql.accounts.get(desk.account)
    await sql.accounts.disable(account, "spam", now)

    async def listed(**asked: str) -> set[str]:
        text = (await desk.get("/accounts", **asked)).text
        return {one.name for one in (record, own) if f">{one.name}</a>" in text}

    assert await listed() == await listed(state="") == {record.name, own.name}
    assert await listed(state="active") == {own.name}
    assert await listed(state="disabled") == {record.name}
    assert await listed(state="disabled", q=own.username) == set()
    assert await listed(state="nonsense") == {record.name, own.name}
    page = (await desk.get("/accounts", state="leaving")).text
    assert '<option value="leaving" selected>' in page
    assert "Nobody fits." in page
    await sql.own.leave(account, now=now, grace=0, actor="operator")
    assert "Lift" in (await desk.get("/accounts", state="disabled")).text
    assert "Lift" not in (await desk.get("/accounts", state="active")).text


async def test_what_discord_lets_us_do_ends_with_the_account(desk: Desk) -> None:
    """Forgotten here and revoked there; where Discord fails, the account goes all the same."""
    world, held = desk.world, UpstreamAuthorization("access-x", "refresh-x", ("identify",))
    kept, revoked = world.sql.authorizations, "/oauth2/token/revoke"
    for fault in (None, Fault("status", status=503)):
        account, _, _ = await somebody(desk)
        assert await kept.keep(account, "discord", held, now=world.clock.at)
        before = world.discord.calls[revoked]
        if fault:
            world.discord.misbehave(revoked, fault)
        page = f"/accounts/{account}"
        assert "1 grant was alive" in (await desk.send(page, f"{page}/delete")).text
        assert world.discord.calls[revoked] == before + 1
        assert await kept.get(account, "discord") is None
        await world.sql.own.leave(account, now=world.clock.at, grace=0, actor="operator")


async def test_a_ban_that_outlived_its_account_is_lifted(desk: Desk) -> None:
    """It is shown by Discord id, with its reason; afterwards its person may sign in again."""
    account, app, _ = await somebody(desk)
    sql, now = desk.world.sql, desk.world.clock.at
    discord_id = (await sql.accounts.get(account)).identities[0].subject
    await sql.accounts.disable(account, "spam", now)
    await sql.own.leave(account, now=now, grace=0, actor="operator")
    browser = desk.world.browser()
    assert "This account cannot sign in" in (await browser.arrive(app, BEN)).text
    page = await desk.get("/accounts", q=discord_id)
    assert all(word in page.text for word in ("Nobody fits", discord_id, "spam", "Lift"))
    answer = await desk.send("/accounts", "/accounts/lift")
    assert "The ban is lifted" in answer.text
    assert "Lift" not in answer.text
    (entry,) = await desk.world.audit("ban.lifted")
    assert (entry.event.account_id, entry.event.detail) == (account, {"operator": desk.account})
    await browser.tokens(app, BEN)


async def test_the_audit_log_of_one_account(desk: Desk) -> None:
    """By what an operator has of somebody: Discord id, username, identifier; of nobody nothing."""
    account, *_ = await somebody(desk)
    record = await desk.world.sql.accounts.get(account)
    for who in (record.identities[0].subject, record.username, account):
        shown = (await desk.get("/audit", account=who)).text.partition("<tbody>")[2]
        assert f">{record.name}</a>" in shown
        assert ">Ada Lindqvist</a>" not in shown
    assert "/admin/accounts/" not in (await desk.get("/audit", account="nobody")).text
    gone = AuditEvent("account.deleted", desk.world.clock.at, "system", "f" * 32)
    await desk.world.sql.audit.record(gone)
    assert "ffffffff…</a>" in (await desk.get("/audit", account="f" * 32)).text


async def test_events_name_people_apps_and_moments(desk: Desk) -> None:
    """Nobody is a number who has a name; whoever is gone keeps the beginning of theirs."""
    account, *_ = await somebody(desk)
    page = f"/accounts/{account}"
    await desk.send(page, f"{page}/delete")
    gone = AuditEvent("account.deleted", desk.world.clock.at, "system", "f" * 32, "forgotten")
    await desk.world.sql.audit.record(gone)
    record = await desk.world.sql.accounts.get(account)
    shown = (await desk.get("/audit")).text
    assert f'<a href="/admin/accounts/{account}">{record.name}</a>' in shown
    assert '<a href="/admin/clients/front">Front</a>' in shown
    assert '<a href="/admin/audit?kind=account.leaving">account leaving</a>' in shown
    assert f"at:</span> {stamp(record.delete_at)}" in shown
    assert "operator:</span> Ada Lindqvist" in shown
    assert "ffffffff…</a>" in shown
    assert ">forgotten</a>" in shown


async def test_a_session_is_told_by_its_browser_and_place(desk: Desk) -> None:
    """In words; the header as it came stands behind them."""
    account, *_ = await somebody(desk)
    shown = (await desk.get(f"/accounts/{account}")).text
    assert 'data-label="Through">Discord<' in shown
    assert re.search(r'data-label="Signed in">(not seen|now|\d\d? s ago)<', shown)
    assert re.search(r'data-label="Browser" title="python-httpx2?/[^"]*">python-httpx', shown)


async def test_the_log_is_told_in_words(desk: Desk) -> None:
    """A deletion under a ban: no value as a program writes it."""
    at = desk.world.clock.at
    detail = {"banned": True, "operator": desk.account}
    await desk.world.sql.audit.record(AuditEvent("account.deleted", at, "operator", detail=detail))
    shown = (await desk.get("/audit")).text
    assert "the ban:</span> outlives the account" in shown
    assert "True" not in shown
