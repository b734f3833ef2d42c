"""Which addresses users' webhooks may reach, asked of every connection at the moment it is made.

Asking at that moment, and not when the name is looked up, leaves a name no time to change its mind.
"""

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

from aiohappyeyeballs import AddrInfoType
from django.conf import settings

from notifications.channels.transport.special_networks import NETWORKS_4, NETWORKS_6

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_6TO4 = IPv6Network("2002::/16")  # RFC 3056: the 32 bits that follow are
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291: the last 32 bits are
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291: nothing else of IPv6 is routed globally


class AddressRefused(OSError):
    """Address not allowed: it is not a public one."""

    def __init__(self) -> None:
        super().__init__("address not allowed: it is not a public one")


def is_allowed(address: str) -> bool:
    """Return whether users' webhooks may reach an IP address: public, or within WEBHOOK_ALLOWED_NETWORKS."""
    return _is_allowed(address, tuple(settings.WEBHOOK_ALLOWED_NETWORKS))


def open_socket(addr_info: AddrInfoType) -> socket.socket:
    """Return a socket for a connection, as aiohappyeyeballs' ``socket_factory``; raises AddressRefused."""
    family, kind, protocol, _, sockaddr = addr_info
    if not is_allowed(str(sockaddr[0])):
        raise AddressRefused
    return socket.socket(family=family, type=kind, proto=protocol)


@lru_cache(maxsize=4096)
def _is_allowed(address: str, networks: tuple[str, ...]) -> bool:
    inner = outer = ip_address(address)
    # An IPv6 address can stand for an IPv4 address.
    if outer in _MAPPED or outer in _NAT64:
        inner = IPv4Address(int(outer) & 0xFFFF_FFFF)
    elif outer in _6TO4:
        inner = IPv4Address(int(outer) >> 80 & 0xFFFF_FFFF)
    allowed = [ip_network(cidr.strip(), strict=False) for cidr in networks]
    if any(each in network for each in (outer, inner) for network in allowed):
        return True
    if isinstance(inner, IPv4Address):
        return not any(inner in network for network in NETWORKS_4)
    return inner in _GLOBAL_UNICAST and not any(inner in network for network in NETWORKS_6)
