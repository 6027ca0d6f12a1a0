"""Policies out of documents: strict, with the place and the reason of what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.documents import BadDocument, parse
from broker.core.policy.model import GuildRule, Policy
from broker.core.policy.reading import read
from tests.core.policies import ADA, DAY, HARBOUR, KEEPER, LIGHTHOUSE, MEMBER, MUTED, documents

WHOLE = {
    "guilds": [
        {
            "id": LIGHTHOUSE,
            "any_role": [KEEPER, MEMBER],
            "all_roles": [KEEPER],
            "no_role": [MUTED],
            "not_pending": True,
            "not_timed_out": True,
        },
        {"id": HARBOUR},
    ],
    "match": "any",
    "account_age": "30d",
    "email_verified": True,
    "allow": [ADA],
    "deny": ["7"],
    "only_allowed": False,
}


def test_all_that_a_document_may_say() -> None:
    """Each member means what the form says; what is left out asks nothing."""
    assert read(WHOLE) == Policy(
        guilds=(
            GuildRule(
                LIGHTHOUSE,
                (KEEPER, MEMBER),
                (KEEPER,),
                (MUTED,),
                not_pending=True,
                not_timed_out=True,
            ),
            GuildRule(HARBOUR),
        ),
        any_guild=True,
        account_age=30 * DAY,
        email_verified=True,
        allow=frozenset([ADA]),
        deny=frozenset(["7"]),
    )
    assert read({}) == Policy()
    assert read({"allow": [ADA], "only_allowed": True}).only_allowed


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "[] is no JSON object"),
        (None, "null is no JSON object"),
        ({"guild": []}, "guild: is not known; did you mean guilds?"),
        ({"acount_age": 1}, "acount_age: is not known; did you mean account_age?"),
        ({"x\n": 1}, ("x\\n: is not known; known are guilds, match, account_age, email_verified, "
            "allow, deny, only_allowed")),
        ({"guilds": {}}, "guilds: {} is no list"),
        ({"guilds": [LIGHTHOUSE]}, f'guilds[0]: "{LIGHTHOUSE}" is no JSON object'),
        ({"guilds": [{}]}, "guilds[0].id: is missing"),
        ({"guilds": [{"id": "12x"}]}, 'guilds[0].id: "12x" is no Discord id'),
        ({"guilds": [{"id": ""}]}, 'guilds[0].id: "" is no Discord id'),
        ({"guilds": [{"id": "0"}]}, 'guilds[0].id: "0" is no Discord id'),
        ({"guilds": [{"id": "01"}]}, 'guilds[0].id: "01" is no Discord id'),
        ({"guilds": [{"id": "1\n"}]}, 'guilds[0].id: "1\\n" is no Discord id'),
        ({"guilds": [{"id": "-1"}]}, 'guilds[0].id: "-1" is no Discord id'),
        ({"guilds": [{"id": "\u0661"}]}, 'guilds[0].id: "\\u0661" is no Discord id'),
        ({"guilds": [{"id": str(2**64)}]}, f'guilds[0].id: "{2**64}" is no Discord id'),
        ({"guilds": [{"id": "9" * 60}]}, f'guilds[0].id: "{"9" * 38}… is no Discord id'),
        ({"guilds": [{"id": 5}]}, 'guilds[0].id: 5 is a number; ids are text: "5"'),
        ({"guilds": [{"id": True}]}, "guilds[0].id: true is no Discord id"),
        ({"guilds": [{"id": "1"}, {"id": "2", "any_rol": []}]},
            "guilds[1].any_rol: is not known; did you mean any_role?"),
        ({"guilds": [{"id": "1", "all_roles": ["2", "b"]}]},
            'guilds[0].all_roles[1]: "b" is no Discord id'),
        ({"guilds": [{"id": "1", "no_role": "2"}]}, 'guilds[0].no_role: "2" is no list'),
        ({"guilds": [{"id": "1", "not_pending": 1}]},
            "guilds[0].not_pending: 1 is neither true nor false"),
        ({"guilds": [{"id": "1", "not_timed_out": None}]},
            "guilds[0].not_timed_out: null is neither true nor false"),
        ({"guilds": [{"id": "1", "any_role": [str(n) for n in range(2, 253)]}]},
            "guilds[0].any_role: more than 250"),
        ({"guilds": [{"id": str(n)} for n in range(1, 7)]},
            "guilds: more than 5: Discord cannot be asked about so many"),
        ({"guilds": [{"id": "1"}] * 21}, "guilds: more than 20"),
        ({"match": "some"}, 'match: "some" is neither "all" nor "any"'),
        ({"match": []}, 'match: [] is neither "all" nor "any"'),
        ({"account_age": "30 days"}, ('account_age: "30 days": write seconds, or a number with s, '
            "m, h or d, such as 90s, 10m, 30d")),
        ({"account_age": -1}, 'account_age: -1 is no length of time, such as "30d"'),
        ({"account_age": True}, 'account_age: true is no length of time, such as "30d"'),
        ({"account_age": 1.5}, 'account_age: 1.5 is no length of time, such as "30d"'),
        ({"account_age": None}, 'account_age: null is no length of time, such as "30d"'),
        ({"account_age": "4000d"}, "account_age: longer than 3660d"),
        ({"email_verified": "yes"}, 'email_verified: "yes" is neither true nor false'),
        ({"allow": ["x"]}, 'allow[0]: "x" is no Discord id'),
        ({"deny": [str(n) for n in range(1, 1002)]}, "deny: more than 1000"),
    ],
)  # fmt: skip
def test_what_is_malformed(document: Any, told: str) -> None:
    """Refused with the path of the member and the reason."""
    with pytest.raises(BadDocument) as caught:
        read(document)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"account_age": 1, "allow": ["5"], "deny": ["6", "5"]}, "deny: 5 is in allow too"),
        ({"guilds": [{"id": "1", "all_roles": ["2"], "no_role": ["2"]}]},
            "guilds[0].no_role: 2 is in all_roles too"),
        ({"guilds": [{"id": "1", "any_role": ["2", "3"], "no_role": ["3"]}]},
            "guilds[0].no_role: 3 is in any_role too"),
        ({"guilds": [{"id": "1", "any_role": ["1"]}]}, ("guilds[0].any_role[0]: this is @everyone, "
            "which is among nobody's roles; membership is asked anyway")),
        ({"match": "any"}, "match: there are no guilds to match any of"),
        ({"allow": ["5"]}, ("allow: nothing is asked of others, so everybody passes; did you mean "
            "only_allowed too?")),
        ({"only_allowed": True}, "only_allowed: nobody is in allow, so nobody could ever pass"),
        ({"only_allowed": True, "allow": ["5"], "email_verified": True},
            "only_allowed: nothing else is asked of anybody then: leave the rest out"),
    ],
)  # fmt: skip
def test_what_contradicts_itself(document: Any, told: str) -> None:
    """Refused rather than judged in some way or other."""
    with pytest.raises(BadDocument) as caught:
        read(document)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is no JSON: Expecting value (line 1, column 1)"),
        ('{"a": 1,\n}', "it is no JSON: "),
        ("[]", "[] is no JSON object"),
        ('{"deny": [], "deny": ["5"]}', "deny: is there twice in one object"),
        ('{"guilds": [{"id": "1", "id": "2"}]}', "id: is there twice in one object"),
        ("[" * 100_000, "it is no JSON: a number too long, or nested too deeply"),
        ('{"account_age": ' + "9" * 5000 + "}", "it is no JSON: a number too long, or nested"),
    ],
)
def test_a_text_that_is_no_document(text: str, told: str) -> None:
    """Named before anything is made of it; a member that is there twice means neither."""
    with pytest.raises(BadDocument) as caught:
        parse(text)
    assert str(caught.value).startswith(told)


def test_several_entries_may_be_about_one_guild() -> None:
    """So that either of two sets of roles is enough."""
    entries = [{"id": LIGHTHOUSE, "any_role": [one]} for one in (KEEPER, MEMBER)] * 3
    assert len(read({"guilds": entries, "match": "any"}).guilds) == 6


@given(documents())
def test_a_sound_document_is_read_the_same_out_of_its_text(document: dict[str, Any]) -> None:
    """Whatever sound document there is."""
    assert read(parse(json.dumps(document))) == read(document)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([LIGHTHOUSE, KEEPER, "any", "30d"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*WHOLE, *WHOLE["guilds"][0], "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON_VALUES | st.fixed_dictionaries({}, optional=dict.fromkeys(WHOLE, JSON_VALUES)))
def test_anything_at_all(value: Any) -> None:
    """It is read, or refused with a reason of one line; never a surprise."""
    try:
        read(value)
    except BadDocument as error:
        assert str(error).isprintable()
        assert error.reason
