"""Which addresses users' webhooks may reach, asked of every connection at the moment it is made.

Asking at that moment, and not when the name is looked up, leaves a name no time to change its mind.
"""

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohappyeyeballs import AddrInfoType
from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291: nothing else of IPv6 is routed globally
_NOT_GLOBAL = (
    IPv4Network("168.63.129.16/32"),  # Azure's host endpoint: public by its number only
    IPv4Network("192.0.0.0/24"),  # RFC 6890: IETF protocols; older Pythons let parts of it through
    IPv4Network("192.88.99.0/24"),  # RFC 7526: 6to4 relays
    IPv6Network("2001::/23"),  # RFC 2928: Teredo, ORCHID, benchmarks; newer Pythons let parts of it through
    IPv6Network("3fff::/20"),  # RFC 9637: documentation
)


class AddressRefused(OSError):
    """Address not allowed: it is not a public one."""

    def __init__(self) -> None:
        super().__init__("address not allowed: it is not a public one")


def is_allowed(address: str) -> bool:
    """Return whether users' webhooks may reach an IP address: public, or within WEBHOOK_ALLOWED_NETWORKS."""
    return _is_allowed(address, tuple(settings.WEBHOOK_ALLOWED_NETWORKS))


def open_socket(addr_info: AddrInfoType) -> socket.socket:
    """Return a socket for a connection about to be made: aiohappyeyeballs' ``socket_factory``.

    Raises:
        AddressRefused: the connection's address isn't allowed.
    """
    family, kind, protocol, _, sockaddr = addr_info
    if not is_allowed(str(sockaddr[0])):
        raise AddressRefused
    return socket.socket(family=family, type=kind, proto=protocol)


@lru_cache(maxsize=4096)
def _is_allowed(address: str, networks: tuple[str, ...]) -> bool:
    outer = ip_address(address)
    inner = _embedded(outer)
    if any(each in _network(network) for each in (outer, inner) for network in networks):
        return True
    return _is_public(inner)


@lru_cache(maxsize=64)
def _network(cidr: str) -> Network:
    return ip_network(cidr.strip(), strict=False)


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _NOT_GLOBAL)
