"""What browsers and programs send: headers, forms, cookies, handles."""

import base64
import ipaddress
from typing import Any, Final

from hypothesis import strategies as st
from starlette.requests import Request

from broker.core import tickets
from broker.core.clients import _basic
from broker.core.csrf import FormTokens
from broker.core.errors import InvalidClient, ProtocolError
from broker.core.handles import NOBODY, Handle, Handles, Kind
from broker.core.parameters import Parameters
from broker.web import languages
from broker.web.addresses import _household
from broker.web.bodies import must_be_json
from broker.web.cookies import only_cookie
from broker.web.devices import device
from broker.web.documents import _names as matches_etag
from broker.web.forms import _parse as parse_form
from broker.web.forms import authorization, dpop, is_form
from broker.web.middleware import client_address
from keys.errors import KeyRecordCorrupt
from keys.sealing import Sealer
from tests.core.helpers import Counted
from tests.fuzz.given import ascii_texts, header_values, texts
from tests.fuzz.parser import Parser, nothing, truth

SECRETS: Final = (b"s" * 32, b"t" * 32)
HANDLES: Final = Handles(SECRETS)
HANDLE: Final = HANDLES.make(Kind.CODE, Handle(NOBODY, "1" * 32, 7))
FORMS: Final = FormTokens(SECRETS)
PROXIES: Final = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
LANGUAGES: Final = ("en", "ko", "pt-BR")


def request_of(pairs: list[tuple[bytes, bytes]]) -> Request:
    scope = {"type": "http", "method": "GET", "headers": pairs, "query_string": b"", "path": "/"}
    return Request(scope)


def parameters_read(pairs: list[tuple[str, str]]) -> Any:
    found = Parameters(pairs)
    return [(found.one(name), found.words(name), found.many(name)) for name, _ in pairs]


def headers_read(pairs: list[tuple[bytes, bytes]]) -> Any:
    request = request_of(pairs)
    found = (authorization(request), dpop(request), is_form(request))
    must_be_json(request)
    return found


def cookie_read(values: list[bytes]) -> Any:
    return only_cookie(request_of([(b"cookie", one) for one in values]), "broker_session")


def forwarded(hops: list[str]) -> Any:
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in hops]
    return client_address({"headers": headers, "client": ("127.0.0.1", 1)}, PROXIES)


def is_address(_given: Any, answer: Any) -> None:
    """Nothing that a client sends becomes an address that is none."""
    assert ipaddress.ip_address(answer)


def is_language(_given: Any, answer: Any) -> None:
    assert answer in LANGUAGES


def altered(given: tuple[int, int]) -> Any:
    """A handle of ours with one byte changed, its version or the key's name among them."""
    at, byte = given
    raw = bytearray(base64.urlsafe_b64decode(HANDLE + "=="))
    raw[at % len(raw)] ^= byte
    return HANDLES.open(Kind.CODE, base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def of_a_later_release(given: tuple[int, bytes]) -> Any:
    """Well sealed, under a version that this release does not know."""
    version, rest = given
    sealer = Sealer(SECRETS, Counted().token)
    return sealer.open("kid", bytes([version]) + sealer.seal("kid", b"private" * 4)[1:] + rest)


def opened(text: str) -> Any:
    """The first kind for which a text is a handle of ours."""
    return next(filter(None, (HANDLES.open(kind, text) for kind in Kind)), None)


headers = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"dpop", b"content-type", b"cookie"]),
        header_values.map(lambda one: one.encode("latin-1"))
        | st.sampled_from(
            [
                b"application/json",
                b"application/json;charset=UTF-8",
                b"application/x-www-form-urlencoded",
                b"Basic =",
                b"Bearer a",
                b"\xff" * 20,
            ]
        ),
    ),
    max_size=4,
)
cookies = st.lists(st.binary(max_size=80) | st.just(b"a=b; broker_session=ab"), max_size=3)

PARSERS: Final[dict[str, Parser]] = {
    "parameters": Parser(
        parameters_read, st.lists(st.tuples(texts, texts), max_size=4), (ProtocolError,)
    ),
    "form bodies": Parser(
        parse_form, st.binary(max_size=80) | texts.map(str.encode), (ProtocolError,)
    ),
    "headers": Parser(headers_read, headers, (ProtocolError,)),
    "Basic credentials": Parser(
        _basic,
        header_values.map(lambda text: f"Basic {text}") | texts,
        (InvalidClient,),
        seeds=("Basic YTpi", "Basic YQ", "Basic Og==", "Basic /w=="),
    ),
    "cookies": Parser(cookie_read, cookies),
    "X-Forwarded-For": Parser(forwarded, st.lists(header_values, max_size=3), judge=is_address),
    "households": Parser(_household, texts),
    "Accept-Language and ui_locales": Parser(
        lambda pair: languages.chosen(LANGUAGES, *pair), st.tuples(texts, texts), judge=is_language
    ),
    "User-Agent": Parser(lambda text: (device(text), device("Mozilla/" + text)), texts),
    "If-None-Match": Parser(
        lambda text: matches_etag(text, '"tag"'), header_values | st.just('W/"tag"'), judge=truth
    ),
    "handles": Parser(opened, ascii_texts | texts, judge=nothing),
    "altered handles": Parser(
        altered, st.tuples(st.integers(0, 60), st.integers(1, 255)), judge=nothing
    ),
    "tickets": Parser(
        lambda text: tickets.read(HANDLES, text), texts | st.just(HANDLE), judge=nothing
    ),
    "what a later release sealed": Parser(
        of_a_later_release,
        st.tuples(st.integers(2, 255), st.binary(max_size=4)),
        (KeyRecordCorrupt,),
        nothing,
    ),
    "form tokens": Parser(
        lambda given: FORMS.good(*given), st.tuples(texts, texts, texts), judge=truth
    ),
}
