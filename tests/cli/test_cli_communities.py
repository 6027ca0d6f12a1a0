"""``broker guilds``, ``broker policy``, and what ``broker clients`` says of communities."""

import json

import pytest

from broker.cli.app import app
from broker.core.community.model import Community
from broker.core.model import Profile
from tests.cli.test_cli_operations import within
from tests.core.policies import (
    ADA,
    HARBOUR,
    ISLAND,
    KEEPER,
    LIGHTHOUSE,
    MEMBER,
    MUTED,
    born,
    standing,
)

URI = "https://app.example.org/cb"
INVITE = "https://discord.gg/light"
READ_AT = 1_790_000_000.0
KEEPERS = {"guilds": [{"id": LIGHTHOUSE, "any_role": [KEEPER, MEMBER]}], "account_age": "30d"}


@pytest.fixture
def lighthouse(cli):
    """A guild with named roles is registered."""
    cli(
        "guilds", "add", LIGHTHOUSE, "--name", "The Lighthouse", "--invite", INVITE,
        "--role", f"{MEMBER}=Member", "--role", f"{KEEPER}=Keeper",
    )  # fmt: skip


def add_app(cli, *more, code=0):
    return cli(
        "clients", "add", "Board", "--client-id", "board", "--redirect-uri", URI, *more, code=code
    )


def write(document, name="policy.json"):
    """Write a policy into the directory that commands run in."""
    with open(name, "w") as file:
        file.write(document if isinstance(document, str) else json.dumps(document))
    return name


def sign_in(*standings, subject=ADA, email=None):
    """Let somebody have signed in, in these guilds; returns the account."""
    profile = Profile("discord", subject, "ada", "Ada", email, email_verified=True)
    community = Community({one.guild_id: one for one in standings})
    return within(
        lambda stores: stores.sql.accounts.sign_in(profile, now=READ_AT, community=community)
    )[0]


# --- guilds


def test_a_guild_is_registered_shown_and_listed(cli, lighthouse):
    """With the names of its roles in the order of their ids."""
    shown = cli.json("guilds", "show", LIGHTHOUSE)
    assert {name: shown[name] for name in ("guild_id", "name", "invite", "roles", "named_by")} == {
        "guild_id": LIGHTHOUSE,
        "name": "The Lighthouse",
        "invite": INVITE,
        "roles": {KEEPER: "Keeper", MEMBER: "Member"},
        "named_by": [],
    }
    assert list(shown["roles"]) == [KEEPER, MEMBER]
    assert [one["name"] for one in cli.json("guilds", "list")] == ["The Lighthouse"]
    told = cli("guilds", "show", LIGHTHOUSE).stdout + cli("guilds", "list").stdout
    for words in ("The Lighthouse", INVITE, f"{KEEPER} Keeper", "none yet"):
        assert words in told


def test_what_is_named_is_changed_and_the_rest_stays(cli, lighthouse):
    """A role by itself; an empty text takes away."""
    edited = cli.json("guilds", "edit", LIGHTHOUSE, "--role", f"{MUTED}=Muted")
    assert edited["roles"] == {KEEPER: "Keeper", MEMBER: "Member", MUTED: "Muted"}
    edited = cli.json("guilds", "edit", LIGHTHOUSE, "--role", f"{MUTED}=", "--name", "Light=House")
    assert edited["roles"] == {KEEPER: "Keeper", MEMBER: "Member"}
    assert (edited["name"], edited["invite"]) == ("Light=House", INVITE)
    edited = cli.json("guilds", "edit", LIGHTHOUSE, "--role", "", "--invite", "")
    assert (edited["roles"], edited["invite"]) == ({}, None)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "12x", "--name", "A"), 4, 'GUILD_ID: "12x" is no Discord id'),
        (("add", ISLAND, "--name", " "), 4, "--name: 1 to 100 printable characters"),
        (("add", ISLAND, "--name", "A", "--invite", "http://discord.gg/x"), 4, "--invite: "),
        (("add", ISLAND, "--name", "A", "--invite", "javascript:alert(1)"), 4, "--invite: "),
        (("add", ISLAND, "--name", "A", "--role", "x=Y"), 4, '--role: "x" is no Discord id'),
        (("add", ISLAND, "--name", "A", "--role", f"{ISLAND}=All"), 4, "is @everyone"),
        (("add", ISLAND, "--name", "A", "--role", f"{KEEPER}={'a' * 101}"), 4, "--role: "),
        (("add", ISLAND, "--name", "A", "--role", KEEPER), 2, "is not of the form ID=NAME"),
        (("edit", ISLAND, "--name", "A"), 3, f"there is no guild {ISLAND}"),
        (("show", ISLAND), 3, f"there is no guild {ISLAND}"),
        (("edit", ISLAND), 2, "nothing to change was named"),
    ],
)
def test_what_cannot_be_said_of_a_guild(cli, words, code, told):
    """Refused, with the option and the reason."""
    assert told in cli("guilds", *words, code=code).output


