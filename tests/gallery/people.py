"""The pages of people: each kind, and each state of it that looks different."""

from dataclasses import dataclass, replace
from typing import Any, Final

from broker.core import errors as e
from broker.core.account.apps import AppAccess
from broker.core.account.outcomes import AccountPage, FarewellPage, LeavePage, Notice, Place
from broker.core.errors import Way
from broker.core.identities import Identity
from broker.core.model import Client, Session
from broker.core.outcomes import (
    AccessRefusedPage,
    ChoicePage,
    ConsentPage,
    DeviceCodePage,
    DeviceDonePage,
    KeepPage,
    LogoutPage,
    Redirect,
    SelectPage,
    SignedOutPage,
)
from broker.core.policy.model import Reason
from broker.core.policy.words import Obstacle, Obstacles
from broker.core.texts import Listed, Moment, Text
from broker.web import problems as p
from broker.web.branding import Look
from broker.web.docs.stacks import STACKS
from broker.web.edge_config import Provider

NOW: Final = 1_800_000_000.0
HOUR, DAY = 3600, 86400
PICTURES: Final = "https://cdn.example/"
LOOK: Final = Look(
    support="mailto:help@lighthouse.example",
    privacy="https://lighthouse.example/privacy",
    terms="https://lighthouse.example/terms",
)
NOTICED: Final = replace(
    LOOK,
    notice=(
        ("", "Maintenance today from 22:00 to 22:10 UTC: signing in will fail for some minutes."),
        ("ko", "오늘 22:00부터 22:10(UTC)까지 점검이 있어요. 몇 분 동안 로그인할 수 없어요."),
    ),
)
PROVIDERS: Final = (
    Provider("discord", "Discord", "discord"),
    Provider("google", "Google", "google"),
    Provider("github", "GitHub", "github"),
    Provider("microsoft", "Microsoft", "microsoft"),
    Provider("gitlab", "GitLab", "gitlab"),
    Provider("corp", "Northern Harbour Staff"),
)

BOARD: Final = Client(
    "board",
    "Lantern Board",
    logo_uri=f"{PICTURES}board.svg",
    client_uri="https://board.example/",
    policy_uri="https://board.example/privacy",
    tos_uri="https://board.example/terms",
)
LONG: Final = Client(
    "long",
    "The Northern Harbour Historical Society's Shared Calendar and Boat Register",
    client_uri="https://calendar.northern-harbour-historical-society.example/",
)
KOREAN: Final = Client(
    "korean",
    "Night Watch",
    logo_uri=f"{PICTURES}korean.svg",
    translations={"client_name#ko": "등대지기 길드 출석부"},
    brand_accent="#7a2e8e",
)
PLAIN: Final = Client("plain", "Fieldnotes")
OURS: Final = Client("ours", "Harbour Chat", first_party=True)
GONE: Final = "app-4f21c9"

ADA: Final = {
    "sub": "8fK2",
    "name": "Ada Lindqvist",
    "preferred_username": "ada.lindqvist",
    "picture": f"{PICTURES}ada.svg",
    "email": "ada.lindqvist@lighthouse.example",
    "email_verified": True,
    "locale": "sv-SE",
    "guilds": [{"id": "1", "name": "The Lighthouse"}, {"id": "2", "name": "Greenhouse"}],
    "roles": ["keeper", "crew"],
    "groups": ["harbour-watch"],
}
MINJI: Final = {
    "name": "김민지 (등대의 밤을 지키는 사람)",
    "preferred_username": "minji.the.keeper.of.long.nights",
    "email": "minji.kim.the.keeper.of.long.nights@mail.northern-harbour.example",
    "email_verified": False,
    "locale": "ko",
}
BARE: Final = {"preferred_username": "dmitri7"}
EVERYTHING: Final = (
    "openid", "profile", "email", "offline_access", "guilds", "roles", "groups",
    "https://api.example/board.write",
)  # fmt: skip
_GECKO = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_GECKO} Chrome/140.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 16) {_GECKO} Chrome/140.0.0.0 Mobile Safari/537.36",
    "curl/8.5.0",
)


def _obstacle(reason: Reason, text: str, **more: Any) -> Obstacle:
    return Obstacle(reason, Text(text, **more))


LIGHTHOUSE: Final = "The Lighthouse"
NOT_MEMBER: Final = Obstacle(
    Reason.NOT_MEMBER,
    Text("You need to be a member of %(guild)s.", guild=LIGHTHOUSE),
    LIGHTHOUSE,
    "https://discord.gg/lighthouse",
)
ROLE: Final = _obstacle(
    Reason.ANY_ROLE,
    "You need the role %(roles)s in %(guild)s.",
    roles=Listed(["Keeper", "Crew", "야간 당직"], "or"),
    guild=LIGHTHOUSE,
)
UNNAMED: Final = _obstacle(
    Reason.ANY_ROLE,
    "You need a certain role in %(guild)s: ask the people who run it.",
    guild=Text("this community's Discord server"),
)
EMAIL: Final = _obstacle(
    Reason.EMAIL, "You need a verified e-mail address in the account that you sign in with."
)
TIMED_OUT: Final = _obstacle(
    Reason.TIMED_OUT,
    "You are timed out in %(guild)s until %(when)s.",
    guild=LIGHTHOUSE,
    when=Moment(NOW + 5 * HOUR),
)
NO_DISCORD: Final = _obstacle(
    Reason.NO_DISCORD, "You need a Discord account that is linked to your account here."
)
DENIED: Final = _obstacle(Reason.DENIED, "Your Discord account is not let in.")


