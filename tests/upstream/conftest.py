"""Fixtures: the connection pool that all upstreams share."""

import pytest

from broker.upstream.base import BoundedTransport


@pytest.fixture
async def transport():
    bounded = BoundedTransport()
    yield bounded
    await bounded.shut()