def test_removing_a_guild_says_what_still_names_it(cli, lighthouse, monkeypatch):
    """Apps by their registration or their policy, and the policy for all; they go on."""
    add_app(cli, "--guild", LIGHTHOUSE)
    cli("clients", "add", "Other", "--client-id", "other", "--redirect-uri", URI,
        "--policy", write(KEEPERS))  # fmt: skip
    cli("clients", "add", "Third", "--client-id", "third", "--redirect-uri", URI)
    monkeypatch.setenv("BROKER_POLICY", write({"guilds": [{"id": LIGHTHOUSE}]}, "all.json"))
    assert cli.json("guilds", "show", LIGHTHOUSE)["named_by"] == ["board", "other", "BROKER_POLICY"]
    removed = cli("guilds", "remove", LIGHTHOUSE).output
    assert "Removed The Lighthouse" in removed
    assert "still named by board, other, BROKER_POLICY" in removed
    assert cli.json("guilds", "list") == []


# --- clients


def test_guilds_and_roles_by_their_names(cli, lighthouse):
    """Or by their ids; what is kept are ids."""
    add_app(
        cli, "--scope", "openid guilds roles", "--guild", "the lighthouse", "--guild", HARBOUR,
        "--map-role", "The Lighthouse/Keeper=admin", "--map-role", f"{LIGHTHOUSE}/{KEEPER}=staff",
        "--map-role", f"{HARBOUR}/*=sailor", "--upstream", "discord", "--upstream-token",
        "--grant", "code refresh token-exchange",
    )  # fmt: skip
    shown = cli.json("clients", "show", "board")
    assert shown["guilds"] == [LIGHTHOUSE, HARBOUR]
    assert shown["role_mapping"] == {
        LIGHTHOUSE: {KEEPER: ["admin", "staff"]},
        HARBOUR: {"*": ["sailor"]},
    }
    assert (shown["upstreams"], shown["upstream_token"]) == (["discord"], True)
    told = cli("clients", "show", "board").stdout
    for words in (
        f"The Lighthouse ({LIGHTHOUSE})", "admin, staff: Keeper of The Lighthouse",
        f"sailor: every member of the guild {HARBOUR}", "it may ask for them",
    ):  # fmt: skip
        assert words in told
    edited = cli.json(
        "clients", "edit", "board", "--map-role", "", "--guild", f"{HARBOUR} {ISLAND}"
    )
    assert (edited["role_mapping"], edited["guilds"]) == (None, [HARBOUR, ISLAND])
    edited = cli.json("clients", "edit", "board", "--guild", "", "--no-upstream-token")
    assert (edited["guilds"], edited["upstream_token"]) == ([], False)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--guild", "12"), 0, ""),
        (("--guild", "0"), 4, '--guild: "0" is no Discord id'),
        (("--guild", "Nowhere"), 3, "Nowhere is neither an id nor a name"),
        (("--map-role", "Keeper"), 2, "is not of the form GUILD/ROLE=NAME"),
        (("--map-role", f"{LIGHTHOUSE}/Keeper="), 2, "is not of the form GUILD/ROLE=NAME"),
        (("--map-role", f"{LIGHTHOUSE}/*=a"), 4, "the app is not registered for this guild"),
        (("--guild", LIGHTHOUSE, "--map-role", f"{LIGHTHOUSE}/Baker=a"), 3, "Baker is neither"),
        (("--guild", ISLAND, "--map-role", f"{ISLAND}/Keeper=a"), 3, "Keeper is neither"),
        (("--policy", "nowhere.json"), 2, "nowhere.json cannot be read"),
        (("--upstream", "myspace"), 4, '--upstream: "myspace" is none of: discord'),
    ],
)
def test_what_is_no_guild_or_role(cli, lighthouse, options, code, told):
    """Refused, with the option and the reason; nothing is registered."""
    assert told in add_app(cli, *options, code=code).output
    assert len(cli.json("clients", "list")) == (code == 0)


