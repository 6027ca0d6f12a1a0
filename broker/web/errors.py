"""What HTTP makes of a failure: the only place that knows status codes.

A failure speaks in the voice of its route: a page for a person, ``{"error": …}`` for a program
(RFC 6749 §5.2), a challenge for a program with an access token (RFC 6750 §3). What is private
about it goes to the log and nowhere else; what nobody foresaw is opaque outside.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from broker.core import errors as e
from broker.core.redirects import shown_host
from broker.core.responses import respond
from broker.core.texts import Text, Wait
from broker.core.vocabulary import DPOP_ALGORITHMS
from broker.web import problems as p
from broker.web.answers import Answer, Header, empty_answer, json_answer
from broker.web.edge import Edge
from broker.web.render import ErrorView
from broker.web.routes import Voice
from keys import errors as k

# The most specific class counts.
STATUS: Final[dict[type[BaseException], int]] = {
    e.BrokerError: 500,
    e.ProtocolError: 400,
    e.AuthorizationRefused: 303,
    e.ServerError: 500,
    e.InvalidClient: 401,
    e.UnsignedEvent: 401,
    e.TooManyRequests: 429,
    e.MissingToken: 401,
    e.InvalidToken: 401,
    e.InsufficientScope: 403,
    e.OutboundError: 400,
    e.PageError: 400,
    e.ForeignBrowser: 403,
    e.BadForm: 403,
    e.SignInRefused: 403,
    e.IdentityTaken: 409,
    e.IdentityOccupied: 409,
    e.LastIdentity: 409,
    e.GrantedTooLittle: 403,
    e.TooManyTries: 429,
    e.UpstreamPage: 502,
    e.UpstreamRejected: 502,
    e.AuthorizationLost: 502,
    e.TemporarilyUnavailable: 503,
    e.Unavailable: 503,
    p.BodyTooLarge: 413,
    p.BodyTooSlow: 408,
    p.QueryTooLong: 414,
    p.NoSuchPath: 404,
    p.WrongMethod: 405,
}

_OUT_OF_KEYS: Final = (
    k.NoSigningKey,
    k.StaleKeyring,
    k.KeyStoreUnavailable,
    k.VaultUnavailable,
)

# The connection cannot be used again: its body was not read to the end.
_UNREAD: Final = (p.BodyTooLarge, p.BodyTooSlow)

# RFC 9449 §7.1: what proofs may be signed with.
_ALGS: Final = f'algs="{" ".join(DPOP_ALGORITHMS)}"'

# RFC 6749 §5.2 and RFC 6750 §3: what error_description may hold.
_UNSPEAKABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure on its way out.

    Attributes:
        error: as it was raised, or what stands for it outside.
        status: HTTP status.
        reference: the request's identifier, to be quoted.
        foreseen: False for what nobody expected: it belongs whole into the log.
    """

    error: e.BrokerError
    status: int
    reference: str
    foreseen: bool = True


def judge(error: Exception, reference: str) -> Failure:
    """Say what stands for a failure outside."""
    if isinstance(error, _OUT_OF_KEYS):
        error = e.Unavailable(private=f"{type(error).__name__}: {error}")
    if not isinstance(error, e.BrokerError):
        return Failure(e.BrokerError(), 500, reference, foreseen=False)
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    foreseen = status != 500 or isinstance(error, e.ServerError)
    return Failure(error, status, reference, foreseen=foreseen)


def answer(failure: Failure, voice: Voice, request: Request, edge: Edge) -> Answer:
    """Write a failure as HTTP, in the voice of its route."""
    error = failure.error
    if isinstance(error, e.AuthorizationRefused):
        return _refusal(error, failure.reference, request, edge)
    if voice is Voice.RESOURCE and isinstance(error, e.InvalidDpopProof):
        failure = replace(failure, status=401)  # RFC 9449 §7.1, §9
    extra = _headers(failure)
    if voice is Voice.PAGE:
        pages = edge.pages.speaking(request, error.ui_locales)
        return pages.error(_view(failure, request), failure.status, extra)
    if voice is Voice.RESOURCE:
        extra += _challenge(error, request, edge.config.issuer)
        if isinstance(error, e.MissingToken):
            return empty_answer(failure.status, extra)
    elif isinstance(error, e.InvalidClient) and _tried_basic(request):
        extra.append((b"www-authenticate", _basic(edge.config.issuer)))
    body = {"error": error.code, "error_description": plain(error.public)}
    if failure.status == 500:
        body["reference"] = failure.reference
    return json_answer(body, failure.status, extra)


def voice_for_unknown(request: Request) -> Voice:
    """Guess from Accept who asked for an address that does not exist."""
    return Voice.PAGE if "text/html" in request.headers.get("accept", "") else Voice.OAUTH


def plain(text: str) -> str:
    """Return the text with only what an error_description may hold (RFC 6749 §5.2)."""
    return _UNSPEAKABLE.sub("'", text.replace("§", "section "))


