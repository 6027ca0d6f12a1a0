"""What a client may be registered with of guilds, roles and policies, and the policy for all."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.app.checks import check
from broker.app.loading import load
from broker.app.policies import deployment_policy
from broker.app.problems import Refused
from broker.app.registration import check_client, judge
from broker.core.errors import InvalidClientMetadata
from broker.core.model import Client
from tests.app.test_upstream_settings import GITHUB
from tests.core.policies import HARBOUR, ISLAND, KEEPER, LIGHTHOUSE, policy

SCOPES = ("openid", "guilds", "roles")
WEB = Client("app", "App", redirect_uris=("https://app.example.org/cb",), scopes=SCOPES)


def problems(client: Client) -> list[str]:
    """What speaks against a registration, an option and a reason a line."""
    try:
        check_client(client, load())
    except Refused as refused:
        return [str(problem) for problem in refused.problems]
    return []


SIX = tuple(str(n) for n in range(1, 7))


def test_what_is_sound() -> None:
    """Guilds, a mapping of roles there, a policy about those and others."""
    client = replace(
        WEB,
        guilds=(LIGHTHOUSE, HARBOUR),
        role_mapping={LIGHTHOUSE: {KEEPER: ["admin", "staff"], "*": ["member"]}},
        policy={"guilds": [{"id": ISLAND}], "account_age": "30d"},
        upstreams=("discord",),
    )
    assert problems(client) == []
    assert problems(replace(WEB, policy={}, role_mapping={})) == []
    every = {str(n): ["a"] for n in range(1, 251)} | {"*": ["member"]}
    assert problems(replace(WEB, guilds=(LIGHTHOUSE,), role_mapping={LIGHTHOUSE: every})) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"guilds": ("12x",)}, '--guild: "12x" is no Discord id'),
        ({"guilds": (str(2**64),)}, f'--guild: "{2**64}" is no Discord id'),
        ({"guilds": tuple(str(n) for n in range(1, 52))}, "--guild: more than 50"),
        ({"role_mapping": {"x": {}}}, '--map-role: x: "x" is no Discord id'),
        ({"role_mapping": {HARBOUR: {"*": ["a"]}}},
            f"--map-role: {HARBOUR}: the app is not registered for this guild"),
        ({"role_mapping": {LIGHTHOUSE: []}}, f"--map-role: {LIGHTHOUSE}: [] is no JSON object"),
        ({"role_mapping": {LIGHTHOUSE: {"keeper": ["a"]}}},
            f'--map-role: {LIGHTHOUSE}.keeper: "keeper" is no Discord id'),
        ({"role_mapping": {LIGHTHOUSE: {LIGHTHOUSE: ["a"]}}},
            (f'--map-role: {LIGHTHOUSE}.{LIGHTHOUSE}: this is @everyone: write "*" for every '
            "member")),
        ({"role_mapping": {LIGHTHOUSE: {"*": "a"}}}, f'--map-role: {LIGHTHOUSE}.*: "a" is no list'),
        ({"role_mapping": {LIGHTHOUSE: {"*": []}}},
            f"--map-role: {LIGHTHOUSE}.*: names no role of the app"),
        ({"role_mapping": {LIGHTHOUSE: {"*": ["a", " b"]}}},
            f'--map-role: {LIGHTHOUSE}.*[1]: " b" is no name of 1 to 100 printable characters'),
        ({"role_mapping": {LIGHTHOUSE: {"*": [1]}}},
            f"--map-role: {LIGHTHOUSE}.*[0]: 1 is no name of 1 to 100 printable characters"),
        ({"role_mapping": {LIGHTHOUSE: {str(n): ["a"] for n in range(1, 253)}}},
            f"--map-role: {LIGHTHOUSE}: more than 250 roles"),
        ({"guilds": SIX, "role_mapping": {one: {"*": ["a"]} for one in SIX}},
            "--map-role: more than 5 guilds: Discord cannot be asked about so many"),
        ({"policy": {"guilds": [{"id": "12x"}]}},
            '--policy: guilds[0].id: "12x" is no Discord id'),
        ({"policy": {"acount_age": 1}},
            "--policy: acount_age: is not known; did you mean account_age?"),
        ({"upstreams": ("github?",)}, '--upstream: "github?" is none of: discord'),
    ],
)  # fmt: skip
def test_what_is_not(change: dict[str, Any], told: str) -> None:
    """Refused at save, with the place and the reason."""
    client = replace(WEB, guilds=(LIGHTHOUSE,), **change) if "guilds" not in change else WEB
    assert problems(replace(client, **change)) == [told]


@pytest.mark.parametrize(
    "wants",
    [
        {"policy": {"guilds": [{"id": ISLAND}]}},
        {"guilds": (LIGHTHOUSE,), "role_mapping": {LIGHTHOUSE: {"*": ["member"]}}},
        {"guilds": (LIGHTHOUSE,)},
    ],
    ids=["policy", "mapping", "claims"],
)
def test_only_discord_tells_of_guilds(wants: dict[str, Any]) -> None:
    """Who signs in elsewhere is in none of them: nobody could get in, or everybody in vain."""
    settings = load(upstreams=[GITHUB])
    elsewhere = replace(WEB, upstreams=("github",), **wants)
    with pytest.raises(Refused, match="--upstream: discord is not among them"):
        check_client(elsewhere, settings)
    check_client(replace(elsewhere, upstreams=("github", "discord")), settings)
    check_client(replace(WEB, upstreams=("github",)), settings)


def test_more_than_discord_can_be_asked_about() -> None:
    """Five member records a person: those of the policy and of the mapping together."""
    five = tuple(str(n) for n in range(1, 6))
    mapped = replace(WEB, guilds=five, role_mapping={one: {"*": ["a"]} for one in five})
    assert problems(mapped) == []
    named = replace(mapped, policy={"guilds": [{"id": "5"}]})
    assert problems(named) == []
    (told,) = problems(replace(mapped, policy={"guilds": [{"id": "6"}]}))
    assert told.startswith("--policy: 6 guilds would have to be looked at")
    assert "for all: 1, 2, 3, 4, 5, 6;" in told
    # Those that are only shown do not count: the person's list tells of them.
    assert problems(replace(named, guilds=tuple(str(n) for n in range(1, 20)))) == []


def test_the_policy_for_all_counts_too(tmp_path, monkeypatch) -> None:
    """It is looked at for each client; one that needs too much by now can still be disabled."""
    everybodys = tmp_path / "policy.json"
    everybodys.write_text(json.dumps({"guilds": [{"id": "1"}, {"id": "2"}]}))
    monkeypatch.setenv("BROKER_POLICY", str(everybodys))
    own = {"guilds": [{"id": str(n)} for n in range(3, 6)]}
    assert problems(replace(WEB, policy=own)) == []
    four = replace(WEB, policy={"guilds": [{"id": str(n)} for n in range(3, 7)]})
    assert len(problems(four)) == 1
    assert problems(replace(four, disabled=True)) == []


def test_a_client_that_registers_itself_is_told_by_its_member() -> None:
    """The names of its metadata, not of our options."""
    with pytest.raises(InvalidClientMetadata) as caught:
        judge(replace(WEB, policy={"match": "some"}), load())
    assert caught.value.public == 'access_policy: match: "some" is neither "all" nor "any"'


def test_the_policy_for_all(tmp_path, monkeypatch) -> None:
    """Read out of the file that the setting names."""
    assert deployment_policy(load()) is None
    file = tmp_path / "policy.json"
    file.write_text('{"account_age": "30d"}')
    monkeypatch.setenv("BROKER_POLICY", str(file))
    assert deployment_policy(load()) == policy(account_age="30d")
    check(load())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is no UTF-8 text"),
        (b"{", "BROKER_POLICY: it is no JSON: Expecting property name"),
        (b'{"guilds": [{"id": "12x"}]}', 'BROKER_POLICY: guilds[0].id: "12x" is no Discord id'),
        (b'{"deny": ["5"], "deny": []}', "BROKER_POLICY: deny: is there twice in one object"),
        (b" " * (1024 * 1024 + 1), "is larger than 1048576 bytes"),
    ],
)
def test_a_policy_for_all_that_cannot_be_read(content, told, tmp_path, monkeypatch) -> None:
    """The broker refuses to start, and says why: it would let in everybody, or nobody."""
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("BROKER_POLICY", str(file))
    with pytest.raises(Refused) as caught:
        check(load())
    assert told in str(caught.value)