def test_a_name_that_two_have(cli, lighthouse):
    """Is nobody's: the ids are told."""
    cli("guilds", "add", HARBOUR, "--name", "the LIGHTHOUSE")
    told = add_app(cli, "--guild", "The Lighthouse", code=2).output
    assert f"{LIGHTHOUSE} or {HARBOUR}" in told.replace("\n", " ")


def test_a_policy_is_set_shown_in_words_and_removed(cli, lighthouse):
    """Out of a file or standard input."""
    add_app(cli, "--policy", write(KEEPERS))
    assert cli.json("clients", "show", "board")["policy"] == KEEPERS
    told = " ".join(cli("clients", "show", "board").stdout.split())
    assert "Members of The Lighthouse who have the role Keeper or Member, whose Discord" in told
    assert cli.json("clients", "edit", "board", "--policy", "")["policy"] is None
    words = ["clients", "edit", "board", "--policy", "-", "--json"]
    answer = cli.runner.invoke(app, words, input=json.dumps(KEEPERS))
    assert json.loads(answer.stdout)["policy"] == KEEPERS


def test_a_malformed_policy_is_not_saved(cli):
    """Refused with the place and the reason."""
    bad = write({"guilds": [{"id": "12x"}]})
    told = add_app(cli, "--policy", bad, code=4).output
    assert '--policy: guilds[0].id: "12x" is no Discord id' in told
    assert (
        "is there twice" in add_app(cli, "--policy", write('{"deny":[],"deny":[]}'), code=2).output
    )
    assert cli.json("clients", "list") == []


def test_what_is_exported_is_imported_again(cli, lighthouse):
    """Guilds, mapping and policy with many people on its lists."""
    many = {"account_age": "30d", "deny": [str(n) for n in range(1, 1001)]}
    add_app(cli, "--guild", LIGHTHOUSE, "--map-role", "The Lighthouse/Keeper=admin",
            "--policy", write(many))  # fmt: skip
    before = cli.json("clients", "show", "board")
    write(cli("clients", "export", "--all", "--digests").stdout, "clients.json")
    assert cli.json("clients", "import", "clients.json")["unchanged"] == ["board"]
    assert before["policy"] == many


# --- policy


def test_a_document_is_judged_offline(cli):
    """In words where it is a policy; else the place and the reason, and exit code 4."""
    told = cli("policy", "check", write(KEEPERS)).stdout
    assert told.startswith(f"Members of the guild {LIGHTHOUSE} who have the role {KEEPER} or")
    assert cli.json("policy", "check", write({}))["words"] == ["Everybody."]
    refused = cli("policy", "check", write({"macth": "any"}), code=4).output
    assert "macth: is not known; did you mean match?" in refused
    assert "it is no JSON" in cli("policy", "check", write("{"), code=4).output
    assert "cannot be read" in cli("policy", "check", "nowhere.json", code=4).output