def _session(number: int, upstream: str = "discord") -> Session:
    begun = NOW - number * 3 * DAY - 20
    return Session(
        "a", f"s{number}", 1, begun, begun, NOW + DAY, upstream, AGENTS[number],
        NOW - number * 5 * HOUR,
    )  # fmt: skip


ACCOUNT: Final = AccountPage(
    "csrf",
    ADA,
    (
        Identity("discord", "1", "ada.lindqvist", NOW - 90 * DAY, NOW - 300, leads=True),
        Identity("github", "2", "adalind", NOW - 9 * DAY, NOW - 8 * DAY, leads=False),
    ),
    ("google", "microsoft", "corp"),
    ("discord", "github"),
    Notice.LINKED,
    None,
    "s0",
    (*(_session(n) for n in range(4)), _session(4, "github")),
    (
        AppAccess("board", BOARD, EVERYTHING, NOW - 40 * DAY, NOW - 600, offline=True),
        AppAccess("long", LONG, ("openid", "profile", "email"), NOW - 12 * DAY, NOW - 2 * DAY),
        AppAccess("korean", KOREAN, ("openid", "guilds"), NOW - 3 * DAY, None),
        AppAccess("ours", OURS, ("openid", "profile"), NOW - 90, NOW - 30),
        AppAccess(GONE, None, ("openid",), NOW - 80 * DAY, None),
    ),
    (
        Place(LIGHTHOUSE, NOW - 900, member=True, nick="Ada 🌙", roles=("Keeper", "Crew")),
        Place("Greenhouse", NOW - 900, member=True),
        Place("613425648685547599", NOW - 30 * HOUR, member=False),
    ),
    NOW,
)
NEW: Final = AccountPage(
    "csrf",
    BARE,
    (Identity("discord", "1", "dmitri7", NOW - 20, NOW - 20, leads=True),),
    (),
    (),
    None,
    None,
    "s0",
    (_session(0),),
    (),
    (),
    NOW,
)


@dataclass(frozen=True, slots=True)
class Room:
    """A page in one state.

    Attributes:
        name: what its pictures are called.
        outcome: what the core says, or raises.
        path: where it is asked for.
        opened: whether what can be unfolded on it is.
        main: whether it is looked at in every language and light.
        noticed: whether the operator announces something at the top.
    """

    name: str
    outcome: Any
    path: str = "/interaction?request=r"
    opened: bool = False
    main: bool = False
    noticed: bool = False


def _consent(client: Client, claims: dict[str, Any], *scope: str, **more: Any) -> ConsentPage:
    host = "127.0.0.1:8400" if client is PLAIN else f"{client.client_id}.example"
    return ConsentPage("r", "csrf", client, scope, claims, f"https://{host}", host, **more)


def _refused(*each: Obstacle, **more: Any) -> AccessRefusedPage:
    found = Obstacles(
        each, more.pop("choices", ()), more.pop("mended", None), more.pop("final", False)
    )
    return AccessRefusedPage("r", "csrf", BOARD, ADA, "https://board.example", found, **more)


