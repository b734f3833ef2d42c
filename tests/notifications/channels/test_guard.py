"""Users' webhooks reach public addresses and nothing else, whatever the spelling and whatever DNS says."""

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest
from aiohappyeyeballs import AddrInfoType
from django.conf import settings
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.channels.message import Receipt, Rejected, Unavailable
from notifications.channels.transport import guard
from notifications.channels.transport.resolver import Resolver
from notifications.channels.transport.session import Session
from tests.notifications.channels import conftest
from tests.packages import PACKAGES
from tests.servers.third_party import ThirdParty

REFUSED = {
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "private 172.16": "172.31.255.254",
    "private 192.168": "192.168.1.1",
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.255.254",
    "link-local": "169.254.1.1",
    "cloud metadata": "169.254.169.254",
    "carrier-grade NAT": "100.64.0.1",
    "end of carrier-grade NAT": "100.127.255.255",
    "IETF protocols": "192.0.0.1",
    "IPv4 dummy": "192.0.0.8",
    "6to4 of IPv4 dummy": "2002:c000:0008::1",
    "Azure's host endpoint": "168.63.129.16",
    "mapped Azure's host endpoint": "::ffff:168.63.129.16",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "6to4 relays": "192.88.99.1",
    "benchmarks": "198.19.0.1",
    "multicast": "224.0.0.251",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v6 unique local": "fd00:ec2::254",
    "v6 unique local, fc": "fc00::1",
    "v6 link-local": "fe80::1",
    "v6 link-local with zone": "fe80::1%eth0",
    "v6 site-local": "fec0::1",
    "v6 multicast": "ff02::1",
    "v6 discard": "100::1",
    "v6 documentation": "2001:db8::1",
    "v6 new documentation": "3fff::1",
    "v6 segment routing": "5f00::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHIDv2": "2001:20::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped private": "::ffff:10.0.0.1",
    "mapped metadata": "::ffff:a9fe:a9fe",
    "compatible loopback": "::127.0.0.1",
    "translated loopback": "::ffff:0:127.0.0.1",
    "NAT64 of private": "64:ff9b::10.0.0.1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local-use NAT64": "64:ff9b:1::8.8.8.8",
    "6to4 of private": "2002:0a00:0001::1",
    "6to4 of loopback": "2002:7f00:0001::",
}
# IANA's registries of special-purpose addresses as of 9 October 2025, row by row, and multicast. Missing are
# those that the guard judges by the IPv4 address within (::ffff:0:0/96, 64:ff9b::/96 and 2002::/16): see
# stand_ins.
SPECIAL_PURPOSE = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
# By which clouds reach what is theirs.
CLOUDS = {
    "most": "169.254.169.254/32",
    "AWS": "fd00:ec2::254/128",
    "AWS, tasks": "169.254.170.2/32",
    "Google": "fd20:ce::254/128",
    "Azure": "168.63.129.16/32",
    "Alibaba": "100.100.100.200/32",
    "Oracle": "192.0.0.192/32",
    "Tencent": "169.254.0.23/32",
    "Scaleway": "fd00:42::42/128",
    "IBM": "161.26.0.0/16",
    "IBM, too": "166.8.0.0/14",
}
NETWORKS = [ip_network(each) for each in (*SPECIAL_PURPOSE, *CLOUDS.values())]
ALLOWED = {
    "public": "8.8.8.8",
    "just before private 10": "9.255.255.255",
    "just after carrier-grade NAT": "100.128.0.1",
    "v6 public": "2606:4700:4700::1111",
    "mapped public": "::ffff:8.8.8.8",
    "NAT64 of public": "64:ff9b::8.8.8.8",
    "6to4 of public": "2002:0808:0808::1",
}


