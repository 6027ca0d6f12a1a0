"""What happens, and what does not, when a client names an address."""

import asyncio
import ipaddress
import threading
import time

import pytest

from broker.core.errors import OutboundFailed, OutboundRefused
from broker.upstream.outbound import Calls, Outbound
from broker.upstream.outbound.addresses import is_public
from broker.upstream.outbound.names import THREADS, Resolver
from tests.certificates import certified
from tests.pace import stood, until
from tests.upstream import receiving as server
from tests.upstream.receiving import HOST, answer, receiving

PUBLIC = "93.184.215.14"
FAST = 0.6  # seconds for a whole call in tests that wait for its end


def names(*answers):
    """Return a resolver that gives these answers in turn, the last for ever, and what it was."""
    asked = []

    async def resolve(host, port):
        asked.append(host)
        given = answers[min(len(asked), len(answers)) - 1]
        return tuple(ipaddress.ip_address(text) for text in given)

    return resolve, asked


def loopback(**calls):
    """Return calls that may reach this machine under the test's host name."""
    resolve, _ = names(("127.0.0.1",))
    return Outbound((HOST,), Calls(**{"resolve": resolve} | calls))


MALFORMED = (
    "",
    "keys.client.example/jwks",
    "//keys.client.example/jwks",
    "https:keys.client.example/jwks",
    "https:///jwks",
    "https://",
    "https://keys.client.example/a b",
    "https://keys.client.example/a\nb",
    "\thttps://keys.client.example/",
    "https://keys.client.example\\@127.0.0.1/",
    "https://keys.client.example/jwks#part",
    "https://user@keys.client.example/",
    "https://user:word@keys.client.example/",
    "https://keys.client.example:443@127.0.0.1/",
    "https://127.0.0.1@keys.client.example/",
    "https://keys.client.example%2f@127.0.0.1/",
    "https://%31%32%37.0.0.1/",
    "https://keys.client.example%00.evil.example/",
    "https://keys.client.example:0/",
    "https://keys.client.example:65536/",
    "https://keys.client.example:99999/",
    "https://keys.client.example:/",
    "https://keys.client.example:4 43/",
    "https://keys..client.example/",
    "https://.client.example/",
    "https://keys.client.example./",
    "https://-keys.client.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://keys.client.example/" + "a" * 2048,
    "https://kéys.client.example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://[::1/",
    "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[v1.x]/",
)
OTHER_SCHEMES = (
    "http://keys.client.example/jwks",
    "HTTP://keys.client.example/jwks",
    "file:///etc/passwd",
    "ftp://keys.client.example/jwks",
    "gopher://127.0.0.1:6379/_INFO",
    "data:application/json,{}",
    "unix:///run/redis.sock",
    "ws://keys.client.example/",
    "javascript:alert(1)",
)
ODD_NUMBERS = (
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://010.0.0.1/",
    "https://127.0.0.1.0x0/",
    "https://256.256.256.256/",
    "https://keys.client.example.1/",
    "https://0/",
)
LOCAL_NAMES = (
    "https://localhost/",
    "https://LOCALHOST:8443/",
    "https://broker.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://nas.home.arpa/",
    "https://redis/",
    "https://metadata/",
)
PRIVATE = (
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:93.184.215.14",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:5ef5:79fd:0:59d:a0e5:ba1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2a00:1450::5efe:7f00:1",
    "2a00:1450::200:5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("url", [*MALFORMED, *OTHER_SCHEMES, *ODD_NUMBERS, *LOCAL_NAMES])
async def test_an_address_is_refused_as_it_is_written(url):
    """Ambiguous, not https, a number in disguise, a local name: nobody is even asked for it."""
    resolve, asked = names((PUBLIC,))
    outbound = Outbound((), Calls(resolve=resolve))
    with pytest.raises(OutboundRefused):
        outbound.check(url)
    with pytest.raises(OutboundRefused):
        await outbound.get_json(url, limit=1000)
    with pytest.raises(OutboundRefused):
        await outbound.post_form(url, {"a": "b"})
    assert asked == []


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_refused(address):
    """Written as it is, and as the one that a name leads to, alone or among public ones."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(OutboundRefused):
        Outbound().check(f"https://{host}/")
    for found in ((address,), (PUBLIC, address)):
        resolve, _ = names(found)
        with pytest.raises(OutboundRefused):
            await Outbound((), Calls(resolve=resolve)).get_json(f"https://{HOST}/", limit=10)


@pytest.mark.parametrize(
    "address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::2004", "64:ff9b::101:101"]
)
def test_a_public_address_is_taken(address):
    """Those of the internet; behind NAT64 (DNS64) an IPv4 address is what it translates to."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}",
        f"https://{HOST}/jwks?a=b&c=d",
        f"https://{HOST}:8443/jwks",
        f"HTTPS://{HOST.upper()}/jwks",
        "https://xn--bcher-kva.example/",
        f"https://{PUBLIC}/jwks",
        "https://[2606:4700::1111]/jwks",
    ],
)
def test_an_address_may_be_named(url):
    """Any https address of a public host, on any port."""
    Outbound().check(url)


