"""Whose request it is: what limits count by."""

import pytest
from starlette.requests import Request

from broker.web.addresses import asker
from tests.web import fakes


def request(client: str, forwarded: str = "") -> Request:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return Request({"type": "http", "client": (client, 1), "headers": headers})


@pytest.mark.parametrize(
    ("client", "whose"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_address_or_one_person_s_network(client: str, whose: str) -> None:
    """IPv6 gives everybody 2⁶⁴ addresses; they count as one."""
    assert asker(request(client), fakes.config()) == whose


def test_only_trusted_proxies_say_who_asks() -> None:
    """Whoever else writes the header counts by their own address."""
    trusting = fakes.config(trusted_proxies=("192.0.2.0/24",))
    assert asker(request("192.0.2.7", "2001:db8::1"), trusting) == "2001:db8::/64"
    assert asker(request("198.51.100.1", "192.0.2.9"), trusting) == "198.51.100.1"
    assert asker(request("192.0.2.7", "1.2.3.4"), fakes.config()) == "192.0.2.7"
