"""Small parsers, given anything at all: their own refusal or an answer, nothing else."""

import base64
import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.cli.audit_commands import moment
from broker.cli.running import Failure
from broker.core import durations
from broker.core.clients import Credentials, _basic
from broker.core.errors import InvalidClient
from broker.web.middleware import client_address
from keys.errors import KeyRecordCorrupt
from tests.keys.keys_helpers import sealer

ANYTHING = st.text(max_size=200)
ALMOST_TIMES = st.from_regex(r"\A\d{0,4}[-T:.Z+smhd0-9]{0,30}\Z")
PROXIES = [ipaddress.ip_network("127.0.0.0/8")]


@given(ANYTHING | ALMOST_TIMES)
@example("٣d")
@example("9" * 400)
def test_lengths_of_time(text):
    """Seconds, never negative, or ValueError."""
    try:
        assert durations.parse(text) >= 0
    except ValueError:
        return


@given(ANYTHING | ALMOST_TIMES)
@example("0001-01-01T00:00:00+23:59")
@example("9999-12-31T23:59:59-23:59")
@example("9" * 400 + "d")
@example("9" * 400)
def test_moments(text):
    """A number, or wrong usage that names the option."""
    try:
        assert isinstance(moment("--since", text, 0.0), float)
    except Failure as failure:
        assert "--since" in str(failure)


@given(st.binary(max_size=200), ANYTHING)
@example(b"a:b", "Basic YQ")
def test_basic(pair, text):
    """Credentials, or ``InvalidClient`` (RFC 6749 §2.3.1)."""
    for header in (text, f"Basic {text}", "Basic " + base64.b64encode(pair).decode()):
        try:
            assert isinstance(_basic(header), Credentials)
        except InvalidClient:
            continue


@given(st.lists(st.binary(max_size=80), max_size=4), ANYTHING)
def test_forwarded_addresses(hops, peer):
    """What a trusted proxy wrote, as far as it is an address; never a failure."""
    headers = [(b"x-forwarded-for", hop) for hop in hops]
    found = client_address({"headers": headers, "client": ("127.0.0.1", 1)}, PROXIES)
    assert ipaddress.ip_address(found)
    assert client_address({"headers": headers, "client": (peer, 1)}, PROXIES) == peer or hops


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_sealed_records(garbage, place, byte):
    """What we did not seal, or was altered anywhere, is refused by name."""
    whole = sealer().seal("kid", b"private" * 4)
    altered = bytearray(whole)
    altered[place] ^= byte or 1
    for sealed in (garbage, bytes(altered), whole[:place]):
        with pytest.raises(KeyRecordCorrupt):
            sealer().open("kid", sealed)
    with pytest.raises(KeyRecordCorrupt):
        sealer().open("another", whole)