PAGES: Final = (
    Room("landing", {}, "/"),
    Room("choose", ChoicePage("r", BOARD, tuple(one.name for one in PROVIDERS)), main=True),
    Room("choose-noticed", ChoicePage("r", BOARD, ("discord", "corp")), main=True, noticed=True),
    Room("choose-own", ChoicePage("r", None, ("discord", "corp"))),
    Room("consent", _consent(BOARD, ADA, *EVERYTHING), main=True),
    Room("consent-long", _consent(LONG, MINJI, "openid", "profile", "email")),
    Room("consent-bare", _consent(PLAIN, BARE, "openid", "profile", "email", "guilds", "roles")),
    Room(
        "consent-discord",
        _consent(replace(BOARD, upstream_token=True), ADA, "openid", "profile"),
    ),
    Room("consent-device", _consent(BOARD, ADA, "openid", "profile", user_code="WDJB-MJHT")),
    Room("consent-coloured", _consent(KOREAN, MINJI, "openid", "profile", "guilds")),
    Room("select", SelectPage("r", "csrf", BOARD, ADA, "https://board.example")),
    Room("select-long", SelectPage("r", "csrf", LONG, MINJI, "https://long.example")),
    Room("refused-member", _refused(NOT_MEMBER, EMAIL), main=True),
    Room("refused-choices", _refused(EMAIL, choices=(((NOT_MEMBER, ROLE), (NO_DISCORD,)),))),
    Room("refused-wait", _refused(TIMED_OUT, mended=NOW + 5 * HOUR)),
    Room("refused-unnamed", _refused(UNNAMED)),
    Room("refused-final", _refused(DENIED, final=True)),
    Room("refused-device", _refused(ROLE, device=True)),
    Room("keep", KeepPage("r", "csrf", NOW + 12 * DAY, "https://board.example", by="person")),
    Room(
        "keep-operator",
        KeepPage("r", "csrf", NOW + 12 * DAY, "https://board.example", by="operator"),
    ),
    Room("account", ACCOUNT, "/account", main=True),
    Room("account-noticed", ACCOUNT, "/account", noticed=True),
    Room("account-opened", replace(ACCOUNT, notice=None), "/account", opened=True),
    Room("account-new", NEW, "/account"),
    Room("account-long", replace(NEW, claims=MINJI), "/account"),
    Room("leave", LeavePage("csrf", NOW, 14 * DAY), "/account", main=True),
    Room("leave-at-once", LeavePage("csrf", NOW, 0), "/account"),
    Room("farewell", FarewellPage(NOW + 14 * DAY), "/account"),
    Room("farewell-at-once", FarewellPage(None), "/account"),
    Room("device", DeviceCodePage("csrf"), "/device"),
    Room("device-linked", DeviceCodePage("csrf", "WDJB-MJHT", linked=True), "/device"),
    Room(
        "device-wrong",
        DeviceCodePage("csrf", "WDJB-MJH", Text("The address is too long")),
        "/device",
        main=True,
    ),
    Room("device-done", DeviceDonePage(BOARD, approved=True), "/device/done"),
    Room("device-denied", DeviceDonePage(LONG, denied=True), "/device/done"),
    Room("device-nothing", DeviceDonePage(None), "/device/done"),
    Room("logout", LogoutPage("csrf", {}), "/logout"),
    Room("logout-app", LogoutPage("csrf", MINJI, LONG, {}, "https://long.example"), "/logout"),
    Room("signed-out", SignedOutPage(None), "/logout"),
    Room("signed-out-app", SignedOutPage(BOARD), "/logout"),
    Room("form-post", Redirect("https://board.example/cb", fields={"code": "c", "state": "s"})),
)

BACK: Final = Way(Text("Back to %(app)s", app="Lantern Board"), "https://board.example/")
AGAIN: Final = Way(Text("Try again"), "/interaction?request=r")
TOLD: Final = Way(BACK.label, "https://board.example/cb", {"error": "access_denied"})
TO_ACCOUNT: Final = Way(Text("Your account"), "/account")
REFUSES: Final = Text("%(upstream)s did not accept this sign-in", upstream="Discord")
AWAY: Final = Text("%(upstream)s is not answering at the moment", upstream="Discord")

# Every error of which people read a page.
ERRORS: Final = (
    Room("expired", e.RequestExpired(links=(BACK,)), main=True),
    Room("unknown", e.RequestUnknown()),
    Room("bad-request", e.BadAuthorizationRequest()),
    Room("bad-object", e.BadRequestObject("The app's request is signed with an unknown key")),
    Room("other-browser", e.ForeignBrowser(links=(BACK,))),
    Room("bad-form", e.BadForm(links=(TO_ACCOUNT,))),
    Room("pushed-gone", e.PushedRequestGone()),
    Room("bad-callback", e.BadCallback()),
    Room(
        "upstream",
        e.UpstreamPage(REFUSES, links=(AGAIN, BACK)),
    ),
    Room("too-little", e.GrantedTooLittle(links=(AGAIN, TOLD)), main=True),
    Room("declined", e.Declined(links=(TO_ACCOUNT,))),
    Room("taken", e.IdentityTaken(links=(TO_ACCOUNT,))),
    Room("occupied", e.IdentityOccupied(links=(TO_ACCOUNT,))),
    Room("last", e.LastIdentity(links=(TO_ACCOUNT,))),
    Room("banned", e.SignInRefused(links=(BACK,))),
    Room("too-many-codes", e.TooManyTries(900)),
    Room("too-many", e.TooManyRequests(42)),
    Room("away", e.StoreUnavailable(retry_after=2)),
    Room(
        "discord-away",
        e.UpstreamUnavailable(AWAY, retry_after=65),
    ),
    Room("discord-lost", e.AuthorizationLost()),
    Room("broken", RuntimeError("nobody foresaw it")),
    Room("nowhere", {}, "/nowhere"),
    Room("method", p.WrongMethod(("GET",))),
    Room("large", p.BodyTooLarge()),
    Room("slow", p.BodyTooSlow()),
    Room("query", p.QueryTooLong()),
)
# For developers, in English alone.
DOCS: Final = tuple(
    Room(f"docs-{name or 'overview'}", {}, f"/docs/{name}".rstrip("/"))
    for name in ("", *(one.name for one in STACKS), "try")
)
ROOMS: Final = (*PAGES, *(replace(one, name=f"error-{one.name}") for one in ERRORS))