async def test_json_is_read_over_tls_from_the_address_that_was_judged(tmp_path):
    """The certificate is the name's (SNI), so is the Host; the name is resolved once."""
    tls, trust, _ = certified(tmp_path, HOST)
    resolve, asked = names(("127.0.0.1",), ("127.0.0.9",))
    outbound = Outbound((HOST,), Calls(trust=trust, resolve=resolve))
    async with receiving(answer(b'{"keys": []}'), tls=tls) as (port, seen):
        found = await outbound.get_json(f"https://{HOST}:{port}/jwks?v=1", limit=100)
    assert found == ({"keys": []}, None)
    assert asked == [HOST]
    head = seen[0][0].lower()
    assert head.startswith("get /jwks?v=1 http/1.1")
    assert f"host: {HOST}:{port}" in head
    assert "accept-encoding: identity" in head
    assert "cookie" not in head


async def test_certificates_are_read_once_and_aside(monkeypatch, tmp_path):
    """Reading a hundred authorities holds up nobody else, and is done for the first call alone."""
    tls, trust, _ = certified(tmp_path, HOST)
    read = []

    def reading():
        read.append(threading.current_thread())
        return trust

    monkeypatch.setattr("broker.upstream.outbound.caller.httpx2.create_ssl_context", reading)
    async with receiving(answer(b"{}"), tls=tls) as (port, _):
        outbound = loopback()
        for _ in range(3):
            await outbound.get_json(f"https://{HOST}:{port}/jwks", limit=100)
    assert len(read) == 1
    assert read[0] is not threading.main_thread()


async def test_a_certificate_of_another_name_is_refused(tmp_path):
    """Nothing is sent to a server that cannot prove its name; an allowed host has to as well."""
    tls, trust, _ = certified(tmp_path, "other.example")
    async with receiving(answer(), tls=tls) as (port, seen):
        with pytest.raises(OutboundFailed):
            await loopback(trust=trust).get_json(f"https://{HOST}:{port}/", limit=100)
        with pytest.raises(OutboundFailed):
            await loopback().post_form(f"https://{HOST}:{port}/", {"a": "b"})
    assert seen == []


async def test_a_name_that_changes_its_mind_is_called_where_it_was_judged(monkeypatch):
    """A public answer when asked, a private one a moment later: nobody asks again."""
    resolve, asked = names((PUBLIC,), ("127.0.0.1",))
    calls = []

    async def record(self, request):
        calls.append(request.url.host)
        raise OutboundFailed

    monkeypatch.setattr("httpx2.AsyncHTTPTransport.handle_async_request", record)
    with pytest.raises(OutboundFailed):
        await Outbound((), Calls(resolve=resolve)).get_json(f"https://{HOST}/", limit=10)
    assert calls == [PUBLIC]
    assert asked == [HOST]


async def test_the_next_address_is_tried_where_one_takes_no_connection():
    """A host with a dead address is reached by its other one."""
    resolve, _ = names(("127.0.0.9", "127.0.0.1"))
    async with receiving(answer(b"[1]")) as (port, _):
        outbound = Outbound((HOST,), Calls(resolve=resolve))
        assert (await outbound.get_json(f"http://{HOST}:{port}/", limit=10)).value == [1]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(status):
    """Wherever it leads."""
    async with receiving(answer(b"{}")) as (inner, reached):
        reply = answer(b"", f"location: http://{HOST}:{inner}/", status=status)
        async with receiving(reply) as (port, _):
            url = f"http://{HOST}:{port}/"
            with pytest.raises(OutboundFailed):
                await loopback().get_json(url, limit=100)
            assert await loopback().post_form(url, {"a": "b"}) == int(status[:3])
    assert reached == []


async def test_a_form_is_sent_and_its_status_told():
    """Encoded as forms are; the answer's body is not waited for."""
    async with receiving(answer(b"", status="204 No Content")) as (port, seen):
        url = f"http://{HOST}:{port}/logout"
        assert await loopback().post_form(url, {"logout_token": "a+b/c="}) == 204
    head, body = seen[0]
    assert head.startswith("POST /logout ")
    assert "application/x-www-form-urlencoded" in head
    assert body == "logout_token=a%2Bb%2Fc%3D"
    async with receiving(server.drip) as (port, _):
        assert await loopback().post_form(f"http://{HOST}:{port}/", {}) == 200


@pytest.mark.parametrize("reply", [server.drip, server.silence, server.headers, server.flood])
async def test_an_answer_without_an_end_is_given_up(reply):
    """By its size or by its time, whichever is first; quickly in any case."""
    began = time.monotonic()
    async with receiving(reply) as (port, _):
        with pytest.raises(OutboundFailed):
            await loopback(deadline=FAST).get_json(f"http://{HOST}:{port}/", limit=65536)
    assert time.monotonic() - began < FAST + 3


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"[" + b" " * 70_000 + b"]"),
        answer(b"<html>"),
        answer(b""),
        answer(b'{"a": '),
        answer(b"[" * 60_000),
        answer(b"\xff\xfe"),
        answer(b"{}", status="404 Not Found"),
        answer(b"{}", status="500 Internal Server Error"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}",
    ],
)
async def test_an_answer_that_is_no_use(reply):
    """Compressed, too large, no JSON, cut short, no HTTP: one kind of failure."""
    async with receiving(reply) as (port, _):
        with pytest.raises(OutboundFailed):
            await loopback().get_json(f"http://{HOST}:{port}/", limit=65536)


