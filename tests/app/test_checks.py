"""The broker refuses to start insecurely, and names the setting."""

import os
import stat

import pytest

from broker.app.checks import RULES, check, check_serving
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.data_dir import embedded_secret, mark_demo, refuse_demo
from broker.app.loading import effective_secrets, load
from broker.app.problems import Refused

STRONG = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQ"
PUBLIC = "https://login.example.org"


def problems(monkeypatch, serving=False, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"BROKER_{name.upper()}", str(value))
    try:
        (check_serving if serving else check)(load())
    except Refused as refused:
        return [problem.setting for problem in refused.problems]
    return []


def test_the_defaults_pass(monkeypatch):
    """Nothing set is a sound setup for one machine."""
    assert problems(monkeypatch) == []


@pytest.mark.parametrize(
    "issuer",
    [
        "login.example.org",
        "ftp://login.example.org",
        "https://",
        "https://login.example.org/",
        "https://login.example.org/auth",
        "https://login.example.org?x=1",
        "https://login.example.org?",
        "https://login.example.org#top",
        "https://login.example.org#",
        "https://me:pw@login.example.org",
        "https://login.example.org:443",
        "https://Login.example.org",
        "https://login.example.org:99999",
        "https://login.exam ple.org",
        "http://login.example.org",
        "http://192.168.1.5:8000",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
    ],
)
def test_bad_issuers_are_refused(monkeypatch, issuer):
    """An issuer is https (http for this machine alone), bare, and exactly as verifiers see it."""
    assert "BROKER_ISSUER" in problems(monkeypatch, issuer=issuer)


@pytest.mark.parametrize(
    "key", ["changeme", "00", "g" * 64, "MCowBQYDK2VwAyEA" + "0" * 48, "0" * 65]
)
def test_a_key_that_proves_no_event(monkeypatch, key):
    """A wrong one would refuse every event of Discord, which then takes the address away."""
    assert problems(monkeypatch, discord_public_key=key) == ["BROKER_DISCORD_PUBLIC_KEY"]


def test_a_key_that_proves_events(monkeypatch):
    """As Discord's page shows it, with the space that came along."""
    assert problems(monkeypatch, discord_public_key=f" {'a1' * 32} ") == []


@pytest.mark.parametrize(
    "issuer",
    [PUBLIC, f"{PUBLIC}:8443", "http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:1"],
)
def test_good_issuers_pass(monkeypatch, issuer):
    """A public name alone is enough behind a tunnel."""
    assert problems(monkeypatch, issuer=issuer) == []


@pytest.mark.parametrize(
    "secret",
    ["hunter2", "a" * 64, "changeme" * 8, "my-example-secret-my-example-secret-0123", "01" * 40,
     f"{STRONG},tooshort", f"{STRONG},{STRONG}"],
)  # fmt: skip
def test_weak_secrets_are_refused(monkeypatch, secret):
    """Short, guessable, placeholder and doubled secrets are named by position, never shown."""
    assert problems(monkeypatch, secrets=secret) == ["BROKER_SECRETS"]
    with pytest.raises(Refused) as refused:
        check(load())
    assert secret not in str(refused.value)


def test_strong_secrets_pass(monkeypatch):
    """Base64 of 48 random bytes, and two of them."""
    assert problems(monkeypatch, secrets=f"{STRONG},{STRONG[::-1]}") == []


@pytest.mark.parametrize(
    "external",
    [{"redis_url": "redis://10.0.0.5/0"}, {"database_url": "postgresql://u:p@10.0.0.5/broker"}],
)
def test_external_stores_and_a_public_issuer_need_a_shared_secret(monkeypatch, external):
    """A secret made on one machine would not be known to the others."""
    assert problems(monkeypatch, issuer=PUBLIC, **external) == ["BROKER_SECRETS"]
    assert problems(monkeypatch, secrets=STRONG) == []


@pytest.mark.parametrize(
    ("name", "url"), [("redis_url", "http://x"), ("database_url", "mysql://x/y")]
)
def test_unknown_kinds_of_store_are_refused(monkeypatch, name, url):
    """A store we cannot speak to is named before anything starts."""
    assert problems(monkeypatch, **{name: url}) == [f"BROKER_{name.upper()}"]


@pytest.mark.parametrize("name", ["discord_authorize_url", "discord_api_url"])
def test_a_simulated_discord_never_serves_a_public_issuer(monkeypatch, name):
    """Anybody can be anybody in the simulation."""
    url = "http://127.0.0.1:8001/api/v10"
    assert problems(monkeypatch, issuer=PUBLIC, **{name: url}) == [f"BROKER_{name.upper()}"]
    assert problems(monkeypatch, issuer="http://127.0.0.1:8000") == []


def test_discord_over_plain_http_is_refused(monkeypatch):
    """The client secret goes there."""
    url = "http://discord.example/api"
    assert problems(monkeypatch, discord_api_url=url) == ["BROKER_DISCORD_API_URL"]


@pytest.mark.parametrize("entry", ["*", "0.0.0.0/0", "::/0", "proxy.example"])
def test_proxies_are_named_by_address(monkeypatch, entry):
    """Trusting everybody's X-Forwarded-For is trusting nobody's."""
    assert problems(monkeypatch, trusted_proxies=entry) == ["BROKER_TRUSTED_PROXIES"]


