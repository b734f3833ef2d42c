"""Networks with a purpose of their own, where no webhook of anybody's is.

From IANA's registries of special-purpose addresses as of 9 October 2025, also where they call a network
globally reachable; and addresses by which clouds reach their own. By number, since Python's ``ipaddress``
judges by those of its own day. Whatever of IPv6 is outside 2000::/3 is refused without a look at these.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

IPV4: Final = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared address space of providers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, and the metadata of most clouds",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "IETF protocol assignments, and a cloud's metadata",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relays, 6a44 relays",
    "192.168.0.0/16": "private use",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, and limited broadcast",
}
IPV6: Final = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "64:ff9b:1::/48": "translation for local use",
    "100::/64": "discard only",
    "100:0:0:1::/64": "dummy prefix",
    "2001::/23": "IETF protocol assignments: Teredo, ORCHID, benchmarks and more",
    "2001:db8::/32": "documentation",
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local, and the metadata of some clouds",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
#: Public by their number, and reached from within a cloud only.
CLOUDS: Final = {
    "161.26.0.0/16": "IBM's services",
    "166.8.0.0/14": "IBM's services",
    "168.63.129.16/32": "Azure's host",
}

NETWORKS_4: Final = tuple(IPv4Network(each) for each in (*IPV4, *CLOUDS))
NETWORKS_6: Final = tuple(IPv6Network(each) for each in IPV6)
