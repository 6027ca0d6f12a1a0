"""Which IP addresses are public: the ones of the internet at large, and no way around to others.

Sources: the IANA special-purpose address registries (RFC 6890), kept by ``ipaddress``; what that
module passes over, or lets through by design, is written here.
"""

import ipaddress
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Global to the registries, yet no place of a client's server.
_OTHER_IPV4: Final = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments, single ones of them "global"
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays into 6to4 (RFC 7526)
)
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out
_OTHER_IPV6: Final = (
    ipaddress.IPv6Network("2001::/23"),  # Teredo (RFC 4380), ORCHID, benchmarks …
    ipaddress.IPv6Network("2002::/16"),  # 6to4 (RFC 3056): an IPv4 address of anybody's choice
    ipaddress.IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214 §6.1: an IPv4 address follows


def is_public(address: IPAddress) -> bool:
    """Whether an address is a unicast one of the public internet.

    What carries an IPv4 address inside counts as that one where a translator of the local network
    may have made it (NAT64, which IPv6-only networks rely on), and is refused otherwise.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return _public_ipv4(address)
    if address in _NAT64:
        return _public_ipv4(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.scope_id is not None or address not in _UNICAST:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return address.is_global and not any(address in network for network in _OTHER_IPV6)


def _public_ipv4(address: ipaddress.IPv4Address) -> bool:
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _OTHER_IPV4)
