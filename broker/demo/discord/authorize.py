"""The simulated Discord in the browser: pick a person, then approve or refuse."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from broker.demo.discord.pages import page
from broker.demo.discord.people import Person
from broker.demo.discord.records import KNOWN_SCOPES, Application
from broker.demo.discord.replies import read_form, simulator
from broker.demo.discord.state import SimulatedDiscord

COOKIE = "simulated_discord_person"
ALWAYS_GRANTED = frozenset({"identify", "openid"})
_NAME_MAX = 32
_GUILDS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request whose client and redirect URI were checked."""

    application: Application
    redirect_uri: str
    scopes: frozenset[str]
    state: str | None
    prompt: str
    challenge: str | None
    nonce: str | None

    def back(self, **answer: str) -> Response:
        """Return the redirect to the application, with the request's state."""
        if self.state is not None:
            answer["state"] = self.state
        glue = "&" if urlsplit(self.redirect_uri).query else "?"
        return RedirectResponse(f"{self.redirect_uri}{glue}{urlencode(answer)}", 303)


def read_request(discord: SimulatedDiscord, query: Mapping[str, str]) -> Asked | str:
    """Check the application and its redirect URI; returns what is wrong where one is."""
    client_id = query.get("client_id", "")
    if not client_id.isdigit():
        return f"Invalid Form Body: client_id: Value “{client_id}” is not snowflake."
    application = discord.applications.get(client_id)
    if application is None:
        return "Unknown Application"
    redirect_uri = query.get("redirect_uri") or (
        application.redirect_uris[0] if len(application.redirect_uris) == 1 else ""
    )
    if redirect_uri not in application.redirect_uris:
        return "Invalid OAuth2 redirect_uri: redirect URI is not supported by client."
    return Asked(
        application,
        redirect_uri,
        frozenset(query.get("scope", "").split()),
        query.get("state"),
        query.get("prompt", "consent"),
        query.get("code_challenge"),
        query.get("nonce"),
    )


def refused(asked: Asked, query: Mapping[str, str]) -> Response | None:
    """Return the redirect with an error where the rest of the request is wrong."""
    if query.get("response_type") != "code":
        return asked.back(
            error="unsupported_response_type",
            error_description="The authorization server does not support this response type.",
        )
    if not asked.scopes or not asked.scopes <= KNOWN_SCOPES:
        return asked.back(
            error="invalid_scope",
            error_description="The requested scope is invalid, unknown, or malformed.",
        )
    if asked.challenge is not None and query.get("code_challenge_method") != "S256":
        return asked.back(
            error="invalid_request", error_description="code_challenge_method must be S256."
        )
    return None


async def authorize(request: Request) -> Response:
    """`/oauth2/authorize`, GET and POST: the forms post to the very URL they are shown at."""
    discord = simulator(request)
    asked = read_request(discord, request.query_params)
    if isinstance(asked, str):
        return page("error.html", 400, message=asked)
    if error := refused(asked, request.query_params):
        return error
    if request.method == "POST":
        form = await read_form(request)
        if form is None:
            return page("error.html", 400, message="Send the form of this page.")
        return _answer(discord, asked, form, request)
    return _ask(discord, asked, discord.people.get(request.cookies.get(COOKIE, "")))


def _ask(discord: SimulatedDiscord, asked: Asked, person: Person | None) -> Response:
    """Show the page that is due: who are you, or do you approve; none where `prompt` says so."""
    if person is None:
        return _pick(discord, asked)
    known = discord.approved_before(person.id, asked.application.client_id, asked.scopes)
    if asked.prompt == "none" and known:
        return _approved(discord, asked, person, asked.scopes)
    return page("approve.html", asked=asked, person=person, always=ALWAYS_GRANTED)


def _pick(
    discord: SimulatedDiscord, asked: Asked, status: int = 200, problem: str = ""
) -> Response:
    """Show the page where one chooses whom to be, or makes somebody."""
    people, guilds = list(discord.people.values()), list(discord.guilds.values())[:_GUILDS_SHOWN]
    return page("pick.html", status, asked=asked, people=people, guilds=guilds, problem=problem)


def _answer(
    discord: SimulatedDiscord, asked: Asked, form: Mapping[str, str], request: Request
) -> Response:
    """Act on a form: switch person, choose or make one, refuse, or approve."""
    again = RedirectResponse(str(request.url), 303)
    if "switch" in form:
        again.delete_cookie(COOKIE)
        return again
    person = (
        _made(discord, form) if "new_name" in form else discord.find_person(form.get("person", ""))
    )
    if person is None:
        problem = "That name is empty or taken. Names have 2 to 32 letters, digits, dots or _."
        return _pick(discord, asked, 400, problem)
    match form.get("decision"):
        case "allow":
            answer = _approved(discord, asked, person, _ticked(asked, form))
        case "deny":
            answer = _denied(asked)
        case _:
            answer = again
    answer.set_cookie(COOKIE, person.id, httponly=True, samesite="lax")
    return answer


def _ticked(asked: Asked, form: Mapping[str, str]) -> frozenset[str]:
    """Return what the form allows of what is asked: all where it has no boxes to untick."""
    if "choice" not in form:
        return asked.scopes
    return frozenset(s for s in asked.scopes if s in ALWAYS_GRANTED or f"allow:{s}" in form)


def _approved(
    discord: SimulatedDiscord, asked: Asked, person: Person, scopes: frozenset[str]
) -> Response:
    granted = scopes - (discord.withheld - ALWAYS_GRANTED)
    if not granted:
        return _denied(asked)
    code = discord.issue_code(
        asked.application.client_id,
        person.id,
        asked.redirect_uri,
        granted,
        challenge=asked.challenge,
        nonce=asked.nonce,
    )
    return asked.back(code=code)


def _denied(asked: Asked) -> Response:
    return asked.back(
        error="access_denied",
        error_description="The resource owner or authorization server denied the request",
    )


def _made(discord: SimulatedDiscord, form: Mapping[str, str]) -> Person | None:
    """Make the person of the form; None where the username will not do."""
    name = form["new_name"].strip().lower()
    allowed = name.replace(".", "").replace("_", "")
    fits = 2 <= len(name) <= _NAME_MAX and allowed.isascii() and allowed.isalnum()
    if not fits or discord.find_person(name) is not None:
        return None
    email = form.get("new_email", "").strip() or None
    person = discord.add_person(
        name,
        global_name=form.get("new_display_name", "").strip()[:_NAME_MAX] or None,
        avatar=discord.token_bytes(16).hex(),
        email=email,
        verified=email is not None and "new_verified" in form,
    )
    for field in form:
        kind, _, guild_id = field.partition(":")
        if kind == "new_guild" and guild_id in discord.guilds:
            person = discord.join(person.id, guild_id)
    return person
