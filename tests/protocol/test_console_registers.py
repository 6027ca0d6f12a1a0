"""APIs, guilds, policies and operators in the console: as by the commands, with who did it."""

from typing import Any

import pytest

from broker.core.operators import Passkey, new_code
from tests.core.helpers import Counted
from tests.protocol.known import BEN, FRONT
from tests.protocol.operating import Desk, Sheets

LIGHTHOUSE, KEEPER = "613425648685547541", "613425648685547542"
STOCK = "https://stock.example/v1?a=b&c"


async def done(desk: Desk, kind: str) -> list[dict[str, Any]]:
    return [dict(entry.event.detail) for entry in await desk.world.audit(kind)]


async def test_an_api_is_registered_edited_and_removed(desk: Desk) -> None:
    """Whatever its identifier is; each step is in the log with the operator."""
    answer = await desk.send("/apis/new", identifier=STOCK, scopes="stock.read stock.write",
                             introspected_by="back", access_token_lifetime="2m")  # fmt: skip
    assert "is registered" in answer.text
    record = await desk.world.sql.apis.get(STOCK)
    assert record is not None
    api = record.api
    assert (api.name, api.scopes) == (STOCK, ("stock.read", "stock.write"))
    assert (api.introspected_by, api.access_token_lifetime) == (("back",), 120)
    page = await desk.get("/apis")
    assert STOCK.replace("&", "&amp;") in page.text
    one = "/apis/one?id=" + STOCK.replace("?", "%3F").replace("&", "%26")
    answer = await desk.send(one, name="Stock", scopes="stock.read")
    assert "Stock is changed" in answer.text
    answer = await desk.send(one, "/apis/remove")
    assert "Stock is removed" in answer.text
    assert await desk.world.sql.apis.list() == ()
    by = {"api": STOCK, "operator": desk.account}
    assert await done(desk, "api.added") == await done(desk, "api.removed") == [by]
    assert await done(desk, "api.edited") == [by | {"fields": ["name", "scopes"]}]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("identifier", "not an address", "no address may hold"),
        ("scopes", "openid", "own; no API can have it"),
        ("access_token_lifetime", "1s", "between 30s"),
        ("access_token_lifetime", "soon", "write seconds"),
        ("introspected_by", "nobody", "nobody is registered nowhere here"),
        ("introspected_by", "front", "front is public"),
        ("access_token_signed_response_alg", "none", "choose one"),
    ],
)
async def test_what_an_api_may_not_be_is_said_at_its_field(
    desk: Desk, field: str, value: str, reason: str
) -> None:
    """And nothing is registered."""
    answer = await desk.send("/apis/new", **{"identifier": "https://a.example", field: value})
    hint = answer.text.split(f'id="{field}-help"')[1].split("</div>\n</div>")[0]
    assert reason in hint.replace("&#39;", "'")
    assert await desk.world.sql.apis.list() == ()


async def test_a_guild_is_named_and_its_names_are_changed(desk: Desk) -> None:
    """Roles stand a line each; a slip is said at the field; who is named by it is told."""
    answer = await desk.send(
        "/guilds/new", guild_id="12", name="Nowhere", roles="Keeper", invite="http://x.example"
    )
    assert "Keeper is not of the form ID = NAME" in answer.text
    fields = {"guild_id": LIGHTHOUSE, "name": "The Lighthouse"}
    answer = await desk.send("/guilds/new", invite="http://x.example", **fields)
    assert "must be an https address" in answer.text
    answer = await desk.send("/guilds/new", roles=f"{KEEPER} = Keeper", **fields)
    assert "The Lighthouse is registered" in answer.text
    record = await desk.world.sql.guilds.get(LIGHTHOUSE)
    assert record is not None
    assert record.guild.roles == {KEEPER: "Keeper"}
    await desk.world.new_app(FRONT, policy={"guilds": [{"id": LIGHTHOUSE}]})
    one = f"/guilds/one?id={LIGHTHOUSE}"
    assert "new-" in (await desk.get(one)).text
    answer = await desk.send(one, name="The Tower")
    assert "The Tower is changed" in answer.text
    assert await done(desk, "guild.edited") == [
        {"guild": LIGHTHOUSE, "fields": ["name"], "operator": desk.account}
    ]
    answer = await desk.send(one, version="1", name="Too late")
    assert "changed it meanwhile" in answer.text
    await desk.send(one, "/guilds/remove")
    assert await desk.world.sql.guilds.list() == ()


async def test_policies_are_told_and_explained_for_a_person(desk: Desk) -> None:
    """In words; for one person and one app rule by rule, with what the person is told."""
    app = await desk.world.new_app(FRONT, name="Raids", policy={"guilds": [{"id": LIGHTHOUSE}]})
    assert f"Members of the guild {LIGHTHOUSE}" in (await desk.get("/policies")).text
    client_id = app.client.client_id
    found = await desk.get("/policies/check", who="ada.lindqvist", client=client_id)
    assert "may not use Raids" in found.text
    assert "What the person is told" in found.text
    assert f"their member record in the guild {LIGHTHOUSE}" in found.text
    found = await desk.get("/policies/check", who="ada.lindqvist", client="front")
    assert "may use Front" in found.text
    found = await desk.get("/policies/check", who="nobody", client="front")
    assert "Nobody here is called so." in found.text


async def enrolled(desk: Desk) -> tuple[str, Passkey]:
    """Another operator, with a passkey."""
    world, now = desk.world, desk.world.clock.at
    await world.browser().tokens(world.app(FRONT), BEN)
    account, code = await world.account_of(BEN), new_code(Counted(b"ben"))
    await world.sql.operators.grant(account, code, until=now + 60, now=now)
    passkey = Passkey(b"ben's", account, b"key", 0, "Phone", now)
    assert await world.sql.operators.enrol(passkey, code, now=now)
    return account, passkey


async def test_a_passkey_of_another_is_taken_away(desk: Desk) -> None:
    """It is in the log who did it; one's own, by which one came in, stays."""
    account, passkey = await enrolled(desk)
    page = await desk.get("/operators")
    sheets = [one for one in Sheets(page.text).found if one.action.endswith("passkey/remove")]
    (fields,) = [one.fields for one in sheets]
    assert fields["passkey"] == [passkey.credential_id.hex()]
    answer = await desk.send("/operators", "/operators/passkey/remove")
    assert "The passkey Phone is removed" in answer.text
    operator = await desk.world.sql.operators.get(account)
    assert operator is not None
    assert operator.passkeys == ()
    assert await done(desk, "operator.passkey_removed") == [
        {"passkey": "Phone", "operator": desk.account}
    ]
    form = await desk.form("/operators", "/operators/revoke")
    own = {"csrftoken": form["csrftoken"], "account": desk.account}
    own["passkey"] = b"operator's passkey".hex()
    headers = {"origin": "https://127.0.0.1:8443"}
    for path in ("passkey/remove", "revoke"):
        answer = await desk.http.post(
            f"/admin/operators/{path}", data=own, headers=headers, follow_redirects=True
        )
        assert "Not " in answer.text
    assert await desk.world.sql.operators.get(desk.account) is not None


async def test_the_role_is_taken_from_another(desk: Desk) -> None:
    """With every passkey."""
    account, _ = await enrolled(desk)
    answer = await desk.send("/operators", "/operators/revoke", account=account)
    assert "is no operator any more" in answer.text
    assert await desk.world.sql.operators.get(account) is None
    assert await done(desk, "operator.revoked") == [{"operator": desk.account}]
