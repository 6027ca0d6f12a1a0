"""The console's form of apps: all that the command line can set, refused at the field it is of."""

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from broker.admin.client_form import client_fields
from broker.admin.fields import each
from broker.app.loading import load
from broker.core.community.registry import Guild
from broker.core.model import Client
from tests.core.signers import jwks, signs
from tests.protocol.known import BACK, FRONT
from tests.protocol.operating import Desk

LIGHTHOUSE, KEEPER = "613425648685547541", "613425648685547542"
POLICY = {"guilds": [{"id": LIGHTHOUSE, "any_role": [KEEPER]}], "account_age": "30d"}
NOT_ASKED = {"client_id", "secrets", "disabled", "registration_digest"}
KEYS = jwks(signs("RS256"))


async def kept(desk: Desk, client_id: str) -> Client:
    record = await desk.world.sql.clients.get(client_id)
    assert record is not None
    return record.client


async def register(desk: Desk, **fields: Any) -> Client:
    """An app of this test's own."""
    client = replace(BACK, **fields)
    await desk.world.sql.clients.add(client, now=desk.world.clock.at)
    return client


async def test_every_attribute_of_an_app_has_a_field() -> None:
    """What a client is can be said in the console; each field says what it means."""
    fields = list(each(client_fields(load())))
    assert {field.name for field in fields} == set(Client.__slots__) - NOT_ASKED
    assert all(field.help and field.label for field in fields)


async def test_a_form_sent_as_it_came_changes_nothing(desk: Desk) -> None:
    """Whatever is set stays as it is, and there is no event of it."""
    full = await register(
        desk,
        client_id="full",
        guilds=(LIGHTHOUSE,),
        role_mapping={LIGHTHOUSE: {KEEPER: ["admin", "a=b"], "*": ["member"]}},
        policy=POLICY,
        upstreams=("discord",),
        contacts=("ops@back.example",),
        default_max_age=3600,
        jwks=KEYS,
        token_endpoint_auth_signing_alg="RS256",
        software_id="shop",
        translations={"client_name#ko": "뒤", "tos_uri#ko": "https://back.example/?a=1"},
        exchange=("impersonation",),
        grant_types=(*BACK.grant_types, "urn:ietf:params:oauth:grant-type:token-exchange"),
    )
    answer = await desk.send("/clients/full/edit")
    assert "is changed" in answer.text
    assert await kept(desk, "full") == full
    assert await desk.world.audit("client.edited") == []


async def test_communities_are_set_by_name_and_told_in_words(desk: Desk) -> None:
    """A guild by its registered name; the mapping and the policy as JSON, shown as sentences."""
    guild = Guild(LIGHTHOUSE, "The Lighthouse", None, {KEEPER: "Keeper"})
    await desk.world.sql.guilds.add(guild, now=desk.world.clock.at)
    await register(desk, client_id="raids")
    asked = {
        "guilds": "the lighthouse",
        "role_mapping": json.dumps({LIGHTHOUSE: {KEEPER: ["admin"]}}),
        "policy": json.dumps(POLICY),
    }
    looked = await desk.send("/clients/raids/edit", do="look", **asked)
    assert "Nothing was saved yet" in looked.text
    assert (await kept(desk, "raids")).policy is None
    page = await desk.send("/clients/raids/edit", **asked)
    for answer in (looked, page):
        assert "admin: Keeper of The Lighthouse" in answer.text
        assert "Members of The Lighthouse" in answer.text
    client = await kept(desk, "raids")
    assert (client.guilds, client.policy) == ((LIGHTHOUSE,), POLICY)


