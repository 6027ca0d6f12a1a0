"""A broker that is killed between a logout and its delivery: the client hears of it anyway."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from broker.stores.redis.notices import FIRST_LOOK, LEASE
from broker.stores.sql.facade import SqlStores
from tests.faults.conftest import Make
from tests.faults.elsewhere import Redis
from tests.faults.people import CLIENT, Person
from tests.faults.test_outbox_crash import in_sql
from tests.faults.waiting import eventually
from tests.ports import free_port
from tests.running import RunningBroker

SOON = 6.0  # seconds in which a broker that lives has delivered


@dataclass
class Receiver:
    """Takes logout tokens; while ``mute`` is set it answers none, until the end.

    Attributes:
        tokens: those it got.
        mute: whether it keeps silent.
    """

    port: int
    tokens: list[str] = field(default_factory=list)
    mute: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/logout"

    @contextmanager
    def up(self) -> Iterator[None]:
        """Listen while the block runs."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                receiver.tokens.append(parse_qs(body)["logout_token"][0])
                if receiver.mute:
                    receiver.over.wait(60)
                    return
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.over.set()
            server.shutdown()
            server.server_close()


@pytest.fixture
def receiver() -> Receiver:
    """A receiver that is not up yet."""
    return Receiver(free_port())


def wants_to_be_told(broker: RunningBroker, receiver: Receiver) -> None:
    """Register the receiver with the client."""

    async def edit(stores: SqlStores, now: float) -> None:
        record = await stores.clients.get(CLIENT.client_id)
        assert record is not None
        told = replace(record.client, backchannel_logout_uri=receiver.uri)
        await stores.clients.edit(told, version=record.version, now=now)

    in_sql(broker, edit)


def signed_out(broker: RunningBroker) -> str:
    """Sign in and out again; returns the session's identifier."""
    person, hint, sid = signed_in(broker)
    sign_out(person, hint)
    return sid


def signed_in(broker: RunningBroker) -> tuple[Person, str, str]:
    """Sign in; returns who did, the ID token and the session's identifier."""
    person = Person(broker.issuer)
    hint = person.tokens()["id_token"]
    return person, hint, str(judged(broker.issuer, hint, CLIENT.client_id)["sid"])


def sign_out(person: Person, hint: str) -> None:
    """Sign out again."""
    answer = person.http.get("/logout", params={"id_token_hint": hint})
    assert answer.status_code == 200, answer.text


def judged(issuer: str, token: str, audience: str, keys: Any = None) -> dict[str, Any]:
    """Return the claims of a token of that broker."""
    keys = keys or httpx2.get(f"{issuer}/.well-known/jwks.json", trust_env=False).json()
    found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (found["iss"], found["aud"]) == (issuer, audience)
    return dict(found)


@pytest.mark.redis_server
def test_killed_right_after_the_logout(make: Make, receiver: Receiver, elsewhere: Redis) -> None:
    """Another broker on the same stores delivers it, within seconds.

    Or when a lease has run out: where the machine was busy, this one may have been about to.
    """
    shared = {"redis_url": elsewhere.url, "outbound_allow": "127.0.0.1"}
    first = make(**shared)
    wants_to_be_told(first, receiver)
    database = f"sqlite+aiosqlite:///{first.data_dir / 'broker.db'}"
    with receiver.up():
        second = make(**shared, database_url=database, issuer=first.issuer)
        keys = httpx2.get(f"{second.issuer}/.well-known/jwks.json", trust_env=False).json()
        person, hint, sid = signed_in(first)
        began = time.monotonic()
        sign_out(person, hint)
        os.kill(first.pid, signal.SIGKILL)
        looked = time.monotonic() - began >= FIRST_LOOK
        eventually(lambda: receiver.tokens, LEASE + SOON if looked else SOON)
        claims = judged(first.issuer, receiver.tokens[0], CLIENT.client_id, keys)
        assert claims["sid"] == sid


def test_killed_in_the_middle_of_a_delivery(make: Make, receiver: Receiver) -> None:
    """Nobody knows whether the client took it; it is told again when the lease has run out."""
    broker = make(outbound_allow="127.0.0.1")
    wants_to_be_told(broker, receiver)
    receiver.mute = True
    with receiver.up():
        sid = signed_out(broker)
        eventually(lambda: receiver.tokens, SOON)
        broker.kill9()
        receiver.mute = False
        broker.restart()
        eventually(lambda: len(receiver.tokens) > 1, LEASE + SOON)
        heard = [judged(broker.issuer, each, CLIENT.client_id) for each in receiver.tokens]
    assert [claims["sid"] for claims in heard] == [sid, sid]
    assert heard[0]["jti"] != heard[1]["jti"]


def test_killed_while_the_receiver_was_down(make: Make, receiver: Receiver) -> None:
    """Nothing of it is in the process' memory: the next one delivers when the receiver is up."""
    broker = make(outbound_allow="127.0.0.1")
    wants_to_be_told(broker, receiver)
    sid = signed_out(broker)
    eventually(lambda: "logout.not_told" in broker.tail(100), SOON)
    broker.kill9()
    with receiver.up():
        broker.restart()
        eventually(lambda: receiver.tokens, 2 * SOON)
        assert judged(broker.issuer, receiver.tokens[0], CLIENT.client_id)["sid"] == sid
