"""A real broker, seen through a proxy that misbehaves in each way."""

import asyncio

import pytest

from tests.doctor.conftest import bad, finding

D, K, C, E = "Discovery", "Keys", "Caching", "Every address and process"


async def test_a_broker_as_it_comes_is_right_in_everything(front, look):
    """Not one warning, straight and through a proxy that hands on everything."""
    sections = await look(front.issuer)
    assert bad(sections) == {}
    assert [section.title for section in sections] == ["Front door", D, K, C, E]
    assert sum(len(section.findings) for section in sections) >= 30


@pytest.mark.parametrize(
    ("flaw", "expected"),
    [
        (
            "strips_cache_control",
            {
                (D, "caching"): "warn",
                (C, "Cache-Control"): "fail",
                (C, "lifetime"): "fail",
                (C, "If-None-Match"): "warn",
            },
        ),
        ("overdue", {("Front door", "clock"): "warn", (C, "Age"): "fail"}),
        ("weak_etag", {}),
        ("own_etag", {(C, "If-None-Match"): "warn"}),
        ("strips_etag", {(C, "ETag"): "warn"}),
        ("redirects", {(D, "redirects"): "warn", (K, "redirects"): "warn"}),
        ("cookie", {(D, "cookies"): "warn", (K, "cookies"): "fail"}),
        ("html", {(D, "media type"): "fail", (D, "content"): "fail"}),
        (
            "html_keys",
            {
                (K, "media type"): "fail",
                (K, "content"): "fail",
                (K, "CORS"): "warn",
                (C, "Cache-Control"): "fail",
                (C, "lifetime"): "fail",
                (C, "ETag"): "warn",
                (C, "compression"): "fail",
            },
        ),
        ("drops_cors", {(D, "CORS"): "warn", (K, "CORS"): "warn"}),
        ("no_head", {(C, "HEAD"): "warn"}),
        ("slow", {(K, "speed"): "warn"}),
        ("fails", {(D, "document"): "fail"}),
        ("keys_fail", {(K, "document"): "fail", (E, "addresses"): "fail"}),
        ("bad_gzip", {(K, "document"): "fail"}),
        ("loops", {(D, "document"): "fail", (D, "redirects"): "fail"}),
    ],
)
async def test_a_proxy_that_misbehaves_is_found_out(front, look, flaw, expected):
    """Exactly what it breaks is told, each with a cure."""
    front.proxy.behave(flaw)
    sections = await look(front.issuer)
    assert bad(sections) == expected
    assert all(finding(sections, *place).cure for place in expected)


async def test_a_cache_that_never_lets_go_is_found_when_keys_change(front, look):
    """It heeds neither max-age nor no-cache; only a query it never saw gets past it."""
    front.proxy.behave("caches")
    assert finding(await look(front.issuer), E, "same keys").verdict == "pass"
    front.broker.cli("keys", "rotate", "--now")
    for _ in range(100):
        found = finding(await look(front.issuer), E, "same keys")
        if found.verdict == "fail":
            break
        await asyncio.sleep(0.1)  # the broker's processes follow their key store each second
    assert found.verdict == "fail"
    assert "behind the broker" in found.seen
    front.proxy.behave()
    assert finding(await look(front.issuer), E, "same keys").verdict == "pass"


async def test_asked_by_another_name(front, look):
    """The issuer is compared to the letter: the broker's own port is not its address."""
    sections = await look(f"http://127.0.0.1:{front.broker.port}")
    assert bad(sections) == {(D, "issuer"): "fail", (D, "jwks_uri"): "warn"}