async def test_keys_are_pasted_or_come_in_a_file(desk: Desk) -> None:
    """One JWK is a set of one; the file takes the place of the text."""
    await register(desk, client_id="signs")
    text = json.dumps(KEYS["keys"][0])
    fields = {"auth_method": "private_key_jwt", "jwks": text}
    answer = await desk.send("/clients/signs/edit", **fields)
    assert (await kept(desk, "signs")).jwks == KEYS, answer.text
    assert (await kept(desk, "signs")).secrets == ()
    other = jwks(signs("ES256"))
    files = {"jwks-file": ("keys.json", json.dumps(other), "application/json")}
    await desk.send("/clients/signs/edit", files=files)
    assert (await kept(desk, "signs")).jwks == other


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("policy", "{", "it is no JSON"),
        ("policy", '{"guild": []}', "did you mean guilds?"),
        ("role_mapping", '{"613425648685547541": {"*": ["x"]}}', "is not registered for this"),
        ("guilds", "Nowhere", "neither an id nor a name"),
        ("jwks", "[", "is no JWK Set in JSON"),
        ("jwks", '{"keys": [{"kty": "RSA", "d": "x"}]}', "private"),
        ("jwks_uri", "https://127.0.0.1/jwks", "not"),
        ("id_token_signed_response_alg", "none", "choose one"),
        ("default_max_age", "soon", "write seconds"),
        ("require_signed_request_object", "yes", "the keys it signs with are needed"),
        ("exchange", "impersonation", "is for clients with the grant type of token exchange"),
        ("sector_identifier_uri", "http://back.example/", "https"),
        ("brand_accent", "#ffcc00", "take a darker one, such as #"),
        ("translations", "client_name#ko", "is not of the form client_name#ko = TEXT"),
        ("translations", "logo_uri#ko = http://back.example/", "logo_uri#ko: must be an https"),
        ("brand_accent", "gold", "must be a colour such as #4752c4"),
    ],
)
async def test_what_may_not_be_is_refused_at_its_field(
    desk: Desk, field: str, value: str, reason: str
) -> None:
    """Nothing is changed, and nothing typed is lost."""
    before = await kept(desk, "back")
    answer = await desk.send("/clients/back/edit", **{field: value})
    named = "jwks" if field == "require_signed_request_object" else field
    at_field = answer.text.split(f'id="{named}-help"')[1].split("</div>\n</div>")[0]
    assert reason in at_field.replace("&#39;", "'")
    assert await kept(desk, "back") == before


async def test_an_algorithm_that_nothing_signs_with_yet_is_refused(desk: Desk) -> None:
    """As by the command line, with the reason; so is switching on an app that is set to one."""
    admin = desk.world.broker
    client = await register(desk, client_id="early", id_token_signed_response_alg="ES256")
    assert client.id_token_signed_response_alg not in {
        one.alg for one in await admin.stores.keys.all()
    }
    await desk.send("/clients/early", "/clients/early/switch", to="off")
    answer = await desk.send("/clients/early", "/clients/early/switch", to="on")
    assert "there is no key of ES256 yet" in answer.text
    assert (await kept(desk, "early")).disabled


async def test_an_app_is_removed_when_its_identifier_is_typed(desk: Desk) -> None:
    """For good, with an event that names the operator."""
    await register(desk, client_id="gone")
    answer = await desk.send("/clients/gone", "/clients/gone/remove", confirm="gon")
    assert "Nothing was removed" in answer.text
    answer = await desk.send("/clients/gone", "/clients/gone/remove", confirm="gone")
    assert "is removed" in answer.text
    assert await desk.world.sql.clients.get("gone") is None
    (entry,) = await desk.world.audit("client.removed")
    assert entry.event.detail == {"operator": desk.account}


async def test_a_public_app_without_origins_gets_those_it_returns_to(desk: Desk) -> None:
    """As by the command line."""
    fields = {"client_id": "spa", "name": "Spa", "auth_method": "none"}
    answer = await desk.send(
        "/clients/new", redirect_uris=FRONT.redirect_uris[0].replace("front", "spa"), **fields
    )
    assert "is registered" in answer.text
    assert (await kept(desk, "spa")).origins == ("https://spa.example",)


async def test_what_is_as_usual_is_folded(desk: Desk) -> None:
    """A section is open where every app says something, something is set, or is wrong."""
    await register(desk, client_id="plain", client_uri=None)
    await register(desk, client_id="odd", client_uri=None, grant_idle=86400, brand_accent="#4752c4")
    always = ["What it is", "How it proves who it is", "Where it is", "What it may do"]
    assert unfolded((await desk.get("/clients/new")).text) == always
    assert unfolded((await desk.get("/clients/plain/edit")).text) == always
    odd = (await desk.get("/clients/odd/edit")).text
    assert unfolded(odd) == [*always, "How long", "What people see"]
    wrong = await desk.send("/clients/plain/edit", userinfo_signed_response_alg="none")
    assert unfolded(wrong.text) == [*always, "Its tokens"]


def unfolded(page: str) -> list[str]:
    """The titles of the sections that are open; each is one that the list of them leads to."""
    sections = re.findall(r'<details class="section" id="(.+?)"( open)?>.*?">(.+?)</span>', page)
    assert [key for key, *_ in sections] == re.findall(r'<a href="#(section-\d+)">', page)
    return [html.unescape(title) for _, is_open, title in sections if is_open]
