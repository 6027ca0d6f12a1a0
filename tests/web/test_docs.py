"""The pages for developers: whole, kept by caches, closed to foreign scripts, true to the guide."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core import metadata
from broker.web.docs import claims
from broker.web.docs.render import snippets
from broker.web.docs.stacks import STACKS
from tests.web import fakes
from tests.web.client import edge

GUIDE = Path(__file__).parents[2] / "deploy" / "downstream.md"
PAGES = ["/docs", *(f"/docs/{stack.name}" for stack in STACKS), "/docs/try"]
HOSTILE = "\"'</code><script>alert(1)</script>"


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_whole_and_filled_in(path: str) -> None:
    """Each has a language, a title, one main heading and nothing inline, and names this issuer."""
    async with edge(fakes.Core()) as client:
        answer = await client.get(path)
    text = answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert text.lstrip().startswith("<!doctype html>")
    assert '<html lang="en">' in text
    assert "· Token Broker</title>" in text
    assert text.count("<h1") == text.count("<main") == text.count('rel="stylesheet"') == 1
    assert "style=" not in text
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert fakes.ISSUER in text
    assert "{{" not in text


@pytest.mark.parametrize("path", PAGES)
async def test_scripts_run_on_the_one_page_that_needs_one(path: str) -> None:
    """That page runs our file and calls us, nobody else; all others run nothing."""
    async with edge(fakes.Core()) as client:
        answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'; frame-anc")
    ours = "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
    assert policy.endswith(ours) == (path == "/docs/try")
    assert ("script-src" in policy) == ("<script" in answer.text) == (path == "/docs/try")
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_caches_may_keep_a_page_and_its_policy() -> None:
    """A 304 repeats the page's own policy: a cache takes over what it says (RFC 9111 §4.3.4)."""
    async with edge(fakes.Core()) as client:
        first = await client.get("/docs/try?code=x&state=y")
        again = await client.get("/docs/try", headers={"if-none-match": first.headers["etag"]})
    assert first.headers["cache-control"] == "public, max-age=60"
    assert "set-cookie" not in first.headers
    assert (again.status_code, again.content) == (304, b"")
    for name in ("content-security-policy", "cache-control", "etag"):
        assert again.headers[name] == first.headers[name]


async def test_there_is_nothing_where_they_are_off() -> None:
    """Switched off, they are addresses like any other that is not there."""
    async with edge(fakes.Core(), services={"manual": None}) as client:
        assert {(await client.get(path)).status_code for path in PAGES} == {404}
        assert 'href="/docs"' not in (await client.get("/")).text
    async with edge(fakes.Core()) as client:
        assert 'href="/docs"' in (await client.get("/")).text


async def test_the_page_that_signs_in_is_not_there_unless_it_is_on() -> None:
    """Without its client there is no page, and no link to it."""
    manual = replace(fakes.MANUAL, try_client=None)
    async with edge(fakes.Core(), services={"manual": manual}) as client:
        assert (await client.get("/docs/try")).status_code == 404
        assert "/docs/try" not in (await client.get("/docs")).text


async def test_an_operators_words_stay_text() -> None:
    """A brand with quotes or markup breaks neither the page nor what is copied from it."""
    async with edge(fakes.Core(), brand=HOSTILE) as client:
        for path in PAGES:
            text = (await client.get(path)).text
            assert "<script>alert" not in text
            assert "&lt;script&gt;alert" in text
    name = re.search(r"  name: (.*),", snippets(issuer=fakes.ISSUER, brand=HOSTILE)["provider.js"])
    assert name is not None
    assert json.loads(name[1]) == HOSTILE


async def test_what_is_shown_is_what_the_tests_run() -> None:
    """Each file there is to copy is on a page, to the letter."""
    async with edge(fakes.Core()) as client:
        shown = "".join([html.unescape((await client.get(path)).text) for path in PAGES])
    for name, text in snippets(issuer=fakes.ISSUER, brand="Token Broker").items():
        assert text in shown, name


@pytest.mark.parametrize(
    "name", ["tokens.py", "fastapi_app.py", "guard.py", "views.py", "express_app.mjs"]
)
def test_what_verifies_is_that_of_the_guide_for_services(name: str) -> None:
    """They are the same files, which the guide's tests attack; a change is made in both."""
    guide = GUIDE.read_text("utf-8")
    found = re.search(rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)```", guide, re.DOTALL)
    assert found is not None
    assert snippets(issuer="https://id.example.org", brand="x")[name] == found[1]


def test_every_claim_is_explained() -> None:
    """What discovery announces, and what access tokens have besides, has its line."""
    announced = set(metadata.provider(fakes.ISSUER)["claims_supported"])
    assert announced | {"client_id", "scope", "jti", "cnf", "act"} == set(claims.CLAIMS)


async def test_self_registration_is_told_as_it_is() -> None:
    """The overview says how an app may register itself, where it may."""
    for kind, words in (("off", None), ("token", "initial access token"), ("open", "RFC 7591")):
        manual = replace(fakes.MANUAL, registration=kind)
        async with edge(fakes.Core(), services={"manual": manual}) as client:
            text = (await client.get("/docs")).text
        assert ("register themselves" in text) == (words is not None)
        assert words is None or words in text