def test_policies_are_shown_in_words_and_as_documents(cli, lighthouse, monkeypatch):
    """The one for all, the app's own, and what they make us read of people."""
    add_app(cli, "--policy", write(KEEPERS))
    assert "Everybody: there is none." in cli("policy", "show").stdout
    monkeypatch.setenv("BROKER_POLICY", write({"email_verified": True}, "all.json"))
    told = cli("policy", "show", "board").stdout
    for words in (
        "Everybody whose e-mail address is verified.", "Members of The Lighthouse",
        '"account_age": "30d"', "their member record in The Lighthouse", "their e-mail address",
    ):  # fmt: skip
        assert words in told
    shown = cli.json("policy", "show", "board")
    assert shown["deployment"]["policy"] == {"email_verified": True}
    assert shown["client"]["policy"] == KEEPERS
    assert cli.json("policy", "show").keys() == {"deployment"}
    assert "there is no client nobody" in cli("policy", "show", "nobody", code=3).output


def test_a_person_who_may_use_an_app(cli, lighthouse):
    """Rule by rule, with what is known and when it was read; exit code 0."""
    add_app(cli, "--policy", write(KEEPERS))
    account = sign_in(standing(LIGHTHOUSE, KEEPER, read_at=READ_AT))
    told = " ".join(cli("policy", "check", "--account", "ada", "--client", "board").stdout.split())
    for words in ("is a member of The Lighthouse yes", "has the role Keeper or Member yes",
                  "has Keeper", "Ada may use Board."):  # fmt: skip
        assert words in told
    found = cli.json("policy", "check", "--account", account, "--client", "board")
    assert found["allowed"]
    assert [one["holds"] for one in found["rules"]] == [True, True, True]
    assert found["rules"][-1] == {
        "policy": "client", "rule": "has the role Keeper or Member", "way": None, "holds": True,
        "known": "has Keeper", "read_at": "2026-09-21T14:13:20Z",
    }  # fmt: skip


def test_a_person_who_may_not(cli, lighthouse, monkeypatch):
    """Every rule that does not hold, whose it is, what the person is told; exit code 4."""
    add_app(cli, "--policy", write(KEEPERS))
    monkeypatch.setenv("BROKER_POLICY", write({"guilds": [{"id": HARBOUR}]}, "all.json"))
    sign_in(standing(LIGHTHOUSE, MUTED, read_at=READ_AT), subject=born(READ_AT))
    words = ("policy", "check", "--account", "ada", "--client", "board")
    told = " ".join(cli(*words, code=4).stdout.split())
    for words_told in (
        f"for all apps is a member of the guild {HARBOUR} not known never read",
        "of the app has the role Keeper or Member no has", "Ada may not use Board.",
        "You need the role Keeper or Member in The Lighthouse.",
    ):  # fmt: skip
        assert words_told in told
    found = cli.json(*words, code=4)
    assert not found["allowed"]
    assert {one["policy"] for one in found["rules"]} == {"deployment", "client"}
    assert None in [one["holds"] for one in found["rules"]]


def test_the_policy_for_all_alone(cli, monkeypatch):
    """It is named as what refuses."""
    add_app(cli)
    monkeypatch.setenv("BROKER_POLICY", write({"email_verified": True}, "all.json"))
    sign_in()
    (rule,) = cli.json("policy", "check", "--account", "ada", "--client", "board", code=4)["rules"]
    assert (rule["policy"], rule["holds"]) == ("deployment", False)


def test_an_app_that_asks_nothing_and_an_account_that_is_off(cli):
    """Everybody may use the one; nobody signs in with the other."""
    add_app(cli)
    account = sign_in()
    words = ("policy", "check", "--account", ADA, "--client", "board")
    assert "No policy asks anything of anybody." in cli(*words).stdout
    cli("accounts", "disable", account)
    assert "The account is disabled" in cli(*words, code=4).stdout
    assert cli.json(*words, code=4)["account_disabled"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--account", "ada"), 2),
        (("--client", "board"), 2),
        (("policy.json", "--account", "ada", "--client", "board"), 2),
        (("--account", "nobody", "--client", "board"), 3),
    ],
)
def test_a_check_of_nothing_in_particular(cli, words, code):
    """Wrong usage is told; so is who or what is not there."""
    cli("policy", "check", *words, code=code)
