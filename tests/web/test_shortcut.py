"""Public documents take the short way, and say the same there as on the long one."""

import pytest

from tests.web import fakes
from tests.web.client import edge

PATHS = (
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
)


@pytest.mark.parametrize("path", PATHS)
async def test_both_ways_say_the_same(path: str) -> None:
    """A HEAD goes the long way; but for the identifier its headers are those of the GET."""
    async with edge(fakes.Core()) as client:
        short, long = await client.get(path), await client.head(path)
    assert "x-request-id" in long.headers
    assert sorted(short.headers.items()) == sorted(
        (name, value) for name, value in long.headers.items() if name != "x-request-id"
    )


@pytest.mark.parametrize("path", PATHS)
async def test_it_answers_again_and_again(path: str) -> None:
    """One request does not use up what the next is answered from."""
    async with edge(fakes.Core()) as client:
        first, second = await client.get(path), await client.get(path)
    assert first.content == second.content
    assert list(first.headers.items()) == list(second.headers.items())
    assert second.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", PATHS)
async def test_conditions_are_judged(path: str) -> None:
    """If-None-Match goes the long way and gets its 304."""
    async with edge(fakes.Core()) as client:
        etag = (await client.get(path)).headers["etag"]
        again = await client.get(path, headers={"if-none-match": etag})
    assert again.status_code == 304
