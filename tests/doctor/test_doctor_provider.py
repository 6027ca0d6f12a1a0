"""Whether Discord takes a deployment as OpenID provider: each line of what it demands."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from joserfc.util import to_str, urlsafe_b64encode
from typer.testing import CliRunner

from broker.cli.app import app
from broker.doctor.checks import provider
from broker.doctor.fetching import Fetcher
from broker.doctor.model import Trip
from broker.doctor.places import NotAnAddressError, configured
from broker.doctor.provider import examine_provider, gather_provider
from tests.certificates import certified
from tests.doctor.conftest import MachineClock, bad, finding
from tests.doctor.recorded import (
    DISCOVERY,
    ISSUER,
    JWKS,
    METADATA,
    NOW,
    answer,
    evidence,
    kid,
    token,
)
from tests.ports import free_port
from tests.running import RunningBroker

PUBLIC = ("93.184.215.14",)
CLIENT = "game"


def id_token(number=1, header=None, **claims):
    """An ID token as the broker makes it; claims of None are left out."""
    own = {"sub": "f00d", "aud": CLIENT, "preferred_username": "ada.lindqvist"}
    return token(number, {"typ": "JWT"} | (header or {}), **(own | claims))


def judged(seen=None, address=ISSUER, addresses=PUBLIC, **more):
    return examine_provider(seen or evidence(), addresses, address, **more)


def with_metadata(**changes):
    """What is seen where the discovery document says something else; None takes a member away."""
    whole = {name: value for name, value in (METADATA | changes).items() if value is not None}
    document = answer(json.dumps(whole).encode(), url=DISCOVERY)
    return evidence(metadata=whole, discovery=Trip((), document))


def redirected(trip):
    hop = answer(b"", 302, url=trip.end.url, headers={"location": f"{trip.end.url}?x"})
    return replace(trip, hops=(hop,))


def test_a_deployment_that_is_right_in_everything():
    """Every section is there, and nothing of the token is shown, nor whose it is."""
    text = id_token()
    sections = judged(client_id=CLIENT, received=f" Bearer {text}\n")
    assert bad(sections) == {}
    assert [one.title for one in sections] == ["Issuer", "Discovery", "Keys", "The ID token"]
    shown = str(sections)
    assert not any(part in shown for part in (*text.split("."), "f00d", "ada.lindqvist"))


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("http://login.example.org", {"scheme"}),
        ("https://login.example.org?x=1", {"form"}),
        ("https://login.example.org?", {"form"}),
        ("https://login.example.org#x", {"form"}),
        ("https://me:secret@login.example.org", {"form"}),
        ("https://login.example.org/", {"form"}),
        ("https://login", {"host"}),
        ("https://localhost", {"host"}),
        ("https://login.local", {"host"}),
        ("https://login.internal", {"host"}),
        ("https://login.localhost", {"host"}),
        ("https://1.0.0.127.in-addr.arpa", {"host"}),
        ("https://203.0.113.7", {"host"}),
        ("https://[2001:db8::1]", {"host"}),
        ("https://login.example.org:8443", set()),
        ("https://login.example.org/tenant", set()),
        ("http://me@localhost/", {"scheme", "form", "host"}),
    ],
)
def test_the_issuer_s_address(address, wrong):
    """https, bare, a public name; a port or a path is nobody's business."""
    found = bad(judged(address=address))
    assert {name for title, name in found if title == "Issuer"} == wrong
    # Whatever it is, the document names something else: that is told to the letter.
    assert found[("Discovery", "issuer")] == "fail"


def test_where_the_name_leads():
    """Nowhere, or to an address that is not for the public."""
    assert bad(judged(addresses=())) == {("Issuer", "addresses"): "fail"}
    for private in ("127.0.0.1", "10.0.0.5", "::1", "fd00::1", "169.254.1.1"):
        assert bad(judged(addresses=(*PUBLIC, private))) == {("Issuer", "addresses"): "warn"}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (" login.example.org ", "https://login.example.org"),
        (DISCOVERY, ISSUER),
        ("https://login.example.org/?x#y", "https://login.example.org/?x#y"),
        ("http://me:pw@localhost:1/a/", "http://me:pw@localhost:1/a/"),
    ],
)
def test_it_is_taken_to_the_letter(given, taken):
    """What Discord would refuse is not mended on the way."""
    assert configured(given) == taken


@pytest.mark.parametrize("given", ["", "ftp://x.example", "https://", "https://x:y", "https://[::"])
def test_what_cannot_be_asked(given):
    """Wrong usage."""
    with pytest.raises(NotAnAddressError):
        configured(given)


