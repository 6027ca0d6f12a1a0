"""Address, certificate, redirects, speed, clock, who stands in between."""

import pytest

from broker.doctor.checks import front_door
from broker.doctor.model import Certificate, Silence, Trip, Trouble
from broker.doctor.places import NotAnAddressError, is_safe, issuer_of
from tests.doctor.recorded import DISCOVERY, ISSUER, NOW, answer, told


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("login.example.org", "https://login.example.org"),
        ("https://Login.Example.org/", "https://login.example.org"),
        ("https://login.example.org:443/sso/", "https://login.example.org/sso"),
        (DISCOVERY, ISSUER),
        ("http://127.0.0.1:8000/.well-known/jwks.json", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_what_operators_paste_becomes_the_issuer(typed, meant):
    """A bare host, a slash at the end, a well-known address: all name the deployment."""
    assert issuer_of(typed) == meant


@pytest.mark.parametrize(
    "typed",
    ["ftp://a.example", "https://", "https://a:b@c.example", "https://a.example?x=1", "https://a#b",
     "https://a:port", "https://a b.example"],
)  # fmt: skip
def test_what_is_no_issuer_is_refused(typed):
    """With a reason, before anything is asked."""
    with pytest.raises(NotAnAddressError):
        issuer_of(typed)


def test_plain_http_is_right_on_loopback_alone():
    """Keys over plain http prove nothing."""
    assert front_door.address(ISSUER).verdict == "pass"
    assert front_door.address("http://127.0.0.1:8000").verdict == "pass"
    assert front_door.address("http://login.example.org").verdict == "fail"
    assert not is_safe("http://localhost.example.org")


def test_a_certificate_about_to_end_is_a_risk():
    """Fourteen days before, there is time to renew."""
    day = 86400
    verdicts = {
        days: front_door.certificate(
            answer(certificate=Certificate(NOW + days * day, "R")), NOW
        ).verdict
        for days in (3, 13, 15, 80)
    }
    assert verdicts == {3: "warn", 13: "warn", 15: "pass", 80: "pass"}
    assert front_door.certificate(answer(), NOW) is None


def hop(to, at=DISCOVERY):
    return answer(b"", 301, url=at, headers={"location": to})


def test_redirects_are_a_risk_and_leaving_the_origin_is_wrong():
    """Many verifiers follow none; one to plain http or another host gives the keys away."""
    judge = front_door.redirects
    assert judge("r", Trip((), answer())).verdict == "pass"
    same = f"{ISSUER}/other"
    assert judge("r", Trip((hop(same),), answer(url=same))).verdict == "warn"
    plain = "http://login.example.org/x"
    assert judge("r", Trip((hop(plain),), answer(url=plain))).verdict == "fail"
    back = Trip((hop(plain), hop(same, plain)), answer(url=same))
    assert judge("r", back).verdict == "fail"
    other = "https://evil.example/x"
    assert judge("r", Trip((hop(other),), answer(url=other))).verdict == "fail"
    assert judge("r", Trip((hop(same),), hop(same, same))).verdict == "fail"


def test_slow_answers():
    """A second is a risk, five are beyond what verifiers wait; the slowest counts."""
    judge = front_door.speed
    assert judge("s", [answer(took=0.2)]).verdict == "pass"
    assert judge("s", [answer(took=0.2), answer(took=1.5)]).verdict == "warn"
    assert judge("s", [answer(took=6.0)]).verdict == "fail"
    assert judge("s", [Silence("u", Trouble.SLOW, "no answer in time")]) is None


def test_clocks_that_differ():
    """Date and the Age of a stored copy, against this machine's clock."""
    assert front_door.clock(answer()).verdict == "pass"
    behind = front_door.clock(answer(at=NOW + 45))
    assert behind.verdict == "warn"
    assert "behind" in behind.seen
    ahead = front_door.clock(answer(at=NOW - 45))
    assert "ahead of" in ahead.seen
    assert front_door.clock(answer(at=NOW + 300, headers={"age": "300"})).verdict == "pass"
    assert front_door.clock(told(date=None)).verdict == "warn"
    assert front_door.clock(told(date="yesterday")).verdict == "warn"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"server": "nginx/1.22.1"}, "nginx"),
        ({"cf_cache_status": "HIT"}, "Cloudflare"),
        ({"via": "1.1 abc.cloudfront.net (CloudFront)"}, "CloudFront"),
        ({"via": "1.1 varnish"}, "Varnish"),
        ({"via": "1.1 box"}, "a proxy that does not name itself"),
        ({"age": "3"}, "a proxy that does not name itself"),
        ({}, "no proxy or cache gives itself away"),
    ],
)
def test_proxies_are_named_by_what_they_leave(headers, name):
    """So that an operator knows where to look."""
    found = front_door.in_between(answer(), told(**headers))
    assert name in found.seen
    assert found.verdict == "pass"


def test_a_strangers_header_cannot_drive_the_terminal():
    """Control characters in what a server says are not handed on."""
    seen = front_door.in_between(told(via="1.1 \x1b]0;owned\x07varnish")).seen
    assert "\x1b" not in seen
    assert "\x07" not in seen
