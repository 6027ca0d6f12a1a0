"""The transport that all upstreams share."""

import gzip

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from broker.demo.serving import serving
from broker.upstream.base import AnswerTooLarge, BoundedTransport


async def test_a_compressed_answer_is_not_unpacked():
    """None is asked for, and it could unpack to far more than it weighs; nothing of it is read.

    Nor does it keep its connection, which here is the only one.
    """
    narrow, asked = BoundedTransport(connections=1), []

    async def packed(request):
        asked.append(request.headers["accept-encoding"])
        return Response(gzip.compress(b"[]"), headers={"content-encoding": "gzip"})

    async with (
        serving(Starlette(routes=[Route("/", packed)])) as origin,
        httpx2.AsyncClient(transport=narrow, trust_env=False) as client,
    ):
        for _ in range(3):
            with pytest.raises(AnswerTooLarge, match="compressed"):
                await client.get(origin)
    assert asked == ["identity"] * 3
    await narrow.shut()
