"""What every answer carries, and what may be kept by caches."""

import pytest

from broker.core import errors as e
from tests.web import fakes
from tests.web.client import FORM, edge

CLOSED = "default-src 'none'; frame-ancestors 'none'"
PUBLIC = [
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
]


async def test_an_answer_to_a_program() -> None:
    """The token endpoint's answer has exactly these headers, in this order."""
    async with edge(fakes.Core({"a": "ü"})) as client:
        answer = await client.post("/token", data={"grant_type": "x"})
    assert list(answer.headers.items()) == [
        ("content-type", "application/json"),
        ("content-length", "10"),
        ("content-security-policy", CLOSED),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
        ("vary", "Origin"),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-request-id", "0000000100000002"),
    ]
    assert answer.text == '{"a":"ü"}'


async def test_a_page() -> None:
    """A page is not framed, not kept, not sniffed, sends no referrer and runs no script."""
    async with edge(fakes.Core(fakes.SIGNED_OUT)) as client:
        answer = await client.get("/logout")
    wanted = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:"
        " https:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "strict-transport-security": "max-age=31536000",
    }
    assert wanted.items() <= dict(answer.headers).items()


async def test_a_redirect() -> None:
    """A redirect is 303, even after a POST, unkept, and cannot be split by a line break."""
    location = "https://app.example/cb?code=1&state=a\r\nset-cookie: x=ü"
    async with edge(fakes.Core(fakes.Redirect(location))) as client:
        answer = await client.post("/interaction", data={"decision": "allow"})
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "https://app.example/cb?code=1&state=a%0D%0Aset-cookie:%20x=%C3%BC"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_plain_http_promises_no_https() -> None:
    """A loopback issuer sends no HSTS, and lets loopback pictures in."""
    async with edge(fakes.Core(fakes.SIGNED_OUT), secure=False) as client:
        answer = await client.get("/logout")
    assert "strict-transport-security" not in answer.headers
    assert "http://127.0.0.1:*" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_documents_are_kept_and_revalidated(path: str) -> None:
    """Public documents have a lifetime and an entity tag; who has them already gets 304."""
    async with edge(fakes.Core()) as client:
        full = await client.get(path)
        tag = full.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == full.headers["cache-control"]
        other = await client.get(path, headers={"if-none-match": '"other"'})
    assert full.headers["cache-control"] == "public, max-age=600"
    assert full.headers["content-type"] == "application/json"
    assert "pragma" not in full.headers
    assert other.status_code == 200


async def test_the_jwks_follows_its_source() -> None:
    """A new document or lifetime shows at once; a lifetime of 0 means: ask every time."""
    now = [(fakes.JWKS, 600)]
    async with edge(fakes.Core(), services={"jwks": lambda: now[0]}) as client:
        first = await client.get("/.well-known/jwks.json")
        now[0] = (fakes.JwksDocument(b'{"keys":[1]}', '"jwks-2"'), 0)
        second = await client.get("/.well-known/jwks.json")
    assert (first.text, first.headers["etag"]) == ('{"keys":[]}', '"jwks-1"')
    assert (second.text, second.headers["etag"]) == ('{"keys":[1]}', '"jwks-2"')
    assert second.headers["cache-control"] == "no-cache"


async def test_no_error_is_ever_kept() -> None:
    """A public route's error is no-store: a cache must not hold a broken JWKS."""

    def broken() -> tuple:
        raise e.StoreUnavailable

    async with edge(fakes.Core(), services={"jwks": broken}) as client:
        answer = await client.get("/.well-known/jwks.json")
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")


async def test_static_files_are_immutable() -> None:
    """The stylesheet's address holds its digest, so it is kept for ever."""
    async with edge(fakes.Core()) as client:
        page = await client.get("/")
        address = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        sheet = await client.get(address)
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert len(sheet.content) < 12_000
    assert len(sheet.content) + len(page.content) < 30_000


async def test_request_ids_are_ours() -> None:
    """Each answer has a fresh identifier; one from outside is not taken."""
    async with edge(fakes.Core()) as client:
        ids = [
            (await client.post("/revoke", headers=FORM | {"x-request-id": "mine"})).headers[
                "x-request-id"
            ]
            for _ in range(2)
        ]
    assert ids == ["0000000100000002", "0000000100000003"]
