"""What answers say of limits, as Discord documents it and as it should never be."""

import httpx2
import pytest

from broker.core.budget import Heard, Reach
from broker.upstream.hearing import heard_of

NO_TIME = {"guessed": True, "wait": 5.0}
LIMITED = {"limited": True, "refusal": True}


def heard(status=200, headers=None, json=None, text=None):
    given = {"json": json} if json is not None else {"text": text or ""}
    return heard_of(httpx2.Response(status, headers=headers or {}, **given))


def test_a_bucket():
    """The window, as it stands after this call."""
    headers = {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "2",
        "X-RateLimit-Reset": "1470173023.123",
        "X-RateLimit-Reset-After": "64.57",
        "X-RateLimit-Bucket": "abcd1234",
    }
    found = heard(headers=headers)
    assert (found.bucket, found.limit, found.left, found.reset) == ("abcd1234", 5, 2, 64.57)
    assert (found.wait, found.limited, found.refusal, found.dead) == (0.0, False, False, False)


@pytest.mark.parametrize(
    "value",
    ["", "-1", "1e3", "5.5", "five", "\u0665", "99999999", "1000001", " 5", "0x5", "nan", "inf"],
)
def test_numbers_that_are_none(value):
    """Each counts as not said."""
    headers = {name: value.encode() for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining")}
    found = heard(headers=headers)
    assert (found.limit, found.left) == (0, 0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0.25", 0.25), ("99999", 3600.0), ("1e2", 100.0), ("-5", 0.0), ("nan", 0.0), ("inf", 0.0),
     ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("", 0.0)],
)  # fmt: skip
def test_seconds(value, seconds):
    """Between none and an hour."""
    assert heard(headers={"X-RateLimit-Reset-After": value}).reset == seconds


@pytest.mark.parametrize("bucket", ["", "a b", "x" * 65, "a:b", "{x}", "é", "a\tb"])
def test_buckets_that_are_none(bucket):
    """It becomes part of a key in Redis: letters and digits alone."""
    assert heard(headers={"X-RateLimit-Bucket": bucket.encode()}).bucket is None


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"Retry-After": "65", "X-RateLimit-Scope": "user"}, {"retry_after": 64.57},
         {"wait": 65.0, "reach": Reach.BUCKET}),
        ({"Retry-After": "1", "X-RateLimit-Scope": "global"}, {"retry_after": 1.5},
         {"wait": 1.5, "reach": Reach.ALL}),
        ({"Retry-After": "9", "X-RateLimit-Scope": "shared"}, {},
         {"wait": 9.0, "reach": Reach.ROUTE, "refusal": False}),
        ({"Retry-After": "9", "X-RateLimit-Global": "true"}, {"global": False},
         {"wait": 9.0, "reach": Reach.ALL}),
        ({}, {"retry_after": 3, "global": True}, {"wait": 3.0, "reach": Reach.ALL}),
        ({}, {"retry_after": 3, "global": False}, {"wait": 3.0, "reach": Reach.ROUTE}),
        ({"X-RateLimit-Scope": "other"}, {"retry_after": "soon"}, {**NO_TIME, "reach": Reach.ALL}),
        ({"Retry-After": "-1"}, {"retry_after": None}, {**NO_TIME, "reach": Reach.ALL}),
        ({}, [], {**NO_TIME, "reach": Reach.ALL}),
    ],
)  # fmt: skip
def test_too_many(headers, body, said):
    """How long, and for whom; without a word, for everything and for five seconds."""
    assert heard(429, headers, body) == Heard(answered=True, **LIMITED | said)


@pytest.mark.parametrize("text", ["", "<html>Error 1015</html>", "[" * 100_000, "5", '"x"'])
def test_too_many_without_json(text):
    """Cloudflare's page is about our address, and so about everything."""
    found = heard(429, {}, text=text)
    assert (found.wait, found.guessed, found.reach) == (5.0, True, Reach.ALL)


@pytest.mark.parametrize(
    ("status", "refusal", "dead"),
    [(200, False, False), (400, False, False), (401, True, True), (403, True, False),
     (404, False, False), (500, False, False)],
)  # fmt: skip
def test_refusals(status, refusal, dead):
    """401 and 403 count towards a block; 401 says that the token is dead."""
    found = heard(status)
    assert (found.refusal, found.dead, found.wait) == (refusal, dead, 0.0)


def test_a_pause_in_trouble():
    """503 may say when to come again (RFC 9110 §10.2.3); that is no limit."""
    found = heard(503, {"Retry-After": "30"})
    assert (found.wait, found.reach, found.limited) == (30.0, Reach.ROUTE, False)
    assert heard(500, {"Retry-After": "30"}).wait == 0.0
