"""The discovery document, media types, CORS, cookies."""

import pytest

from broker.doctor.checks import documents
from broker.doctor.model import Silence, Trouble
from tests.doctor.recorded import ISSUER, JWKS, METADATA, answer, told


def test_a_missing_document_tells_what_to_look_at():
    """By status, and by why there was no answer."""
    assert documents.status("d", answer()).verdict == "pass"
    for status in (204, 401, 403, 404, 429, 500, 503, 302):
        found = documents.status("d", answer(status=status))
        assert found.verdict == "fail"
        assert found.cure
    silent = documents.status("d", Silence(JWKS, Trouble.REFUSED, "connection refused"))
    assert silent.verdict == "fail"
    assert "connection refused" in silent.seen


def test_media_types():
    """RFC 7517 §8.5.1 and JSON; parameters and case do not matter."""
    for kind in ("application/json", "application/jwk-set+json", "Application/JSON; charset=utf-8"):
        found = told(content_type=kind)
        assert documents.media_type(found, documents.JSON, documents.JWK_SET).verdict == "pass"
    assert documents.media_type(told(content_type="text/html"), documents.JSON).verdict == "fail"
    assert documents.media_type(told(content_type=None), documents.JSON).verdict == "fail"


@pytest.mark.parametrize("named", [f"{ISSUER}/", ISSUER.upper(), "https://a.example", None, 1])
def test_the_issuer_is_compared_to_the_letter(named):
    """OpenID Connect Discovery §4.3."""
    assert documents.issuer(METADATA, ISSUER).verdict == "pass"
    assert documents.issuer(METADATA | {"issuer": named}, ISSUER).verdict == "fail"


@pytest.mark.parametrize(
    ("named", "verdict"),
    [
        (JWKS, "pass"),
        ("https://keys.example.org/jwks", "warn"),
        (JWKS.replace("https", "http"), "fail"),
        ("/jwks.json", "fail"),
        ("file:///etc/passwd", "fail"),
        ("https://[", "fail"),
        (None, "fail"),
        (7, "fail"),
    ],
)
def test_where_the_keys_are(named, verdict):
    """Over https, at the issuer's own origin."""
    assert documents.jwks_uri(METADATA | {"jwks_uri": named}, ISSUER).verdict == verdict


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        (["RS256"], "pass"),
        (["ES256", "RS256"], "pass"),
        (["ES256"], "fail"),
        (["RS256", "none"], "fail"),
        (["RS256", "HS256"], "fail"),
        ([], "fail"),
        ("RS256", "fail"),
        (None, "fail"),
    ],
)
def test_advertised_algorithms(names, verdict):
    """RS256 is required, and what needs no key or a shared one is not offered."""
    changed = METADATA | {"id_token_signing_alg_values_supported": names}
    assert documents.algorithms(changed).verdict == verdict


def test_cors():
    """Any page, never with credentials; one header, not two."""
    assert documents.cors(answer()).verdict == "pass"
    assert documents.cors(told(access_control_allow_origin=None)).verdict == "warn"
    assert documents.cors(told(access_control_allow_origin="*, *")).verdict == "warn"
    assert documents.cors(told(access_control_allow_origin="https://a.example")).verdict == "warn"
    assert documents.cors(told(access_control_allow_credentials="true")).verdict == "fail"
    assert documents.cors(None) is None


def test_cookies():
    """On the JWKS wrong, elsewhere a risk; their values are not shown."""
    assert documents.cookies(answer(), shared=True).verdict == "pass"
    found = documents.cookies(told(set_cookie="lb=s3cret-value; Path=/"), shared=True)
    assert found.verdict == "fail"
    assert '"lb"' in found.seen
    assert "s3cret" not in found.seen
    assert documents.cookies(told(set_cookie="lb=1"), shared=False).verdict == "warn"


def test_how_long_discovery_is_kept():
    """Said, more than nothing, and no longer than a day."""
    assert documents.kept(answer()).verdict == "pass"
    for text in (None, "no-store", "public, max-age=100000"):
        assert documents.kept(told(cache_control=text)).verdict == "warn"
