"""``broker apis``, and the algorithms of clients: what may be chosen, and when."""

import asyncio
import time

import pytest

from broker.app.beforehand import make_ready
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.loading import load
from broker.app.problems import Refused
from broker.app.stores import open_stores
from keys.upkeep import ensure

URI = "https://app.example.org/cb"
API = "https://orders.example.org"


@pytest.fixture
def on(monkeypatch):
    """Switches algorithms on, for every command that follows."""

    def switch(*algorithms):
        monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", ",".join(algorithms))

    switch("ES256", "EdDSA")
    return switch


def make_keys(*, at=None):
    """Make the keys that are due, as a server does at its start."""

    async def work():
        settings, clock = load(), SystemClock()
        async with open_stores(settings, clock, SystemEntropy(), "unix:///nowhere") as stores:
            now, algorithms = at or clock.now(), settings.algorithms
            await ensure(stores.keys, stores.vault, settings.key_policy, now, algorithms=algorithms)

    asyncio.run(work())


# ── APIs ───────────────────────────────────────────────────────────────────────────────────


def test_an_api_is_added_listed_shown_and_removed(cli, on):
    """From the first to the last, for scripts and for people."""
    assert cli.json("apis", "list") == []
    assert "broker apis add" in cli("apis", "list").stdout
    made = cli.json("apis", "add", API, "--name", "Orders", "--alg", "ES256")
    wanted = {
        "identifier": API,
        "name": "Orders",
        "access_token_signed_response_alg": "ES256",
        "clients": [],
    }
    assert wanted.items() <= made.items()
    assert cli.json("apis", "show", API) == made
    (listed,) = cli.json("apis", "list")
    assert listed["identifier"] == API
    shown = cli("apis", "show", API).stdout + cli("apis", "list").stdout
    assert shown.count("ES256") == 2
    assert "Orders" in shown
    assert "RS256" in cli("apis", "remove", API, "--yes").stdout
    assert cli.json("apis", "list") == []


def test_an_api_is_rs256_unless_told_otherwise(cli):
    """And is called by its identifier."""
    made = cli.json("apis", "add", "orders")
    assert (made["name"], made["access_token_signed_response_alg"]) == ("orders", "RS256")


def test_an_edit_of_an_api(cli, on):
    """What is not named stays; an empty text puts the default back."""
    cli("apis", "add", API, "--name", "Orders", "--alg", "ES256")
    edited = cli.json("apis", "edit", API, "--name", "New")
    assert (edited["name"], edited["access_token_signed_response_alg"]) == ("New", "ES256")
    edited = cli.json("apis", "edit", API, "--alg", "", "--name", "")
    assert (edited["name"], edited["access_token_signed_response_alg"]) == (API, "RS256")
    cli("apis", "edit", API, code=2)


def test_what_an_api_gives_and_who_may_ask_of_its_tokens(cli):
    """Scopes, a lifetime, and the apps that introspect; empty texts clear them."""
    cli("clients", "add", "Gate", "--client-id", "gate", "--redirect-uri", URI)
    given = ("--scope", "orders.read orders.write", "--access-token-lifetime", "2m",
             "--introspected-by", "gate")  # fmt: skip
    made = cli.json("apis", "add", API, *given)
    assert made["scopes"] == ["orders.read", "orders.write"]
    assert (made["access_token_lifetime"], made["introspected_by"]) == (120, ["gate"])
    shown = cli("apis", "show", API).stdout
    assert "orders.read orders.write" in shown
    assert "2m" in shown
    assert "introspected by" in shown
    edited = cli.json("apis", "edit", API, "--scope", "orders.read")
    assert (edited["scopes"], edited["introspected_by"]) == (["orders.read"], ["gate"])
    edited = cli.json("apis", "edit", API, "--access-token-lifetime", "", "--introspected-by", "")
    assert (edited["access_token_lifetime"], edited["introspected_by"]) == (None, [])
    assert "introspected" not in cli("apis", "show", API).stdout


def test_what_an_api_may_not_have(cli):
    """Scopes of the broker's own, tokens that outlive their keys, apps that cannot be known."""
    cli("clients", "add", "Spa", "--client-id", "spa", "--public", "--redirect-uri", URI)
    for option, value, code in (
        ("--scope", "openid", 4), ("--scope", "a\"b", 4), ("--access-token-lifetime", "2d", 4),
        ("--access-token-lifetime", "1s", 4), ("--access-token-lifetime", "soon", 2),
        ("--introspected-by", "nobody", 3), ("--introspected-by", "spa", 4),
    ):  # fmt: skip
        assert option in cli("apis", "add", API, option, value, code=code).stderr


def test_an_api_shows_who_gets_tokens_for_it(cli, on):
    """By resource or by audience; a change says what its service has to be ready for."""
    cli("clients", "add", "One", "--client-id", "one", "--redirect-uri", URI, "--resource", API)
    cli("clients", "add", "Two", "--client-id", "two", "--redirect-uri", URI, "--audience", API)
    cli("clients", "add", "Three", "--client-id", "three", "--redirect-uri", URI)
    added = cli("apis", "add", API, "--alg", "ES256")
    assert f"{API} are signed with ES256" in added.stderr
    assert cli.json("apis", "show", API)["clients"] == ["one", "two"]
    assert "signed with" not in cli("apis", "edit", API, "--name", "Orders").stderr
    assert "EdDSA" in cli("apis", "edit", API, "--alg", "EdDSA").stderr
    cli("apis", "add", "three", "--alg", "ES256")
    assert cli.json("apis", "show", "three")["clients"] == ["three"]


