"""The pages people see: whole, escaped, without script, and true to what they were told."""

from dataclasses import replace

import pytest

from broker.core import errors as e
from broker.core.account.outcomes import AccountPage
from broker.core.identities import Identity
from broker.core.outcomes import (
    AccessRefusedPage,
    ChoicePage,
    ConsentPage,
    LogoutPage,
    SelectPage,
    SignedOutPage,
)
from broker.core.policy.model import Reason
from broker.core.policy.words import Obstacle, Obstacles
from broker.web.csp import form_source, leads_on
from broker.web.knowledge import learned
from broker.web.languages import speeches
from broker.web.render import Pages
from broker.web.templating import Compiled
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


EVIL_OBSTACLE = Obstacle(Reason.NOT_MEMBER, HOSTILE, HOSTILE, "javascript:alert(1)")


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
        AccessRefusedPage(
            HOSTILE, HOSTILE, EVIL, EVIL_CLAIMS, "javascript:alert(1)",
            Obstacles((EVIL_OBSTACLE,), (((EVIL_OBSTACLE, EVIL_OBSTACLE), (EVIL_OBSTACLE,)),)),
        ),
        ChoicePage(HOSTILE, EVIL, (HOSTILE, "javascript:alert(1)")),
        AccountPage(
            HOSTILE, EVIL_CLAIMS, (Identity(HOSTILE, HOSTILE, HOSTILE, 1, 1, leads=True),) * 2,
            (HOSTILE,), (HOSTILE,),
        ),
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
    "outcome",
    [
        fakes.CONSENT, fakes.SELECT, fakes.REFUSED, fakes.LOGOUT, fakes.SIGNED_OUT,
        fakes.CHOICE, fakes.ACCOUNT, e.RequestExpired(),
    ],
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
        "Continue to Lantern Board?", "Ada Lindqvist", "ada.lindqvist@example.org", "Swedish",
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


async def test_the_consent_page_tells_of_tokens_of_discord() -> None:
    """Whoever lets an app in that may ask for them reads it there; else there is no word of it."""
    words = "Your access to Discord"
    assert words not in (await shown(fakes.CONSENT))[0]
    app = replace(fakes.APP, upstream_token=True)
    assert words in (await shown(replace(fakes.CONSENT, client=app)))[0]


@pytest.mark.parametrize(
    ("scope", "claims", "expected"),
    [
        (("openid",), {}, [("An account number", "")]),
        (("profile",), {"name": "A", "locale": "de"}, [("Your name and language", "A · German")]),
        (("profile",), {}, [("Your profile", "")]),
        (("email",), {}, [("Your e-mail address", "")]),
        (("email",), {"email": "a@b.c"}, [("Your e-mail address", "a@b.c")]),
        (("offline_access",), {}, [("Access while you are away", "")]),
        (("things",), {}, [("Permission", "things")]),
        (
            ("guilds",),
            {"guilds": [{"id": "1", "name": "Hall"}, {"id": "2"}, {"id": "3"}]},
            [
                (
                    "Which of its Discord servers you are in",
                    "Hall · A server that this service has no name for",
                )
            ],
        ),
        (("roles",), {"roles": ["admin", "staff"]}, [("Your roles in this app", "admin · staff")]),
        (("groups",), {}, [("Your groups in this app", "")]),
    ],
)
def test_scopes_in_plain_words(scope, claims, expected) -> None:
    """Each scope is told in words with the values it releases; an unknown one by its name."""
    assert [(item.label, item.value) for item in learned(scope, claims)] == expected


def test_what_is_nothing_at_the_moment_is_said_to_be_so() -> None:
    """Nobody is asked about roles as if they had some."""
    for scope in ("guilds", "roles", "groups"):
        (told,) = learned((scope,), {scope: []})
        assert told.value == ""
        assert "at the moment" in told.note


def test_an_unverified_address_is_said_to_be_so() -> None:
    """The page says what the app will be told of the address."""
    assert (
        learned(("email",), {"email": "a@b.c", "email_verified": False})[0].note == "Not verified"
    )
    assert learned(("email",), {"email": "a@b.c", "email_verified": True})[0].note == ""