@pytest.fixture(autouse=True)
def _nothing_allowed(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []


class Names(Resolver):
    """Answers every look-up with the next of a list of answers, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self.answers = list(answers)

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            info
            for address in answer
            for info in socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        ]


async def post(session: Session, url: str, **options: Any) -> Receipt:
    return await conftest.post(session, url, **{"trusted": False, "timeout_s": 1.0, **options})


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not guard.is_allowed(address)


@pytest.mark.parametrize("address", ALLOWED.values(), ids=ALLOWED.keys())
def test_public_addresses_are_allowed(address: str) -> None:
    assert guard.is_allowed(address)


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "::1", False),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("10.1.2.3/16", "10.1.200.1", True),
        ("fd00::/8", "fd12::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        (" 192.168.7.7 ", "192.168.7.7", True),
        (" 192.168.7.7 ", "192.168.7.8", False),
    ],
)
def test_a_setting_opens_a_network(settings: Settings, network: str, address: str, allowed: bool) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["203.0.113.0/24", network]
    assert guard.is_allowed(address) is allowed


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "127.1", "2130706433"],
)
@pytest.mark.parametrize("revocable", [True, False])
async def test_loopback_is_refused_for_good_and_never_contacted(
    session: Session, third_party: ThirdParty, host: str, revocable: bool
) -> None:
    on_begin = (lambda: None) if revocable else None
    with pytest.raises(Rejected):
        await post(session, f"http://{host}:{third_party.port}/", on_begin=on_begin)
    assert third_party.connections == 0


async def test_it_says_why(session: Session, third_party: ThirdParty) -> None:
    with pytest.raises(Rejected, match="address not allowed"):
        await post(session, third_party.url)


async def test_trusted_urls_reach_any_address(session: Session, third_party: ThirdParty) -> None:
    assert await post(session, third_party.url, trusted=True) == Receipt(200)


async def test_trusted_connections_are_not_lent_to_users(session: Session, third_party: ThirdParty) -> None:
    await post(session, third_party.url, trusted=True)
    with pytest.raises(Rejected):
        await post(session, third_party.url)


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::1", "::1"]],
)
async def test_a_public_name_of_private_addresses_is_refused(
    third_party: ThirdParty, answer: list[str]
) -> None:
    async with Session(resolver=Names(answer)) as session:
        with pytest.raises(Rejected, match="address not allowed"):
            await post(session, f"http://hooks.example.com:{third_party.port}/")
    assert third_party.connections == 0


async def test_a_name_that_changes_its_mind_is_refused(third_party: ThirdParty, settings: Settings) -> None:
    """DNS rebinding: first an allowed address, then, within the look-up's life or after it, loopback."""
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    with ThirdParty(third_party.port, host="127.0.0.2") as public:
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        async with Session(resolver=names) as session:
            url = f"http://hooks.example.com:{third_party.port}/"
            assert await post(session, url) == Receipt(200)
            public.behave("reset")
            with pytest.raises((Rejected, Unavailable)):
                await post(session, url)
            with pytest.raises(Rejected, match="address not allowed"):
                await post(session, url)
    assert third_party.connections == 0


async def test_of_mixed_addresses_only_the_allowed_is_contacted(
    third_party: ThirdParty, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    with ThirdParty(third_party.port, host="127.0.0.2") as public:
        async with Session(resolver=Names(["127.0.0.1", "::1", "127.0.0.2"])) as session:
            await post(session, f"http://hooks.example.com:{third_party.port}/")
        assert public.connections == 1
    assert third_party.connections == 0


async def test_an_allowed_address_that_is_down_is_tried_again_later(
    settings: Settings, listening_nowhere: int
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    async with Session(resolver=Names(["127.0.0.1", "127.0.0.2"])) as session:
        with pytest.raises(Unavailable):
            await post(session, f"http://hooks.example.com:{listening_nowhere}/")


async def test_a_redirect_into_the_private_network_is_not_followed(
    session: Session, third_party: ThirdParty, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    with ThirdParty(host="127.0.0.2") as public:
        public.behave(f"redirect:307,{third_party.url}")
        with pytest.raises(Rejected, match="redirect"):
            await post(session, public.url)
    assert third_party.connections == 0


async def test_refusing_is_fast(session: Session) -> None:
    started = time.monotonic()
    with pytest.raises(Rejected):
        await post(session, "http://10.255.255.1/", timeout_s=5)
    assert time.monotonic() - started < 4


@pytest.fixture
def listening_nowhere() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        yield taken.getsockname()[1]


def stand_ins(address: IPv4Address | IPv6Address) -> list[str]:
    """The address, and IPv6 addresses that stand for it."""
    if isinstance(address, IPv6Address):
        return [str(address)]
    number = int(address)
    shapes = (0xFFFF << 32 | number, 0x64_FF9B << 96 | number, 0x2002 << 112 | number << 80 | 1)
    return [str(address), *(str(IPv6Address(each)) for each in shapes)]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_no_special_purpose_network_may_be_reached(network: IPv4Network | IPv6Network) -> None:
    step = max(network.num_addresses // 64, 1)
    inside = [network[at] for at in range(0, network.num_addresses, step)] + [network[-1]]
    assert [each for address in inside for each in stand_ins(address) if guard.is_allowed(each)] == []


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_what_is_beside_one_is_refused_only_if_it_belongs_to_another(
    network: IPv4Network | IPv6Network,
) -> None:
    kind = type(network[0])
    for number in (int(network[0]) - 1, int(network[-1]) + 1):
        if not 0 <= number < 1 << network.max_prefixlen:
            continue
        beside = kind(number)
        is_special = any(beside in each for each in NETWORKS)
        is_routed = isinstance(beside, IPv4Address) or beside in ip_network("2000::/3")
        expected = is_routed and not is_special
        assert {guard.is_allowed(each) for each in stand_ins(beside)} == {expected}


def test_the_edges_of_what_is_routed_globally() -> None:
    assert guard.is_allowed("2000::")
    assert guard.is_allowed("3fff:1000::")
    assert not guard.is_allowed("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    assert not guard.is_allowed("4000::")


# Of this machine, its network or its cloud; "{port}" is a local server's.
SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://１２７.０.０.１:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ｌocalhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::1]:{port}/",
    "http://[2001:0:7f00:1::80ff:fffe]:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://example.com%2f@127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fe80::a9fe:a9fe]/",
    "http://168.63.129.16/metadata",
    "http://192.0.0.192/opc/v2/",
    "gopher://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "unix:///var/run/redis.sock",
]


@pytest.mark.slow
@pytest.mark.parametrize("spelling", [*SPELLINGS, f"http://{socket.gethostname()}:{{port}}/"])
def test_no_spelling_of_what_is_near_is_reached(
    owner: User, as_user: Callable[[User], APIClient], third_party: ThirdParty, spelling: str
) -> None:
    """Refused as it is entered, or else as it is connected to."""
    url = spelling.format(port=third_party.port)
    answer = as_user(owner).post("/api/v1/contact-points/", {"channel": "webhook", "address": url})
    assert answer.status_code in (201, 400)
    if answer.status_code == 400:
        assert set(answer.json()) == {"address"}

    async def send(address: str) -> None:
        async with Session() as session:
            with pytest.raises((Rejected, Unavailable), match=r"address|resolved"):
                await post(session, address)

    asyncio.run(send(answer.json()["address"] if answer.status_code == 201 else url))
    assert third_party.connections == 0


# Whoever else opens connections of HTTP, and where to: an address of the operator's, never one of a person's.
CLIENTS = {
    "notifications.channels.transport.http1": "channels' posts, through the guard to a person's address",
    "notifications.brokers.sqs": "SQS_ENDPOINT_URL",
    "notifications.archive.s3": "AWS_ENDPOINT_URL_S3",
    "notifications.management.commands.demo": "our own web process",
    "escalation.demo": "our own web process",
    "tracing.demo": "our own web process",
    "dating.demo": "our own web process",
    "dating.meetings.google_meet": "GOOGLE_MEET_BASE_URL, GOOGLE_MEET_TOKEN_URL",
    "config.processes": "our own web process",
}
HTTP = re.compile(
    r"^\s*(?:import|from) (?:requests|httpx|aiohttp|urllib3|boto3|httptools|http\.client|urllib\.request"
    r"|google)\b",
    re.MULTILINE,
)


def test_nothing_else_speaks_http() -> None:
    found = {
        ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
        for package in PACKAGES
        for path in (settings.BASE_DIR / package).rglob("*.py")
        if HTTP.search(path.read_text())
    }
    assert found == set(CLIENTS)


def test_of_the_channels_only_webhooks_and_web_push_take_addresses_of_people_over_http() -> None:
    channels = settings.BASE_DIR / "notifications" / "channels"
    said = {
        path.stem: set(re.findall(r"trusted=(True|False)", path.read_text()))
        for path in channels.rglob("*.py")
    }
    assert {name for name, each in said.items() if "False" in each} == {"webhook", "webpush"}
    assert said["webhook"] == said["webpush"] == {"False"}