async def test_a_compressed_answer_is_not_unpacked():
    """It was not asked for, and could unpack to far more than it weighs."""
    async with receiving(server.bomb()) as (port, _):
        with pytest.raises(OutboundFailed) as raised:
            await loopback().get_json(f"http://{HOST}:{port}/", limit=1_000_000)
    assert "compressed" in raised.value.private


@pytest.mark.parametrize(
    ("said", "age"),
    [
        ((), None),
        (("cache-control: max-age=300",), 300),
        (('cache-control: public, MAX-AGE="300"',), 300),
        (("cache-control: max-age=300", "age: 100"), 200),
        (("cache-control: max-age=300", "age: 900"), 0),
        (("cache-control: max-age=300", "age: soon"), 300),
        (("cache-control: s-maxage=300",), None),
        (("cache-control: no-store, max-age=300",), 0),
        (("cache-control: no-cache",), 0),
        (("cache-control: max-age=-1",), None),
    ],
)
async def test_how_long_an_answer_may_be_kept(said, age):
    """As its headers say (RFC 9111 §4.2), less the time it spent in caches before."""
    async with receiving(answer(b"1", *said)) as (port, _):
        assert await loopback().get_json(f"http://{HOST}:{port}/", limit=9) == (1, age)


async def test_an_operator_allows_single_hosts():
    """By host, or by host and port; no other host, no other port, no part of a name."""
    async with receiving(answer(b"1")) as (port, _):
        for entry in ("127.0.0.1", f"127.0.0.1:{port}"):
            url = f"http://127.0.0.1:{port}/"
            assert (await Outbound((entry,)).get_json(url, limit=9)).value == 1
        for entry in (f"127.0.0.1:{port + 1}", "127.0.0.", "127.0.0.2", "0.0.1", "*", ""):
            with pytest.raises(OutboundRefused):
                await Outbound((entry,)).get_json(f"http://127.0.0.1:{port}/", limit=9)
    with pytest.raises(OutboundRefused):
        Outbound(("client.example",)).check("http://keys.client.example/")
    Outbound(("[::1]",)).check("http://[::1]:8000/")
    Outbound(("Keys.Client.Example",)).check("http://keys.client.example/")


async def test_the_proxy_of_the_environment_is_left_aside(monkeypatch):
    """A proxy would do the connecting, and to what it resolves."""
    async with receiving(answer(b"1")) as (proxy, seen), receiving(answer(b"2")) as (port, _):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        assert (await loopback().get_json(f"http://{HOST}:{port}/", limit=9)).value == 2
    assert seen == []


async def test_calls_under_way_are_bounded():
    """Slow hosts hold up no more than the calls that may be under way, until their deadline."""
    outbound = loopback(deadline=2.0, at_once=2)
    async with receiving(server.silence) as (slow, seen), receiving(answer(b"1")) as (port, _):
        calls = [outbound.post_form(f"http://{HOST}:{slow}/", {}) for _ in range(5)]
        running = asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: len(seen) >= 2)
        await asyncio.sleep(0.2)
        assert len(seen) == 2  # and whoever waited gets a turn when the time of these is over
        assert all(isinstance(each, OutboundFailed) for each in await running)
        assert (await outbound.get_json(f"http://{HOST}:{port}/", limit=9)).value == 1


async def test_names_are_found_by_the_machine():
    """``localhost`` is; a name that cannot exist is a failure, not a crash."""
    assert ipaddress.ip_address("127.0.0.1") in await Resolver()("localhost", 443)
    with pytest.raises(OutboundFailed):
        await Resolver()("no-such-host.invalid", 443)


async def test_name_servers_that_never_answer_hold_up_nobody_else(monkeypatch):
    """They keep the few threads of these look-ups; the call fails in time all the same."""
    import threading

    let_go = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_kw: let_go.wait(10) and [])
    outbound = Outbound((), Calls(deadline=0.2))
    try:
        calls = [outbound.get_json(f"https://{HOST}/", limit=9) for _ in range(THREADS + 3)]
        began = time.monotonic()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 5  # name servers would take ten
        assert all(isinstance(each, OutboundFailed) for each in ended)
    finally:
        let_go.set()


async def test_what_arrived_while_the_process_stood_still_is_taken():
    """Connecting, sending and reading; an answer is not thrown away because its time was over."""
    asked = asyncio.Event()

    async def late(writer):
        asked.set()
        await asyncio.sleep(0.05)
        writer.write(answer(b"[1]"))

    async with receiving(late) as (port, _):
        task = asyncio.create_task(loopback().get_json(f"http://{HOST}:{port}/", limit=10))
        for _ in range(3):
            await asyncio.sleep(0)
        stood(60.0)
        await asked.wait()
        stood(60.0)
        assert (await task).value == [1]
