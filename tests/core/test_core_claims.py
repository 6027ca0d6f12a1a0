"""The claims parameter: what is kept of it, and what is refused (OpenID Connect Core §5.5)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.claims import ClaimsRequest, agreed_scope, named, read
from broker.core.errors import InvalidRequest, UnmetAuthenticationRequirements
from broker.core.model import Client

CLIENT = Client("app", "App")
NO_EMAIL = replace(CLIENT, scopes=("openid", "profile"))


def asked(client: Client = CLIENT, **places: Any) -> ClaimsRequest:
    """Read a claims request."""
    return read(json.dumps(places), None, client)


def test_what_is_known_is_kept() -> None:
    """By place; how strongly it is wanted changes nothing."""
    found = asked(
        id_token={"email": None, "auth_time": None, "unheard_of": None},
        userinfo={"name": {"essential": True}, "http://example.info/claims/groups": None},
        somewhere={"picture": None},
    )
    assert found == ClaimsRequest({"id_token": ["email"], "userinfo": ["name"]})


def test_a_time_that_is_essential() -> None:
    """Core §2: then it has to be known when the person authenticated."""
    assert asked(id_token={"auth_time": {"essential": True}}) == ClaimsRequest({"auth_time": True})
    assert asked(userinfo={"auth_time": {"essential": True}}) == ClaimsRequest()


@pytest.mark.parametrize("text", ["{}", '{"userinfo":null}', '{"userinfo":{"phone_number":null}}'])
def test_nothing_that_we_know(text: str) -> None:
    """Nothing is kept, so nothing is carried about."""
    assert read(text, None, CLIENT) == ClaimsRequest()


def test_claims_of_scopes_that_the_client_is_not_registered_for() -> None:
    """They are ignored: a client gets nothing by naming it that it could not ask for."""
    assert asked(NO_EMAIL, userinfo={"email": None}) == ClaimsRequest()
    kept = {"userinfo": ["email", "name"]}
    person = {"email": "ada@example.org", "name": "Ada"}
    assert named(person, kept, "userinfo", NO_EMAIL) == {"name": "Ada"}
    assert named(person, kept, "userinfo", CLIENT) == person
    assert named(person, kept, "id_token", CLIENT) == {}


def test_what_a_person_has_to_agree_to() -> None:
    """The scope asked for, and the scopes that the named claims belong to."""
    assert agreed_scope(("openid",), None) == ("openid",)
    kept = {"userinfo": ["email", "name"], "id_token": ["email"], "acr": True}
    assert agreed_scope(("openid",), kept) == ("openid", "email", "profile")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "1", '"text"', "{", "{'userinfo':{}}", '{"userinfo":[]}',
     '{"userinfo":"name"}', '{"id_token":{"name":true}}', '{"id_token":{"name":[]}}',
     '{"id_token":{"name":{"essential":"yes"}}}', '{"id_token":{"acr":{"values":"0"}}}',
     "[" * 2000, '{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}'],
)  # fmt: skip
def test_what_has_another_form_is_refused(text: str) -> None:
    """Rather than read in some way or other."""
    with pytest.raises(InvalidRequest):
        read(text, None, CLIENT)


def test_a_subject() -> None:
    """Core §5.5.1: a ``sub`` with a value names who has to be signed in."""
    assert asked(id_token={"sub": {"value": "abc"}}).sub == "abc"
    assert asked(userinfo={"sub": {"value": "abc", "essential": True}}).sub == "abc"
    assert asked(id_token={"sub": None}).sub is None


@pytest.mark.parametrize(
    "wish",
    [None, {}, {"essential": True}, {"value": "1"}, {"values": ["1", "2"]},
     {"essential": True, "value": "0"}, {"essential": True, "values": ["1", "0"]}],
)  # fmt: skip
def test_an_acr_that_we_have_or_that_is_voluntary(wish: Any) -> None:
    """Core §5.5.1.1: ours comes back."""
    assert asked(id_token={"acr": wish}).kept == {"acr": True}


@pytest.mark.parametrize("wish", [{"value": "1"}, {"values": ["1", "2"]}, {"values": []}])
def test_an_essential_acr_that_we_do_not_have(wish: dict[str, Any]) -> None:
    """Unmet Authentication Requirements 1.0: told at once, before anybody signs in."""
    with pytest.raises(UnmetAuthenticationRequirements):
        asked(id_token={"acr": wish | {"essential": True}})


def test_acr_values() -> None:
    """Core §3.1.2.1: voluntary, so that any will do; ours comes back."""
    assert read(None, "2 1", CLIENT).kept == {"acr": True}
    assert read('{"userinfo":{"name":null}}', "2", CLIENT).kept == {
        "acr": True,
        "userinfo": ["name"],
    }


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(["name", "email", "sub", "acr", "auth_time", "x"])


@given(
    st.dictionaries(
        st.sampled_from(["id_token", "userinfo", "other"]),
        JSON_VALUES | st.dictionaries(NAMES, JSON_VALUES),
    )
    | JSON_VALUES
)
def test_anything_at_all(value: Any) -> None:
    """Refused in the terms of the protocol, or reduced to what we know; never a surprise."""
    try:
        found = read(json.dumps(value), None, CLIENT)
    except (InvalidRequest, UnmetAuthenticationRequirements):
        return
    for place, names in (found.kept or {}).items():
        assert place in {"id_token", "userinfo", "acr"}
        assert names is True or set(names) <= {"name", "email"}
    assert found.sub is None or isinstance(found.sub, str)
