"""Which algorithms may be chosen, and from when every process can sign with them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from broker.app.algorithms import check_in_use, signs_everywhere_from
from broker.app.api_registration import check_api
from broker.app.loading import load
from broker.app.problems import Refused
from broker.core.apis import Api
from broker.core.model import Client
from keys.model import KeyRecord, genesis
from keys.policy import Policy

NOW = 1_800_000_000.0
POLICY = Policy()


def key(kid: str, alg: str, predecessor: str, *, made: float, ready: float, signs: float):
    return KeyRecord(kid, alg, {}, None, predecessor, made, ready, signs)


def first_pair(alg: str, *, made: float, waits: float) -> tuple[KeyRecord, KeyRecord]:
    """The first two keys of an algorithm, as maintenance makes them."""
    ready = made + waits
    one = key(f"{alg}-1", alg, genesis(alg), made=made, ready=ready, signs=ready)
    two = replace(one, kid=f"{alg}-2", predecessor=one.kid, signs_from=ready + POLICY.period)
    return one, two


RS = first_pair("RS256", made=NOW - 100, waits=0)


def begins(*records: KeyRecord, alg: str = "ES256", now: float = NOW) -> float | None:
    return signs_everywhere_from((*RS, *records), alg, now, POLICY)


def test_before_the_first_start_everything_can_be_chosen():
    """Nobody has cached anything, so all keys are made at once and sign at once."""
    assert signs_everywhere_from((), "ES256", NOW, POLICY) == NOW
    assert begins(*first_pair("ES256", made=NOW, waits=0)) == NOW


def test_the_default_can_always_be_chosen():
    """Even while nothing signs at all: it is the way back."""
    revoked = [replace(one, revoked_at=NOW - 1) for one in RS]
    assert signs_everywhere_from(revoked, "RS256", NOW, POLICY) == NOW


def test_switched_on_but_no_server_has_made_a_key():
    """There is no moment to name."""
    assert begins() is None


def test_the_first_key_waits_until_every_cache_knows_it():
    """And until the process whose clock is behind can sign with it as well."""
    pair = first_pair("ES256", made=NOW, waits=POLICY.lead)
    moment = NOW + POLICY.lead + POLICY.skew
    assert begins(*pair) == moment
    assert begins(*pair, now=NOW + POLICY.lead + 1) == moment
    assert begins(*pair, now=moment) == moment


def test_a_later_change_over_stops_nobody():
    """A slow clock signs with the key before, so there is no gap."""
    one, two = first_pair("ES256", made=NOW - 10**6, waits=POLICY.lead)
    two = replace(two, signs_from=NOW - 1)
    assert begins(one, two) == NOW


def test_after_a_revocation_the_heir_is_waited_for():
    """The moment is that of the next key."""
    one, two = first_pair("ES256", made=NOW - 10**6, waits=POLICY.lead)
    one, two = replace(one, revoked_at=NOW - 5), replace(two, signs_from=NOW + 60)
    assert begins(one, two) == NOW + 60 + POLICY.skew


class Listed:
    """A repository that lists what it was given, as records hold it."""

    def __init__(self, name: str, found) -> None:
        self.records = [SimpleNamespace(**{name: one}) for one in found]

    async def list(self):
        return self.records


class Sql:
    def __init__(self, clients=(), apis=()):
        self.clients, self.apis = Listed("client", clients), Listed("api", apis)


def client(name: str, alg: str, **fields) -> Client:
    return Client(name, name.title(), id_token_signed_response_alg=alg, **fields)


async def test_an_algorithm_in_use_cannot_be_switched_off():
    """Every one that is missed is named, with whom it would fail and what to do."""
    users = [client(f"app{n}", "ES256") for n in range(5)]
    apis = [Api("https://a.example", "A", "ES256"), Api("https://b.example", "B", "EdDSA")]
    with pytest.raises(Refused) as caught:
        await check_in_use(load(), Sql([client("plain", "RS256"), *users], apis))
    one, two = caught.value.problems
    assert {one.setting, two.setting} == {"BROKER_SIGNING_ALGORITHMS"}
    assert "ES256 is off" in one.reason
    assert "app0, app1, app2 and 2 more" in one.reason
    assert "https://a.example" in one.reason
    assert "plain" not in one.reason
    assert "broker clients edit CLIENT_ID --id-token-alg RS256" in one.reason
    assert "EdDSA is off" in two.reason
    assert "https://b.example" in two.reason
    assert "broker apis edit IDENTIFIER --alg RS256" in two.reason
    assert "clients" not in two.reason


async def test_what_is_on_or_disabled_stops_no_start(monkeypatch):
    """A disabled client gets no token, so it misses nothing."""
    monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", "ES256")
    off = client("off", "EdDSA", disabled=True)
    await check_in_use(load(), Sql([off, client("on", "ES256")], [Api("a", "A", "ES256")]))


@pytest.mark.parametrize(
    "identifier",
    ["https://api.example.org/v1", "urn:example:orders", "orders", "http://127.0.0.1:9/x"],
)
def test_identifiers_of_apis(identifier):
    """An address, or a word that a client has as its audience."""
    check_api(Api(identifier, "An API"), load())


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"identifier": "https://api.example/#x"}, "IDENTIFIER"),
        ({"identifier": "https://user@api.example/"}, "IDENTIFIER"),
        ({"identifier": "two words"}, "IDENTIFIER"),
        ({"identifier": ""}, "IDENTIFIER"),
        ({"identifier": "https://api.example/" + "x" * 2000}, "IDENTIFIER"),
        ({"name": " "}, "--name"),
        ({"name": "a\x1b[31m"}, "--name"),
        ({"access_token_signed_response_alg": "ES256"}, "--alg"),
        ({"access_token_signed_response_alg": "none"}, "--alg"),
    ],
)
def test_what_an_api_may_not_be(change, option):
    """Each refusal names what to change; an algorithm must be one of those that are on."""
    with pytest.raises(Refused) as caught:
        check_api(replace(Api("https://api.example", "An API"), **change), load())
    assert [problem.setting for problem in caught.value.problems] == [option]