def test_redirects_are_followed_by_nobody():
    """Neither to the discovery document nor to the JWKS, however near they lead."""
    right = evidence()
    moved = replace(right, discovery=redirected(right.discovery))
    assert bad(judged(moved)) == {("Discovery", "redirects"): "fail"}
    moved = replace(right, jwks=redirected(right.jwks))
    assert bad(judged(moved)) == {("Keys", "redirects"): "fail"}


def test_the_discovery_document():
    """An object that names the issuer to the letter, an https JWKS, and a usable algorithm."""
    name = "id_token_signing_alg_values_supported"
    for changes, wrong in (
        ({"issuer": f"{ISSUER}/"}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"jwks_uri": JWKS.replace("https", "http")}, "jwks_uri"),
        ({name: None}, "algorithms"),
        ({name: []}, "algorithms"),
        ({name: ["EdDSA", "HS256"]}, "algorithms"),
    ):
        assert bad(judged(with_metadata(**changes)))[("Discovery", wrong)] == "fail"
    assert bad(judged(with_metadata(**{name: ["EdDSA", "ES384"]}))) == {}
    array = evidence(metadata=None, discovery=Trip((), answer(b"[]", url=DISCOVERY)))
    array = replace(array, jwks=None)
    assert ("Discovery", "content") in bad(judged(array))
    gone = evidence(metadata=None, discovery=Trip((), answer(b"", 404, url=DISCOVERY)))
    gone = replace(gone, jwks=None)
    assert bad(judged(gone)) == {("Discovery", "document"): "fail"}


def test_a_slash_too_many_is_told_with_what_to_give_discord():
    """The nearest mistake: the document's own word is the cure."""
    found = provider.issuer(METADATA, f"{ISSUER}/")
    assert found.cure.endswith(f"give Discord {ISSUER}")


def test_the_keys():
    """Readable, each with a kid of its own."""
    for content, wrong in (
        (b"<html>", "content"),
        (b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "kid"),
        (b'{"keys": [{"kty": "oct", "kid": "a", "k": "AQAB"}]}', "only public keys"),
    ):
        assert ("Keys", wrong) in bad(judged(evidence(answer(content))))
    assert bad(judged(evidence(answer(b"", 503)))) == {("Keys", "document"): "fail"}


@pytest.mark.parametrize(
    ("header", "claims", "wrong"),
    [
        ({"typ": "at+jwt"}, {}, {"typ"}),
        ({"kid": None}, {}, {"kid"}),
        ({"kid": kid(3)}, {}, {"kid"}),
        ({"kid": kid(2)}, {}, {"signature"}),
        ({"alg": "PS256"}, {}, {"alg", "alg of the key"}),
        ({}, {"iss": f"{ISSUER}/"}, {"iss"}),
        ({}, {"sub": None}, {"sub"}),
        ({}, {"sub": ""}, {"sub"}),
        ({}, {"sub": 7}, {"sub"}),
        ({}, {"aud": "shop"}, {"aud"}),
        ({}, {"aud": ["shop", CLIENT]}, set()),
        ({}, {"aud": None}, {"aud"}),
        ({}, {"exp": int(NOW)}, {"exp"}),
        ({}, {"exp": None}, {"exp"}),
        ({}, {"iat": None}, {"iat"}),
        ({}, {"iat": True}, {"iat"}),
        ({}, {"iat": int(NOW) - 7 * 86400}, set()),
        ({}, {"iat": int(NOW) - 7 * 86400 - 1}, {"iat"}),
        ({}, {"iat": int(NOW) + 60}, set()),
        ({}, {"iat": int(NOW) + 61}, {"iat"}),
        ({}, {"preferred_username": None}, set()),
        ({}, {"preferred_username": "🦊" * 32}, set()),
        ({}, {"preferred_username": "a" * 33}, {"preferred_username"}),
        ({}, {"preferred_username": ""}, {"preferred_username"}),
        ({}, {"preferred_username": 1}, {"preferred_username"}),
    ],
)
def test_the_id_token(header, claims, wrong):
    """Each demand by itself: nothing else is found wrong."""
    sections = judged(client_id=CLIENT, received=id_token(header=header, **claims))
    assert bad(sections) == {("The ID token", name): "fail" for name in wrong}


