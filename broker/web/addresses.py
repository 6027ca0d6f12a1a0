"""Whose request it is, for limits: one household's address, not one of its many."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

from broker.web.edge_config import EdgeConfig
from broker.web.middleware import Network, client_address


def asker(request: Request, config: EdgeConfig) -> str:
    """Return an IPv4 address, or the network of 2⁶⁴ addresses that one person has of IPv6."""
    return _household(client_address(request.scope, _networks(config.trusted_proxies)))


def counted(request: Request, config: EdgeConfig) -> str | None:
    """Return whose requests are counted together; None for this very machine.

    A proxy on it that BROKER_TRUSTED_PROXIES does not name would make one asker of everybody.
    """
    found = asker(request, config)
    return None if found == "::1" or found.startswith(("127.", "::/64")) else found


@lru_cache(maxsize=4096)  # parsing one costs more than all else that is counted
def _household(found: str) -> str:
    try:
        address = ip_address(found)
    except ValueError:
        return found
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network(f"{address.compressed.partition('%')[0]}/64", strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(maxsize=8)
def _networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in proxies)