def _refusal(error: e.AuthorizationRefused, reference: str, request: Request, edge: Edge) -> Answer:
    """RFC 6749 §4.1.2.1, with ``iss`` (RFC 9207)."""
    members = {
        "error": error.cause.code,
        "error_description": plain(error.public),
        "state": error.state,
        "iss": edge.config.issuer,
    }
    answer = respond(error.redirect_uri, error.mode, members, error.ui_locales, error.client)
    if not error.asks:
        return edge.go_on(answer, request)
    back = Text("Go back to %(host)s", host=shown_host(error.redirect_uri))
    view = replace(
        _view(Failure(error.cause, 400, reference), request),
        advice=e.BadAuthorizationRequest.advice,
        links=(e.Way(back, answer.location, answer.fields),),
        client=error.client,
    )
    return edge.pages.speaking(request, error.ui_locales).error(view, 400, [])


def _headers(failure: Failure) -> list[Header]:
    found: list[Header] = []
    error = failure.error
    if isinstance(error, e.Unavailable | e.TooManyTries | e.TooManyRequests):
        found.append((b"retry-after", b"%d" % max(1, error.retry_after)))
    elif failure.status == 503:
        found.append((b"retry-after", b"5"))
    if isinstance(error, e.TooManyRequests) and error.quota:
        found += _limited(error)
    if isinstance(error, p.WrongMethod):
        found.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, e.UseDpopNonce):
        found.append((b"dpop-nonce", error.nonce.encode("ascii")))
    if isinstance(error, _UNREAD):
        found.append((b"connection", b"close"))
    return found


def _limited(error: e.TooManyRequests) -> list[Header]:
    """RateLimit header fields for HTTP (draft-ietf-httpapi-ratelimit-headers §3, §4)."""
    policy = f'"{error.kind}";q={error.quota};w={error.window}'
    left = f'"{error.kind}";r=0;t={error.retry_after}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]


def _challenge(error: e.BrokerError, request: Request, issuer: str) -> list[Header]:
    """RFC 6750 §3, RFC 9449 §7.1: a challenge for what a better token or request would cure."""
    if not isinstance(error, e.ResourceError | e.InvalidRequest | e.InvalidDpopProof):
        return []
    parts = [f'realm="{plain(issuer)}"']
    if error.code:
        parts.append(f'error="{error.code}"')
        parts.append(f'error_description="{plain(error.public)}"')
    if isinstance(error, e.InsufficientScope):
        parts.append(f'scope="{plain(error.scope)}"')
    bearer, bound = f"Bearer {', '.join(parts)}", f"DPoP {', '.join((*parts, _ALGS))}"
    if isinstance(error, e.MissingToken) and error.dpop:
        told = [bearer, bound]
    else:
        told = [bound if _for_dpop(error, request) else bearer]
    return [(b"www-authenticate", challenge.encode("ascii")) for challenge in told]


def _for_dpop(error: e.BrokerError, request: Request) -> bool:
    """Whether a failure is one of a token that is bound to a key."""
    if isinstance(error, e.InvalidDpopProof | e.BoundToken):
        return True
    found = (value for name, value in request.scope["headers"] if name == b"authorization")
    return any(value[:5].lower() == b"dpop " for value in found)


def _tried_basic(request: Request) -> bool:
    return any(name == b"authorization" for name, _ in request.scope["headers"])


def _basic(issuer: str) -> bytes:
    return f'Basic realm="{plain(issuer)}", charset="UTF-8"'.encode("ascii")


def _view(failure: Failure, request: Request) -> ErrorView:
    error = failure.error
    advice: str = e.PageError.advice
    if isinstance(error, e.PageError):
        advice = error.next_step
    elif isinstance(error, e.Unavailable):
        wait = Wait(error.retry_after)
        advice = Text("Nothing is lost. Please try again in %(wait)s.", wait=wait)
    elif isinstance(error, e.TooManyRequests):
        wait = Wait(error.retry_after)
        advice = Text("Please wait %(wait)s, then try again.", wait=wait)
    elif isinstance(error, p.NoSuchPath):
        advice = Text("Check the address, or go back to the app you came from.")
    elif not failure.foreseen:
        advice = Text(
            "It is not your fault. Please try again; if it stays, tell us the reference below."
        )
    return ErrorView(
        title=error.public,
        kind=error.title if isinstance(error.title, Text) else e.BrokerError.title,
        advice=advice,
        code=error.code,
        reference=failure.reference,
        links=error.links,
        otherwise=_otherwise(request.scope["path"], there=not isinstance(error, p.NoSuchPath)),
        client=error.client,
        retry=_passing(failure) and _repeatable(request),
    )


def _passing(failure: Failure) -> bool:
    """Whether the same may go well a little later."""
    passing = isinstance(failure.error, e.Unavailable | e.TooManyRequests)
    return passing or not failure.foreseen


def _otherwise(path: str, *, there: bool) -> e.Way:
    """Return where a page leads on to where nothing better is known: what the address is about.

    Whatever begins as an address that is not there has nothing there either: a console that is off.
    """
    about = (way for start, way in _ABOUT.items() if path.startswith(start))
    return next(about, _START) if there else _START


_START: Final = e.Way(Text("Start page"), "/")
_ABOUT: Final = {
    "/account": e.Way(Text("Your account"), "/account"),
    "/logout": e.Way(Text("Back to signing out"), "/logout"),
    "/device": e.Way(Text("Enter a code"), "/device"),
    "/admin": e.Way(Text("Operator console"), "/admin"),
}


def _repeatable(request: Request) -> bool:
    """Whether loading the same address again can help: a callback's answer is spent by then."""
    return request.method == "GET" and not request.scope["path"].startswith("/login/")
