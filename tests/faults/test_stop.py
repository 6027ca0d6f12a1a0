"""An orderly stop: whoever was let in gets an answer."""

import asyncio
import os
import signal
import socket

import psutil
import pytest

from broker.demo.discord import Fault
from tests.faults.conftest import Make
from tests.faults.people import CALLBACK, Load, Person, generation, lines
from tests.faults.test_embedded_processes import gone
from tests.faults.waiting import eventually

SLOW = Fault("delay", seconds=2.5)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_request_is_cut(make: Make, workers: str) -> None:
    """SIGTERM under load: slow sign-ins and refreshes under way are answered; exit code 0."""
    broker = make(workers=workers, refresh_grace="120")
    held = await asyncio.to_thread(lines, Person(broker.issuer), 4)
    people = [Person(broker.issuer) for _ in range(3)]
    backs = [await asyncio.to_thread(_at_discord, person) for person in people]
    redis = psutil.Process(broker.redis_pid())
    broker.discord.misbehave("/oauth2/token", SLOW)
    async with Load(broker.issuer, held) as load:
        await load.reaches(2)
        slow = [
            asyncio.create_task(asyncio.to_thread(person.http.get, back))
            for person, back in zip(people, backs, strict=True)
        ]
        await asyncio.to_thread(eventually, lambda: broker.discord.calls["/oauth2/token"] >= 3)
        os.kill(broker.pid, signal.SIGTERM)
        # Nobody is let in who would not be answered: a balancer tries another at once.
        await asyncio.to_thread(eventually, lambda: _refuses(broker.port), 2)
        answers = await asyncio.gather(*slow)
        assert broker._process is not None
        code = await asyncio.to_thread(broker._process.wait, 30)
    assert code == 0, broker.tail()
    assert [answer.status_code for answer in answers] == [303] * 3
    load.check()
    assert gone(redis)
    broker.discord.behave()
    await asyncio.to_thread(broker.restart)
    async with Load(broker.issuer, held) as load:
        await load.reaches(1)
    load.check()
    for line in held:
        numbers = [generation(token) for token in line.acknowledged]
        # A step that was taken and not answered would leave a gap.
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _refuses(port: int) -> bool:
    """Whether nobody is let in any more."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


def _at_discord(person: Person) -> str:
    """Go as far as Discord's yes; returns our callback's address."""
    back = person.passed(person.authorize().headers["location"])
    assert not back.startswith(CALLBACK)
    return back
