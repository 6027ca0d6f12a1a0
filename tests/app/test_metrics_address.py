"""Where metrics are served: well-formed, and never on the public port."""

import pytest

from broker.app.addresses import host_and_port
from broker.app.checks import check
from broker.app.problems import Refused
from broker.app.settings import Settings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:9464", ("::1", 9464)),
        ("[::]:65535", ("::", 65535)),
        ("localhost:9464", ("localhost", 9464)),
        ("metrics.internal:9464", ("metrics.internal", 9464)),
    ],
)
def test_addresses_are_read(text, found):
    """Host and port, as other servers take them."""
    assert host_and_port(text) == found


MALFORMED = [
    "9464",
    ":9464",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:٣",
    "127.0.0.1:9464/metrics",
    "http://127.0.0.1:9464",
    "256.0.0.1:9464",
    "127.1:9464",
    "::1:9464",
    "[127.0.0.1]:9464",
    "[::1:9464",
    "me@host:9464",
    "a b:9464",
    "-:9464",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_address_is_refused(text):
    """The setting is named, with an example of what it should look like."""
    assert host_and_port(text) is None
    with pytest.raises(Refused) as refused:
        check(Settings(metrics_address=text))
    (problem,) = refused.value.problems
    assert problem.setting == "BROKER_METRICS_ADDRESS"
    assert "127.0.0.1:9464" in problem.reason


def test_metrics_never_share_the_public_port():
    """Not on another address either: a proxy or a firewall rule knows the port alone."""
    check(Settings(port=8000, metrics_address="127.0.0.1:8001"))
    with pytest.raises(Refused, match="BROKER_METRICS_ADDRESS: port 8000 is the public one"):
        check(Settings(port=8000, metrics_address="127.0.0.2:8000"))
