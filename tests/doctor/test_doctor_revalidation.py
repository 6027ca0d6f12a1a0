"""ETag, conditional requests, HEAD, Vary, compression."""

import pytest

from broker.doctor.checks import revalidation
from broker.doctor.model import Silence, Trouble
from tests.doctor.recorded import answer, body, told

SILENT = Silence("u", Trouble.BROKEN, "the compressed content cannot be read")


def test_an_entity_tag():
    """Strong as it was sent, or changed by whom; missing is a risk."""
    strong = revalidation.etag(answer())
    assert (strong.verdict, "strong" in strong.seen) == ("pass", True)
    weak = revalidation.etag(told(etag='W/"abc"', server="nginx"))
    assert weak.verdict == "pass"
    assert "weakened by nginx" in weak.seen
    squeezed = revalidation.etag(told(etag='"abc-gzip"', server="Apache"))
    assert (squeezed.verdict, "Apache" in squeezed.seen) == ("pass", True)
    assert revalidation.etag(told(etag=None)).verdict == "warn"


@pytest.mark.parametrize(
    ("look", "verdict"),
    [
        (answer(b"", 304), "pass"),
        (answer(b"", 304, headers={"cache-control": None}), "warn"),
        (answer(), "warn"),
        (answer(headers={"etag": '"new"'}), "pass"),
        (answer(status=412), "fail"),
        (answer(status=500), "fail"),
        (SILENT, "fail"),
    ],
)
def test_a_conditional_request_is_answered_304(look, verdict):
    """RFC 9110 §13.1.2, with what a 304 must repeat (§15.4.5)."""
    assert revalidation.conditional(answer(), look).verdict == verdict
    assert revalidation.conditional(answer(), None) is None


def test_head():
    """Answers as GET does."""
    assert revalidation.head(answer(), answer(b"", method="HEAD")).verdict == "pass"
    assert revalidation.head(answer(), answer(status=405)).verdict == "warn"
    assert revalidation.head(answer(), SILENT).verdict == "warn"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (None, "pass"),
        ("Origin, Accept-Encoding", "pass"),
        ("*", "warn"),
        ("Accept-Encoding, Cookie", "warn"),
        ("User-Agent", "warn"),
    ],
)
def test_vary_that_splits_caches(text, verdict):
    """One document for everybody is one copy."""
    assert revalidation.vary(told(vary=text)).verdict == verdict


def test_compression_without_vary_is_a_risk():
    """A cache may hand it to one that cannot read it."""
    assert revalidation.vary(told(content_encoding="gzip")).verdict == "warn"
    both = told(content_encoding="gzip", vary="Accept-Encoding")
    assert revalidation.vary(both).verdict == "pass"


def test_the_keys_come_with_and_without_compression():
    """Simple verifiers ask for none."""
    squeezed = told(content_encoding="gzip")
    assert revalidation.compression(squeezed, answer()).verdict == "pass"
    assert revalidation.compression(answer(), answer()).verdict == "pass"
    assert revalidation.compression(squeezed, squeezed).verdict == "fail"
    assert revalidation.compression(squeezed, answer(b"\x1f\x8b")).verdict == "fail"
    assert revalidation.compression(squeezed, answer(body(1), 406)).verdict == "fail"
    assert revalidation.compression(squeezed, SILENT).verdict == "fail"
