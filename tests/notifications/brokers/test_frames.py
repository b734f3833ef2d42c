"""What is read of a message's properties as RabbitMQ's frames hold them."""

import base64
from datetime import datetime
from struct import pack
from typing import Any

import pytest
from amqp.serialization import decode_properties_basic
from amqp.spec import Basic

from notifications.brokers import frames
from tests.notifications.brokers import odd
from tests.notifications.brokers.odd import ODD

HEAD = pack(">HHQ", Basic.CLASS_ID, 0, 8)
NOVEMBER_2023 = 1_700_000_000


def read(properties: bytes) -> dict[str, Any]:
    found = frames.readable(HEAD + properties)
    assert found[: len(HEAD)] == HEAD
    return decode_properties_basic(found, len(HEAD))[0]


def headers(properties: bytes) -> dict[str, Any]:
    return read(properties)["application_headers"]


def test_a_time_that_python_has_no_year_for_is_the_number_that_was_sent() -> None:
    assert headers(ODD["milliseconds"]) == {"sent": odd.MILLISECONDS}
    assert headers(ODD["before 1970"]) == {"sent": -1}


def test_a_time_beside_one_that_can_not_be_read_stays_a_time() -> None:
    late, usual = odd.timestamp(odd.MILLISECONDS), odd.header(b"usual", b"T", pack(">Q", NOVEMBER_2023))
    found = headers(odd.with_headers(late, usual))
    assert found == {"sent": odd.MILLISECONDS, "usual": datetime(2023, 11, 14, 22, 13, 20)}


def test_times_are_found_behind_values_of_every_type() -> None:
    sizes = {b"V": 0, b"t": 1, b"b": 1, b"B": 1, b"U": 2, b"u": 2, b"s": 2, b"I": 4, b"i": 4, b"f": 4}
    sizes |= {b"D": 5, b"l": 8, b"L": 8, b"d": 8}
    others = [odd.header(letter, letter, bytes(size)) for letter, size in sizes.items()]
    others += [odd.header(letter, letter, odd.long(b"TTT")) for letter in (b"S", b"x")]
    others += [odd.header(letter, letter, odd.long(b"")) for letter in (b"F", b"A")]
    found = headers(odd.with_headers(*others, odd.timestamp(odd.MILLISECONDS)))
    assert found.pop("sent") == odd.MILLISECONDS
    assert len(found) == len(others)


def test_times_are_found_in_tables_and_lists() -> None:
    found = headers(ODD["milliseconds within"])
    assert found == {"text": "x", "list": [{"sent": odd.MILLISECONDS}, None], "last": True}
    assert read(ODD["milliseconds after a type"])["content_type"] == "text/plain"


@pytest.mark.parametrize(
    "properties",
    [
        ODD["very deep"],
        ODD["id in Latin-1"],
        odd.with_headers(odd.timestamp(0))[:-1],
        odd.with_headers(odd.header(b"of no type", b"?", b"")),
        pack(">H", odd.HEADERS),
        b"",
    ],
    ids=["very deep", "id in Latin-1", "cut", "of no type", "without its headers", "nothing"],
)
def test_of_properties_that_can_not_be_read_the_bytes_are_kept(properties: bytes) -> None:
    (name,) = found = read(properties)
    assert name == "application_headers"
    assert base64.b64decode(found[name][frames.UNREADABLE]) == properties