async def test_forms_lead_where_they_must() -> None:
    """form-action has us, the validated redirect origin and the upstream (Chromium checks all)."""
    for outcome in (fakes.CONSENT, fakes.SELECT, fakes.REFUSED, fakes.LOGOUT):
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


async def test_a_refusal_says_what_is_missing() -> None:
    """Each thing, the way to join, when nothing but time is missing; and all ways on."""
    text, _ = await shown(fakes.REFUSED)
    for words in (
        "You cannot use Lantern Board yet", "Ada Lindqvist",
        "You need to be a member of The Lighthouse.", "You need a verified e-mail address.",
        'href="https://discord.gg/light"', "Join The Lighthouse",
        'name="decision" value="check"', 'name="decision" value="leave"',
        'name="decision" value="other"', 'name="request" value="handle-1"',
        'name="csrf" value="csrf-1"', "Back to Lantern Board",
    ):  # fmt: skip
        assert words in text
    assert "Nothing else is missing" not in text
    assert "enough" not in text
    found = replace(fakes.REFUSED.obstacles, mended_at=1_800_000_000.0)
    soon, _ = await shown(replace(fakes.REFUSED, obstacles=found))
    assert "come back after 15 January 2027, 08:00 UTC" in soon


async def test_a_refusal_is_no_success() -> None:
    """Neither for whoever watches, nor for a program that took the wrong door."""
    async with edge(fakes.Core(fakes.REFUSED)) as client:
        assert (await client.get("/interaction?request=r")).status_code == 403


async def test_a_refusal_with_a_choice() -> None:
    """What is enough by itself is told apart from what is needed in any case."""
    one, two = fakes.REFUSED.obstacles.each
    found = Obstacles(choices=(((one,), (two, two)),))
    text, _ = await shown(replace(fakes.REFUSED, obstacles=found))
    assert "Any one of these is enough" in text
    both, _ = await shown(replace(fakes.REFUSED, obstacles=replace(found, each=(one,))))
    assert "And any one of these is enough" in both


async def test_a_refusal_for_good() -> None:
    """Nothing that would not help is offered, and no way to an app that is not here."""
    found = Obstacles((fakes.EMAIL,), final=True)
    text, _ = await shown(replace(fakes.REFUSED, obstacles=found, device=True))
    assert "You cannot use Lantern Board</h1>" in text
    assert 'value="check"' not in text
    assert "Back to Lantern" not in text


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


async def test_the_choice_page_is_made_of_links() -> None:
    """One each, in their order; no form, so that no policy stands in the way of what comes next."""
    text, policy = await shown(fakes.CHOICE, providers=fakes.PROVIDERS)
    at = [text.index(f"Continue with {one.title}") for one in fakes.PROVIDERS]
    assert at == sorted(at)
    assert "/interaction?request=handle-1&amp;upstream=corp" in text
    assert "<form" not in text
    assert policy.endswith("form-action 'self'")


async def test_the_account_page_says_how_one_signs_in() -> None:
    """What is linked, what could be, and what may be parted with; each button says which."""
    text, policy = await shown(fakes.ACCOUNT, "/account", providers=fakes.PROVIDERS)
    for words in (
        "ada.lindqvist@example.org", "your name and picture come from here", "Unlink Gone",
        "Linked: from now on", 'name="upstream" value="github"', 'name="csrf" value="csrf-1"',
        'name="action" value="link"',
    ):  # fmt: skip
        assert words in text
    assert "Unlink Discord" not in text
    assert "https://discord.com" in policy


async def test_pages_name_the_places_that_there_are() -> None:
    """One or several, and none that is not set up."""
    one, _ = await shown(fakes.SIGNED_OUT, "/logout")
    several, _ = await shown(fakes.SIGNED_OUT, "/logout", providers=fakes.PROVIDERS)
    assert "at Discord too" in one
    assert "at Discord, GitHub or Corp too" in several


@pytest.mark.parametrize("tag", speeches())
def test_every_template_compiles(tag: str) -> None:
    """In each language: a start compiles only the landing page, so it would not tell."""
    env = Pages(fakes.config(), speeches()[tag], Compiled())._env
    names = env.list_templates()
    assert "consent.html" in names
    for name in names:
        env.get_template(name)