def test_what_there_is_not(cli, on):
    """Exit code 3 for an unknown API, 4 for one that is registered, or should not be."""
    for words in (("show", API), ("edit", API, "--name", "x"), ("remove", API, "--yes")):
        assert cli("apis", *words, code=3).stderr.startswith("broker: ")
    cli("apis", "add", API)
    assert "registered already" in cli("apis", "add", API, code=4).stderr
    assert "IDENTIFIER" in cli("apis", "add", "https://x.example/#y", code=4).stderr
    answer = cli("apis", "edit", API, "--alg", "PS256", code=4).stderr
    assert "RS256, ES256, EdDSA" in answer
    assert "BROKER_SIGNING_ALGORITHMS" in answer


# ── clients ────────────────────────────────────────────────────────────────────────────────


def test_the_algorithm_of_a_client(cli, on):
    """RS256 unless named; an empty text puts that back; people see it."""
    words = ("clients", "add", "App", "--redirect-uri", URI, "--client-id")
    assert cli.json(*words, "plain")["id_token_signed_response_alg"] == "RS256"
    made = cli.json(*words, "app", "--id-token-alg", "ES256")
    assert made["id_token_signed_response_alg"] == "ES256"
    assert "signed with ES256" in cli("clients", "show", "app").stdout
    edited = cli.json("clients", "edit", "app", "--name", "New")
    assert edited["id_token_signed_response_alg"] == "ES256"
    edited = cli.json("clients", "edit", "app", "--id-token-alg", "")
    assert edited["id_token_signed_response_alg"] == "RS256"


@pytest.mark.parametrize("alg", ["PS256", "HS256", "none", "es256"])
def test_an_algorithm_that_is_off(cli, on, alg):
    """Refused, naming what is on and the setting; at an addition and at an edit."""
    words = ("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    said = cli(*words, "--id-token-alg", alg, code=4).stderr
    assert "--id-token-alg" in said
    assert "RS256, ES256, EdDSA" in said
    assert "BROKER_SIGNING_ALGORITHMS" in said
    cli(*words)
    cli("clients", "edit", "app", "--id-token-alg", alg, code=4)
    assert cli.json("clients", "show", "app")["id_token_signed_response_alg"] == "RS256"


def test_serve_refuses_to_fail_clients_and_apis(cli, on):
    """Switched off while in use: named with its users; the cures that are named do cure."""
    cli(
        *("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI),
        *("--id-token-alg", "ES256"),
    )
    cli("apis", "add", API, "--alg", "EdDSA")
    on("RS256")
    with pytest.raises(Refused) as caught:
        asyncio.run(make_ready(load(), "unix:///nowhere"))
    said = str(caught.value)
    assert "BROKER_SIGNING_ALGORITHMS: ES256 is off, but the ID tokens of app" in said
    assert f"BROKER_SIGNING_ALGORITHMS: EdDSA is off, but the access tokens for {API}" in said
    cli("apis", "edit", API, "--alg", "RS256")
    assert cli.json("clients", "edit", "app", "--disable")["disabled"] is True
    assert "--id-token-alg" in cli("clients", "edit", "app", "--enable", code=4).stderr
    cli("clients", "edit", "app", "--enable", "--id-token-alg", "RS256")


# ── when ───────────────────────────────────────────────────────────────────────────────────


def test_an_algorithm_just_switched_on_has_to_wait(cli, on):
    """Exit code 4 with the moment; then it can be chosen. What is said without a key is as true."""
    add = ("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    on("RS256")
    cli(*add)
    make_keys()
    on("ES256")
    for words, option in (
        (("clients", "edit", "app", "--id-token-alg", "ES256"), "--id-token-alg"),
        ((*add[:-3], "other", *add[-2:], "--id-token-alg", "ES256"), "--id-token-alg"),
        (("apis", "add", API, "--alg", "ES256"), "--alg"),
    ):
        said = cli(*words, code=4).stderr
        assert f"{option}: there is no key of ES256 yet" in said
        assert "12m10s later" in said  # 600 + 2 * 5 + 60 until caches know it, 60 for slow clocks
    make_keys()
    said = cli("clients", "edit", "app", "--id-token-alg", "ES256", code=4).stderr
    assert "nothing signs with ES256 before 2" in said
    assert "(in 12 min)" in said
    assert cli.json("clients", "show", "app")["id_token_signed_response_alg"] == "RS256"


def test_when_its_first_key_signs_it_can_be_chosen(cli, on):
    """Nobody has to wait twice."""
    cli("clients", "add", "App", "--client-id", "app", "--redirect-uri", URI)
    on("RS256")
    make_keys(at=time.time() - 2000)
    on("ES256")
    make_keys(at=time.time() - 1000)
    assert cli.json("clients", "edit", "app", "--id-token-alg", "ES256")
    assert cli.json("apis", "add", API, "--alg", "ES256")


def test_on_the_very_first_start_nobody_waits(cli, on):
    """All keys are made at once, so all can be chosen before and after it."""
    cli("apis", "add", API, "--alg", "ES256")
    make_keys()
    cli("apis", "add", "other", "--alg", "EdDSA")
