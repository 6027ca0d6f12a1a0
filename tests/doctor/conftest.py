"""A real broker behind a proxy that tests tell to misbehave."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from broker.demo.serving import serving_in_thread
from broker.doctor import fetching
from broker.doctor.examine import examine
from broker.doctor.fetching import Fetcher
from broker.doctor.gathering import gather
from broker.doctor.model import Finding, Section
from tests.doctor.proxy import BadProxy
from tests.running import RunningBroker


class MachineClock:
    """The machine's time."""

    def now(self) -> float:
        import time

        return time.time()


@dataclass
class Front:
    """The deployment: what everybody talks to, and what stands behind."""

    issuer: str
    proxy: BadProxy
    broker: RunningBroker


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A broker whose public address is the proxy's."""
    proxy = BadProxy()
    with (
        serving_in_thread(proxy.app()) as origin,
        RunningBroker(
            tmp_path_factory.mktemp("doctor"), {"BROKER_ISSUER": origin, "BROKER_JWKS_CACHE": "600"}
        ) as broker,
    ):
        proxy.upstream = f"http://127.0.0.1:{broker.port}"
        yield Front(origin, proxy, broker)


@pytest.fixture
def front(deployment: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """The deployment, its proxy well-behaved until told otherwise.

    How long its answers take is the proxy's to say: a machine that stands still is no flaw of it.
    """
    monkeypatch.setattr(fetching, "perf_counter", lambda: deployment.proxy.watch)
    deployment.proxy.behave()
    yield deployment
    deployment.proxy.behave()


Sections = Sequence[Section]


@pytest.fixture
def look() -> Callable:
    """Look at an issuer and judge it."""

    async def looking(issuer: str, *, token: str | None = None, fetcher: Fetcher | None = None):
        clock = MachineClock()
        evidence = await gather(
            issuer, fetcher or Fetcher(clock), clock.now(), connections=2, settle=0.0
        )
        return examine(evidence, token)

    return looking


def finding(sections: Sections, title: str, name: str) -> Finding:
    """Return one finding."""
    (found,) = [
        one
        for section in sections
        for one in section.findings
        if (section.title, one.name) == (title, name)
    ]
    return found


def bad(sections: Sections) -> dict[tuple[str, str], str]:
    """Return everything that is not right."""
    return {
        (section.title, one.name): one.verdict.value
        for section in sections
        for one in section.findings
        if one.verdict != "pass"
    }
