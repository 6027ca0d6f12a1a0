"""The pages people see: whole, escaped, without script, and true to what they were told."""

from dataclasses import replace

import pytest

from broker.core import errors as e
from broker.core.outcomes import ConsentPage, LogoutPage, SelectPage, SignedOutPage
from broker.web.knowledge import learned
from broker.web.render import form_source, leads_on
from tests.web import fakes
from tests.web.client import edge

HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*777777 }}"
EVIL = replace(
    fakes.APP,
    name=HOSTILE,
    client_uri="javascript:alert(1)",
    policy_uri="data:text/html,<script>",
    tos_uri='https://lantern.example/"><script>',
    logo_uri="http://lantern.example/logo.png",
)
EVIL_CLAIMS = {"name": HOSTILE, "email": HOSTILE, "picture": "javascript:alert(1)"}


async def shown(outcome, path: str = "/interaction?request=r", **config) -> tuple[str, str]:
    """Return a page and its Content-Security-Policy."""
    async with edge(fakes.Core(outcome), **config) as client:
        answer = await client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text, answer.headers["content-security-policy"]


def hostile_pages() -> list:
    return [
        ConsentPage(
            HOSTILE, HOSTILE, EVIL, ("openid", "profile", "email", HOSTILE), EVIL_CLAIMS,
            "https://a.example; script-src *", HOSTILE,
        ),
        SelectPage(HOSTILE, HOSTILE, EVIL, EVIL_CLAIMS, "javascript:alert(1)"),
        LogoutPage(HOSTILE, EVIL_CLAIMS, EVIL, {HOSTILE: HOSTILE}, HOSTILE),
        SignedOutPage(EVIL),
        e.PageError(HOSTILE, HOSTILE, links=[(HOSTILE, "javascript:alert(1)")]),
        e.PageError(links=[e.Way(HOSTILE, f"https://a.example/{HOSTILE}", {HOSTILE: HOSTILE})]),
        e.PageError(links=[e.Way("Back", "javascript:alert(1)", {"state": HOSTILE})]),
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", hostile_pages(), ids=lambda o: type(o).__name__)
async def test_hostile_names_stay_text(outcome) -> None:
    """No name, value or address that others choose becomes markup, script or policy."""
    text, policy = await shown(outcome, "/logout")
    assert "<script" not in text
    assert "<img" not in text
    assert "javascript:" not in text
    assert "data:text" not in text
    assert "5444439" not in text
    assert "script-src" not in policy


@pytest.mark.parametrize(
    "outcome", [fakes.CONSENT, fakes.SELECT, fakes.LOGOUT, fakes.SIGNED_OUT, e.RequestExpired()],
    ids=lambda o: type(o).__name__,
)  # fmt: skip
async def test_pages_are_whole(outcome) -> None:
    """Each page has a language, a title, one main heading and a landmark, and nothing inline."""
    text, _ = await shown(outcome)
    assert text.startswith("<!doctype html>")
    assert '<html lang="en">' in text
    assert "· Token Broker</title>" in text
    assert text.count("<h1") == text.count("<main") == 1
    assert "style=" not in text
    assert "<style" not in text
    assert len(text) < 18_000


async def test_the_consent_page_says_what_the_app_gets() -> None:
    """Who asks, what it will know with the actual values, where it leads, and both answers."""
    text, _ = await shown(fakes.CONSENT)
    for words in (
        "Continue to Lantern Board?", "Ada Lindqvist", "ada.lindqvist@example.org", "sv-SE",
        "lantern.example", "https://lantern.example/privacy", "https://lantern.example/terms",
        "Access while you are away", 'name="decision" value="allow"',
        'name="decision" value="deny"', 'name="request" value="handle-1"',
        'name="csrf" value="csrf-1"', 'src="https://cdn.example/ada.png"',
    ):  # fmt: skip
        assert words in text


async def test_the_consent_page_promises_no_more_than_the_scope() -> None:
    """What the scope does not release is not on the list."""
    text, _ = await shown(replace(fakes.CONSENT, scope=("openid",)))
    assert "ada.lindqvist@example.org" not in text
    assert "Access while you are away" not in text


@pytest.mark.parametrize(
    ("scope", "claims", "expected"),
    [
        (("openid",), {}, [("An account number", "")]),
        (("profile",), {"name": "A", "locale": "de"}, [("Your name and language", "A · de")]),
        (("profile",), {}, [("Your profile", "")]),
        (("email",), {}, [("Your e-mail address", "")]),
        (("email",), {"email": "a@b.c"}, [("Your e-mail address", "a@b.c")]),
        (("offline_access",), {}, [("Access while you are away", "")]),
        (("things",), {}, [("Permission", "things")]),
    ],
)
def test_scopes_in_plain_words(scope, claims, expected) -> None:
    """Each scope is told in words with the values it releases; an unknown one by its name."""
    assert [(item.label, item.value) for item in learned(scope, claims)] == expected


def test_an_unverified_address_is_said_to_be_so() -> None:
    """The page says what the app will be told of the address."""
    assert (
        learned(("email",), {"email": "a@b.c", "email_verified": False})[0].note == "Not verified"
    )
    assert learned(("email",), {"email": "a@b.c", "email_verified": True})[0].note == ""


async def test_forms_lead_where_they_must() -> None:
    """form-action has us, the validated redirect origin and the upstream (Chromium checks all)."""
    for outcome in (fakes.CONSENT, fakes.SELECT, fakes.LOGOUT):
        _, policy = await shown(outcome)
        wanted = "form-action 'self' https://lantern.example https://discord.com"
        assert policy.endswith(wanted)


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("https://app.example", "https://app.example"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http:"),
        ("com.example.app:", "com.example.app:"),
        ("https://a.example; script-src *", None),
        ("https://a.example x", None),
        ("https://user@a.example", None),
        ("https://a.example/path", None),
        ("*", None),
        ("", None),
    ],
)
def test_policy_sources(origin: str, source: str | None) -> None:
    """Only what can be a CSP source becomes one."""
    assert form_source(origin) == source


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("https://a.example/", True), ("http://127.0.0.1/", True), ("com.example.app:/x", True),
        ("javascript:alert(1)", False), ("JavaScript:alert(1)", False), ("data:text/html,x", False),
        ("//a.example", False), ("http://[", False), ("", False),
    ],
)  # fmt: skip
def test_links(address: str, leads: bool) -> None:
    """The web and an app's own scheme may be linked; nothing that runs."""
    assert leads_on(address) is leads


async def test_logout_fields_travel_on() -> None:
    """The question carries the request's fields, its token and the answer."""
    text, _ = await shown(fakes.LOGOUT, "/logout")
    for words in ('name="csrf" value="csrf-1"', 'name="state" value="s1"', 'name="confirm"'):
        assert words in text
    nobody, _ = await shown(LogoutPage("c", {}), "/logout")
    assert "This signs you out" in nobody


async def test_an_expired_request_has_a_way_back() -> None:
    """The page leads back to the app."""
    error = e.RequestExpired(links=[("Back to Lantern Board", "https://lantern.example/")])
    text, _ = await shown(error)
    assert 'href="https://lantern.example/"' in text
    assert "Back to Lantern Board" in text