@pytest.mark.parametrize(
    ("entry", "good"),
    [("hooks.internal:8443", True), ("10.0.0.5", True), ("[::1]:80", True), ("Redis", True),
     ("https://hooks.internal", False), ("10.0.0.0/8", False), ("*", False), ("a:b", False),
     ("*.internal", False), ("::1", False), ("host:70000", False)],
)  # fmt: skip
def test_hosts_that_clients_may_name_are_allowed_one_by_one(monkeypatch, entry, good):
    """An entry that would allow nothing is told at the start, not found out later."""
    found = problems(monkeypatch, outbound_allow=entry)
    assert found == ([] if good else ["BROKER_OUTBOUND_ALLOW"])


def test_an_impossible_key_policy_shows_its_arithmetic(monkeypatch):
    """A successor must be known to all caches before it signs."""
    assert problems(monkeypatch, key_period="5m", jwks_cache="10m") == ["BROKER_KEY_PERIOD"]
    with pytest.raises(Refused, match=r"300 s.*600"):
        check(load())


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("session_idle", "session_lifetime"), ("grant_idle", "grant_lifetime"),
     ("access_token_lifetime", "longest_token_lifetime"),
     ("id_token_lifetime", "longest_token_lifetime")],
)  # fmt: skip
def test_lifetimes_are_in_order(monkeypatch, shorter, longer):
    """Nothing idles longer than it lives."""
    found = problems(monkeypatch, **{shorter: "2h", longer: "1h"})
    assert f"BROKER_{shorter.upper()}" in found


def test_serving_needs_an_application_at_discord(monkeypatch):
    """Both halves of the credentials are named at once."""
    assert problems(monkeypatch, serving=True) == [
        "BROKER_DISCORD_CLIENT_ID",
        "BROKER_DISCORD_CLIENT_SECRET",
    ]


def test_all_problems_are_told_at_once(monkeypatch):
    """One start, one list."""
    found = problems(monkeypatch, issuer="http://x.example", secrets="short", trusted_proxies="*")
    assert found == ["BROKER_ISSUER", "BROKER_SECRETS", "BROKER_TRUSTED_PROXIES"]


def test_every_rule_says_what_it_is_for():
    """The list of rules reads as a list of promises."""
    assert all(rule.__doc__ for rule in RULES)


def test_the_embedded_secret_is_made_once_and_private(tmp_path):
    """The same secret at every start, for its owner alone."""
    data = tmp_path / "data"
    first = embedded_secret(data, SystemEntropy())
    assert embedded_secret(data, SystemEntropy()) == first
    assert len(first) == 64
    assert stat.S_IMODE((data / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert os.listdir(data) == ["secret"]


def test_a_secret_open_to_others_is_refused(tmp_path):
    """Whoever could read it may have read it."""
    embedded_secret(tmp_path, SystemEntropy())
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(Refused, match="open to others"):
        embedded_secret(tmp_path, SystemEntropy())


def test_a_damaged_secret_is_refused_not_replaced(tmp_path):
    """A new secret would end every session and lose the signing keys."""
    (tmp_path / "secret").touch(mode=0o600)
    with pytest.raises(Refused, match="damaged"):
        embedded_secret(tmp_path, SystemEntropy())


def test_configured_secrets_replace_the_embedded_one(monkeypatch, tmp_path):
    """Nothing is made where secrets are set."""
    monkeypatch.setenv("BROKER_SECRETS", STRONG)
    assert effective_secrets(load(data_dir=tmp_path / "d"), SystemEntropy()) == (STRONG.encode(),)
    assert not (tmp_path / "d").exists()


def test_a_demonstrations_directory_is_refused_and_other_data_is_not_taken_over(tmp_path):
    """`serve` never runs on a demo's data, nor a demo on real data."""
    demo, real = tmp_path / "demo", tmp_path / "real"
    mark_demo(demo)
    mark_demo(demo)
    with pytest.raises(Refused, match="demonstration"):
        refuse_demo(demo)
    embedded_secret(real, SystemEntropy())
    refuse_demo(real)
    with pytest.raises(Refused, match="not empty"):
        mark_demo(real)


def test_the_clock_does_not_run_backwards(monkeypatch):
    """A small step back is met with the latest time seen; the repair of a wrong clock is not."""
    clock, times = SystemClock(), iter([1000.0, 990.0, 1001.0, 90000.0, 1002.0])
    monkeypatch.setattr("broker.app.clock.time.time", lambda: next(times))
    assert [clock.now() for _ in range(5)] == [1000.0, 1000.0, 1001.0, 90000.0, 1002.0]


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "http://[::1]:8000"])
def test_a_console_without_a_host_name(monkeypatch, issuer):
    """Passkeys belong to names: an address is refused, a name is not."""
    assert problems(monkeypatch, issuer=issuer, admin="off") == []
    assert problems(monkeypatch, issuer=issuer, admin="on") == ["BROKER_ADMIN"]
    assert problems(monkeypatch, issuer="http://localhost:8000", admin="on") == []
