"""SPEC 11.3: an upload is bounded before it is parsed, and a large one is parsed in another process."""

import gzip
import json
import signal
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tracing.intake import readers
from tracing.models import Interaction

ROUTE = "/api/v1/tracing/interactions/"
START = int(datetime.now(UTC).timestamp()) - 7200
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
NAMES = b"my_id,other_id,timestamp_start,timestamp_end,distance\n"


@pytest.fixture
def uploader(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("tracing:write")


@pytest.fixture
def fresh_readers() -> Iterator[None]:
    """Readers of the settings of this test, which end with it."""
    readers._readers.cache_clear()
    yield
    readers._readers().end()
    readers._readers.cache_clear()


def upload(client: APIClient, body: bytes, media_type: str = JSON, **headers: str) -> Any:
    return client.generic("POST", ROUTE, body, content_type=media_type, headers=headers)


def record(number: int, **changes: Any) -> dict[str, Any]:
    start = START - number
    given = {"my_id": 1 + number, "other_id": 70_000, "timestamp_start": start, "timestamp_end": start + 60}
    return {**given, "distance": 1.5, "note": "x" * 100, **changes}


def packed(times: int, member: bytes, *, begin: bytes = b"[", end: bytes = b"]") -> bytes:
    """Pack a body that repeats one part, without ever having it whole."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(begin)]
    thousand = member * 1000
    parts += [packer.compress(thousand) for _ in range(times // 1000)]
    return b"".join([*parts, packer.compress(member.rstrip(b",") + end), packer.flush()])


BOMBS = {
    "objects": (JSON, lambda: packed(13_000_000, b"{},")),
    "lists": (JSON, lambda: packed(13_000_000, b"[],")),
    "numbers": (JSON, lambda: packed(19_000_000, b"1,")),
    "members of one record": (JSON, lambda: packed(6_000_000, b'"":1,', begin=b"[{", end=b"}]")),
    "depth": (JSON, lambda: packed(13_000_000, b"[", begin=b"", end=b"")),
    "lines of NDJSON": (NDJSON, lambda: packed(13_000_000, b"{}\n", begin=b"", end=b"")),
    "values in a line of NDJSON": (NDJSON, lambda: packed(13_000_000, b"[],")),
    "lines of CSV": (CSV, lambda: packed(19_000_000, b"a\n", begin=NAMES, end=b"")),
    "lines of CSV that end with CR": (CSV, lambda: packed(19_000_000, b"a\r", begin=NAMES, end=b"")),
    "columns of CSV": (CSV, lambda: packed(39_000_000, b",", begin=b"my_id", end=b"\n")),
    "empty gzips": (JSON, lambda: gzip.compress(b"") * 400_000),
    "gzips of one character": (CSV, lambda: gzip.compress(b"1") * 200_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_anything_is_built_of_it(
    uploader: APIClient, fresh_readers: None, settings: Any, name: str
) -> None:
    settings.TRACING_READERS = settings.WEB_THREADS = 0  # whatever is to be read apart answers 503
    media_type, made = BOMBS[name]
    bomb = made()
    tracemalloc.start()
    answer = upload(uploader, bomb, media_type)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 400, answer.data
    # Not because of what they hold, which is no JSON either: that shows after all of them are unpacked.
    assert ("gzip members" in str(answer.data)) == ("gzips" in name)
    assert peak < len(bomb) + 20_000_000
    assert not Interaction.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"my_id," * 10_000 + b"\n" + b"1\n" * 5_000,
        NAMES + b"1," * 20_000 + b"\n",
        b",".join([NAMES.strip(), *(b"x%d" % number for number in range(100))]) + b"\n" + b"a\n" * 90_000,
    ],
    ids=["names", "a long line", "columns times lines"],
)
def test_few_lines_with_many_columns_are_refused(uploader: APIClient, body: bytes) -> None:
    assert upload(uploader, body, CSV).status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("media_type", [JSON, NDJSON, CSV])
@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_large_upload_is_read_apart_and_stored(
    uploader: APIClient, fresh_readers: None, media_type: str, is_gzip: bool
) -> None:
    records = [record(number) for number in range(3_000)]
    body = {
        JSON: lambda: json.dumps(records).encode(),
        NDJSON: lambda: b"\r\n\r\n".join(json.dumps(each).encode() for each in records),
        CSV: lambda: "\r\n".join(
            [",".join(records[0]), *(",".join(map(str, each.values())) for each in records)]
        ).encode(),
    }[media_type]()
    assert len(body) > 300_000
    answer = upload(uploader, gzip.compress(body) if is_gzip else body, media_type)
    counts = {"records": 3_000, "new": 3_000, "known": 0, "too_short": 0, "intervals_differ": 0}
    assert (answer.status_code, answer.data) == (201, counts)
    stored = Interaction.objects.filter(my_id=3_000).values_list(
        "other_id", "start_s", "seconds", "distance_cm"
    )
    assert list(stored) == [(70_000, START - 2_999, 60, 150)]


@pytest.mark.slow
def test_what_is_read_apart_is_refused_in_the_same_words(uploader: APIClient, fresh_readers: None) -> None:
    records = [record(number) for number in range(3_000)]
    bad = upload(uploader, json.dumps([*records, record(0, distance=-1)]).encode())
    assert bad.status_code == 400
    assert bad.data["records"] == ["Record 3001: distance: Expected metres from 0 to 10000."]
    assert upload(uploader, json.dumps(records).encode()[:-1]).status_code == 400
    assert upload(uploader, b'{"a":' + json.dumps(records).encode() + b"}").status_code == 400
    many = upload(uploader, b"[" + b"{}," * 200_000 + b"{}]")
    assert (many.status_code, list(many.data)) == (400, ["records"])
    assert not Interaction.objects.exists()


@pytest.mark.slow
def test_what_settings_say_is_kept_of_what_is_read_apart_too(
    uploader: APIClient, fresh_readers: None, settings: Any
) -> None:
    settings.TRACING_KEEP_SIGNAL = settings.TRACING_KEEP_POSITIONS = True
    extras = {"rssi": -61, "platform": "ios", "latitude": 46.1, "longitude": -1.1}
    body = json.dumps([record(0, **extras), *(record(number) for number in range(1, 3_000))]).encode()
    assert upload(uploader, body).status_code == 201
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rssi, platform, position::text FROM tracing_interaction WHERE my_id < 3 ORDER BY 1"
        )
        assert cursor.fetchall() == [(-61, 1, "(46.1,-1.1)"), (None, None, None)]


def test_what_is_no_name_of_a_platform_is_passed_over(uploader: APIClient, settings: Any) -> None:
    settings.TRACING_KEEP_SIGNAL = True
    nested = (
        json.dumps([record(0)])
        .encode()
        .replace(b'"x', b'"", "platform": ' + b"[" * 900 + b"]" * 900 + b', "y": "x')
    )
    assert upload(uploader, nested).status_code == 201


LARGE = json.dumps([record(number) for number in range(20_000)]).encode()


@pytest.mark.slow
def test_a_reader_that_takes_too_long_is_ended_and_the_next_upload_has_another(
    uploader: APIClient, fresh_readers: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACING_READERS = 1
    settings.TRACING_READER_TIMEOUT_S = 0.001
    refused = upload(uploader, LARGE)
    assert (refused.status_code, list(refused.data)) == (413, ["detail"])
    (said,) = [
        record.getMessage() for record in caplog.records if "upload_reader_lost" in record.getMessage()
    ]
    assert f"{-signal.SIGALRM}" in said
    settings.TRACING_READER_TIMEOUT_S = 60
    assert upload(uploader, LARGE).status_code == 201


@pytest.mark.slow
def test_a_reader_that_takes_too_much_memory_is_refused_it(
    uploader: APIClient, fresh_readers: None, settings: Any
) -> None:
    settings.TRACING_READERS = 1
    settings.TRACING_READER_MAX_MB = 90
    refused = upload(uploader, LARGE)
    assert (refused.status_code, list(refused.data)) == (413, ["detail"])
    settings.TRACING_READER_MAX_MB = 768
    assert upload(uploader, LARGE).status_code == 201


def test_more_uploads_than_may_wait_are_turned_away(
    uploader: APIClient, fresh_readers: None, settings: Any
) -> None:
    settings.TRACING_READERS = settings.WEB_THREADS = 0
    refused = upload(uploader, LARGE)
    assert refused.status_code == 503
    assert refused["Retry-After"]
