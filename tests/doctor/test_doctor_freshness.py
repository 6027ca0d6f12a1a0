"""Cache lifetimes, Age, Expires."""

import pytest

from broker.doctor import caching
from broker.doctor.checks import freshness
from tests.doctor.recorded import answer, told


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("public, max-age=600", "pass"),
        ("no-cache", "pass"),
        ("public, max-age=600, must-revalidate", "pass"),
        ("max-age=600", "warn"),
        ("private, max-age=600", "warn"),
        ("public, max-age=600, max-age=3600", "fail"),
        ("public, private", "fail"),
        ("no-store, max-age=600", "fail"),
        (None, "fail"),
    ],
)
def test_cache_control(text, verdict):
    """There, public, of one mind."""
    assert freshness.cache_control(told(cache_control=text)).verdict == verdict


def test_what_the_broker_did_not_write_is_named():
    """With whom to look at."""
    found = freshness.cache_control(
        told(cache_control="public, max-age=600, immutable", server="nginx")
    )
    assert "immutable" in found.seen
    assert "nginx" in found.seen


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("public, max-age=600", "pass"),
        ('public, MAX-AGE="600"', "pass"),
        ("public, max-age=86400", "pass"),
        ("public, max-age=86401", "warn"),
        ("public, max-age=30", "warn"),
        ("public, max-age=0", "warn"),
        ("no-store", "warn"),
        ("no-cache", "warn"),
        ("public", "fail"),
        ("public, max-age=soon", "fail"),
    ],
)
def test_lifetime(text, verdict):
    """Neither hammering nor trusting a revoked key for days."""
    assert freshness.duration(told(cache_control=text)).verdict == verdict


def test_expires_counts_where_nothing_else_does():
    """RFC 9111 §4.2.1."""
    date, later = "Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 23 Nov 2026 10:10:00 GMT"
    only = told(cache_control=None, date=date, expires=later)
    assert caching.lifetime(only) == 600
    assert caching.lifetime(told(cache_control=None, expires="0")) == 0
    assert caching.lifetime(told(cache_control="max-age=5", date=date, expires=later)) == 5


def test_expires_that_contradicts_max_age():
    """Older caches read nothing else."""
    date = "Mon, 23 Nov 2026 10:00:00 GMT"
    agrees = told(date=date, expires="Mon, 23 Nov 2026 10:10:00 GMT")
    assert freshness.expires(agrees).verdict == "pass"
    assert freshness.expires(told(date=date, expires=date)).verdict == "warn"
    later = told(date=date, expires="Mon, 30 Nov 2026 10:10:00 GMT")
    assert freshness.expires(later).verdict == "warn"
    assert freshness.expires(answer()) is None


@pytest.mark.parametrize(
    "more", ["stale-while-revalidate=60", "stale-if-error=86400", "s-maxage=3600"]
)
def test_serving_beyond_the_lifetime_is_a_risk(more):
    """A new key may sign before such a copy knows it."""
    found = freshness.overtime(told(cache_control=f"public, max-age=600, {more}"))
    assert found.verdict == "warn"
    assert freshness.overtime(answer()) is None
    assert freshness.overtime(told(cache_control="max-age=600, s-maxage=300")) is None


def test_age_within_and_beyond_the_lifetime():
    """A shared cache that serves beyond max-age breaks the promise to every verifier."""
    assert freshness.stored(answer()).verdict == "pass"
    assert freshness.stored(told(age="0")).verdict == "pass"
    assert freshness.stored(told(age="9", cache_control=None)).verdict == "pass"
    within = freshness.stored(told(age="200"))
    assert within.verdict == "pass"
    assert "13 min 20 s old" in within.seen
    assert freshness.stored(told(age="600")).verdict == "pass"
    beyond = freshness.stored(told(age="700", via="1.1 varnish"))
    assert beyond.verdict == "fail"
    assert "Varnish" in beyond.cure
    assert freshness.stored(told(age="99999999999999999999")).verdict == "fail"


def test_a_cache_that_hides_age_is_a_risk():
    """Every verifier counts the whole lifetime anew."""
    assert freshness.stored(told(x_cache_status="HIT")).verdict == "warn"
    assert freshness.stored(told(x_cache_status="MISS")).verdict == "pass"


def test_the_worst_copy_is_the_one_judged():
    """Overdue before hidden before old before fresh."""
    fresh, old = told(age="1"), told(age="500")
    hidden, overdue = told(x_cache="Hit from cloudfront"), told(age="601")
    shuffled = [overdue, old, fresh, hidden]
    order = [fresh, old, hidden, overdue]
    assert sorted(shuffled, key=freshness.by_staleness) == order
