"""Asking: TLS, every address, and servers that do not answer."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from broker.demo.serving import listen
from broker.doctor.examine import examine, unreachable
from broker.doctor.fetching import LONGEST_BODY, Fetcher, resolve
from broker.doctor.gathering import gather
from broker.doctor.model import Answer, Silence, Trouble
from tests.certificates import certified
from tests.doctor.conftest import MachineClock, bad, finding
from tests.doctor.recorded import body

HOST = "login.broker.test"
NAMES = (HOST, "127.0.0.9")


@asynccontextmanager
async def answering(
    content: bytes = b"{}", *, host: str = "127.0.0.1", port: int = 0, tls=None, hold: bool = False
):
    """Answer every request alike, and collect them; yields the port and the requests."""
    seen: list[str] = []

    async def one(reader, writer):
        try:
            seen.append((await reader.read(65536)).decode("latin-1"))
            if hold:
                await reader.read()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, sock=listen(host, port), ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


async def here(_host, _port):
    return ("127.0.0.1",)


def fetcher(**changes):
    return Fetcher(MachineClock(), **{"resolve": here, "timeout": 5.0} | changes)


@pytest.mark.parametrize(("days", "verdict"), [(5, "warn"), (60, "pass")])
async def test_a_certificate_is_read_from_the_connection(tmp_path, days, verdict):
    """By the host's name, though the connection goes to an address (SNI and verification)."""
    server, trust, _ = certified(tmp_path, *NAMES, days=days)
    async with answering(tls=server) as (port, seen):
        asks = fetcher(trust=trust)
        look = await asks.ask(f"https://{HOST}:{port}/", address="127.0.0.1")
        assert isinstance(look, Answer)
        assert f"host: {HOST}:{port}" in seen[0].lower()
        left = look.certificate.ends_at - MachineClock().now()
        assert abs(left - days * 86400) < 60
        assert look.certificate.issuer == "Test authority"
    from broker.doctor.checks.front_door import certificate

    assert certificate(look, MachineClock().now()).verdict == verdict


@pytest.mark.parametrize(("days", "name"), [(60, "other.test"), (-1, HOST)])
async def test_a_certificate_that_is_refused(tmp_path, days, name):
    """For another name, or expired."""
    server, trust, _ = certified(tmp_path, name, "127.0.0.9", days=days)
    async with answering(tls=server) as (port, _):
        look = await fetcher(trust=trust).ask(f"https://{HOST}:{port}/", address="127.0.0.1")
    assert isinstance(look, Silence)
    assert look.trouble is Trouble.TLS


async def test_an_untrusted_certificate_is_judged_not_called_out_of_reach(tmp_path):
    """It answered; every verifier stops there too, and the cure is told."""
    server, _, _ = certified(tmp_path, *NAMES)
    async with answering(tls=server) as (port, _):
        issuer = f"https://127.0.0.1:{port}"
        evidence = await gather(issuer, fetcher(), 0.0)
    assert unreachable(evidence) is None
    sections = examine(evidence)
    assert bad(sections) == {("Front door", "TLS certificate"): "fail"}
    assert "--ca-file" in finding(sections, "Front door", "TLS certificate").cure


async def test_every_address_is_asked_and_compared():
    """Two edges behind one name that serve other keys; a third that is not there."""

    async def three(_host, _port):
        return ("127.0.0.1", "127.0.0.2", "127.0.0.3")

    def served(port):
        issuer = f"http://localhost:{port}"
        algorithms = {"id_token_signing_alg_values_supported": ["RS256"]}
        return issuer, {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", **algorithms}

    async with answering(body(1, 2)) as (port, first):
        issuer, metadata = served(port)

        class Asks(Fetcher):
            async def ask(self, url, **more):
                look = await super().ask(url, **{"address": "127.0.0.1"} | more)
                if url.endswith("openid-configuration") and isinstance(look, Answer):
                    return Answer(url, 200, look.headers, json.dumps(metadata).encode())
                return look

        async with answering(body(3, 4), host="127.0.0.2", port=port) as (_, second):
            asks = Asks(MachineClock(), resolve=three)
            evidence = await gather(issuer, asks, 0.0, connections=6, settle=0)
    assert len(first) > 4
    # 6 connections over 3 addresses, each with a look past the caches; twice, for they differ
    assert len(second) == 8
    sections = examine(evidence)
    where = "Every address and process"
    away = finding(sections, where, "addresses")
    assert away.verdict == "fail"
    assert "127.0.0.3: connection refused" in away.seen
    assert "no key in common" in finding(sections, where, "same keys").seen


async def test_servers_that_do_not_answer():
    """Refused, silent, unknown, endless: each is named, nothing is raised."""
    look = await fetcher().ask("http://127.0.0.1:1/")
    assert look.trouble is Trouble.REFUSED
    async with answering(hold=True) as (port, _):
        look = await fetcher(timeout=0.2).ask(f"http://127.0.0.1:{port}/")
        assert look.trouble is Trouble.SLOW
        look = await fetcher(timeout=0.2).ask(f"https://127.0.0.1:{port}/")
        assert look.trouble is Trouble.SLOW  # not blamed on TLS
    look = await fetcher().ask("http://no-such-name.invalid/")
    assert look.trouble is Trouble.NAME
    async with answering(b" " * (LONGEST_BODY + 5)) as (port, _):
        look = await fetcher().ask(f"http://127.0.0.1:{port}/")
        assert look.cut
        assert len(look.body) == LONGEST_BODY
    async with answering() as (port, _):
        look = await fetcher().ask(f"https://127.0.0.1:{port}/")
        assert look.trouble is Trouble.TLS


async def test_names_resolve_to_every_address():
    """An address is itself; an unknown name has none."""
    assert await resolve("127.0.0.1", 80) == ("127.0.0.1",)
    assert await resolve("::1", 80) == ("::1",)
    assert "127.0.0.1" in await resolve("localhost", 80)
    assert await resolve("no-such-name.invalid", 80) == ()


async def test_a_rotation_caught_in_the_act_is_not_taken_for_a_fault():
    """Answers that differ are looked at a second time, a moment later."""
    metadata = {"issuer": "http://localhost", "jwks_uri": "http://localhost/jwks"}

    class Changes(Fetcher):
        asked = 0

        async def ask(self, url, **more):
            if url.endswith("openid-configuration"):
                return Answer(url, 200, body=json.dumps(metadata).encode())
            self.asked += 1
            return Answer(url, 200, body=body(1, 2) if self.asked < 9 else body(1, 2, 3))

    asks = Changes(MachineClock(), resolve=here)
    evidence = await gather("http://localhost", asks, 0.0, connections=3, settle=0)
    where = "Every address and process"
    assert finding(examine(evidence), where, "same keys").verdict == "pass"