def test_an_algorithm_that_discovery_does_not_name():
    """Or that Discord does not know: its owner is told how to choose another."""
    for header in ({"alg": "EdDSA"}, {"alg": "HS256"}, {"alg": "none"}, {"alg": None}):
        text = id_token()
        parts = json.dumps({"alg": "RS256", "kid": kid(1), "typ": "JWT"} | header)
        forged = ".".join((to_str(urlsafe_b64encode(parts.encode())), *text.split(".")[1:]))
        found = finding(judged(received=forged), "The ID token", "alg")
        assert found.verdict == "fail"
        assert "--id-token-alg" in found.cure


def test_what_is_no_token():
    """Is told as such; a client id alone proves nothing of a token."""
    assert bad(judged(received="secret-thing")) == {("The ID token", "form"): "fail"}
    assert bad(judged(client_id=CLIENT)) == {("The ID token", "form"): "warn"}
    assert bad(judged(received=id_token())) == {("The ID token", "aud"): "warn"}


# ── over HTTP ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in an empty directory, without any setting."""
    monkeypatch.chdir(tmp_path)

    def running(*words, code=0, stdin=None):
        line = ["doctor", "discord-provider", *map(str, words)]
        said = CliRunner().invoke(app, line, input=stdin)
        assert said.exit_code == code, (said.output, said.exception)
        return said

    return running


def test_the_command_on_a_broker_that_is_for_this_machine_alone(front, run):
    """Discord would refuse it for its address, and for nothing else."""
    document = json.loads(run(front.issuer, "--json", code=1).stdout)
    wrong = {one["name"] for one in document["checks"] if one["verdict"] == "fail"}
    assert wrong == {"scheme", "host", "jwks_uri"}
    said = run(front.issuer, code=1).output
    assert "\n✗ scheme" in said
    assert "\n✓ algorithms" in said


def test_the_command_finds_a_proxy_that_redirects(front, run):
    """What other relying parties follow, Discord does not."""
    front.proxy.behave("redirects")
    assert "Discord follows none" in run(front.issuer, code=1).output


def test_the_command_s_exit_codes(run, tmp_path):
    """2 for what cannot be asked, 5 where nothing answers: what is wrong already is told."""
    run("ftp://x.example", code=2)
    run("https://x.example", "--id-token", "nowhere", code=2)
    said = run(f"http://127.0.0.1:{free_port()}", code=5)
    assert "✗ host" in said.output
    assert "connection refused" in said.stderr


def test_the_command_never_shows_a_token(front, run, tmp_path):
    """By file or by standard input."""
    text, file = id_token(), tmp_path / "token"
    file.write_text(text)
    for said in (
        run(front.issuer, "--client-id", CLIENT, "--id-token", file, code=1),
        run(front.issuer, "--id-token", "-", stdin=text, code=1),
    ):
        assert "The ID token" in said.output
        assert "✗ iss" in said.output
        assert not any(part in said.output for part in text.split("."))


class Renamed(Fetcher):
    """Reaches every name at this machine, as if DNS said so."""

    async def ask(self, url, **more):
        return await super().ask(url, **(more | {"address": "127.0.0.1"}))


@asynccontextmanager
async def ending_tls(tls, port, behind):
    """Take TLS off in front of a broker, as a proxy does."""

    async def pour(reader, writer):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
        writer.close()

    async def one(reader, writer):
        inner = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pour(reader, inner[1]), pour(inner[0], writer), return_exceptions=True)

    server = await asyncio.start_server(one, "127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()


async def test_a_real_broker_behind_tls_is_right_in_everything(tmp_path):
    """Under a public name, as Discord would come to it."""
    tls, trust, _ = certified(tmp_path, "login.example.org", days=60)
    port = free_port()
    issuer = f"https://login.example.org:{port}"
    real = {
        "BROKER_ISSUER": issuer,
        "BROKER_DISCORD_AUTHORIZE_URL": "https://discord.com/oauth2/authorize",
        "BROKER_DISCORD_API_URL": "https://discord.com/api/v10",
        "BROKER_DISCORD_CDN_URL": "https://cdn.discordapp.com",
    }

    async def resolve(_host, _port):
        return PUBLIC

    clock = MachineClock()
    fetcher = Renamed(clock, trust=trust, resolve=resolve)
    with RunningBroker(tmp_path / "broker", real) as broker:
        async with ending_tls(tls, port, broker.port):
            seen, addresses = await gather_provider(issuer, fetcher, clock.now())
    sections = examine_provider(seen, addresses, issuer)
    assert bad(sections) == {}
    assert [one.title for one in sections] == ["Issuer", "Discovery", "Keys"]
