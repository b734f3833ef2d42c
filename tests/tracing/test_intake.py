"""Uploads of records: three formats, all or none, each bad record named, nothing stored twice."""

import gzip
import json
import math
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from tracing.intake import BadRecords, NotReadable, columns_of, records_checked
from tracing.models import Intake, Interaction

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
START = int(NOW.timestamp()) - 7200
ROUTE = "/api/v1/tracing/interactions/"


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours before are today at noon; by night they would be of yesterday, which an import packs."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


def record(**changes: Any) -> dict[str, Any]:
    given = {
        "my_id": 1696,
        "other_id": 1509,
        "timestamp_start": START,
        "timestamp_end": START + 900,
        "interval": 900,
        "rssi": -61,
        "distance": 1.234,
        "platform": "android",
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not ...}


def csv_of(*records: dict[str, Any], names: bool = True) -> bytes:
    lines = [",".join(map(str, each.values())) for each in records]
    return "\n".join([",".join(records[0]), *lines] if names else lines).encode()


def faults(*records: Any) -> list[tuple[int, str, str]]:
    with pytest.raises(BadRecords) as caught:
        records_checked(columns_of(json.dumps(records).encode(), "application/json"), now=NOW)
    return caught.value.faults


ISO = datetime.fromtimestamp(START, UTC).isoformat()
BODIES = [
    ("application/json", json.dumps([record()]).encode()),
    ("application/json", json.dumps([record(timestamp_start=ISO, my_id="1696")]).encode()),
    ("application/json", json.dumps([record(timestamp_end=..., interval=900.4)]).encode()),
    ("application/x-ndjson", json.dumps(record()).encode() + b"\n\n"),
    ("text/csv", csv_of(record())),
    ("text/csv", csv_of(record(x=1, note="more"))),
    ("text/csv", csv_of(record(), names=False) + b"\r\n"),
    ("text/csv", csv_of(record()).replace(b",", b";")),
    ("text/csv", csv_of(record()).replace(b"my_id,other_id", b"My_ID,OTHER_ID")),
    ("text/csv", b"\xef\xbb\xbf" + csv_of(record()).replace(b"timestamp", b"TIMESTAMP")),
]


@pytest.mark.parametrize(("media_type", "body"), BODIES, ids=range(len(BODIES)))
def test_every_format_gives_the_same_record(media_type: str, body: bytes) -> None:
    records = records_checked(columns_of(body, media_type), now=NOW)
    assert records.my_id.tolist() == [1696]
    assert records.other_id.tolist() == [1509]
    assert records.start_s.tolist() == [START]
    assert records.seconds.tolist() == [900]
    assert records.distance_cm.tolist() == [124]


OLD = START - 15 * 86_400
BAD = [
    ("my_id", 0, "from 1 to"),
    ("my_id", 2**31, "from 1 to"),
    ("my_id", 1.5, "whole number"),
    ("my_id", True, "whole number"),
    ("my_id", None, "required"),
    ("my_id", ..., "required"),
    ("other_id", 1696, "another device"),
    ("other_id", "x", "whole number"),
    ("timestamp_start", OLD, "from "),
    ("timestamp_start", START * 1000, "future"),
    ("timestamp_start", "yesterday", "ISO 8601"),
    ("timestamp_start", [1], "ISO 8601"),
    ("timestamp_end", START - 1, "before timestamp_start"),
    ("timestamp_end", START + 86_400, "future"),
    ("distance", -0.1, "metres"),
    ("distance", "inf", "finite number"),
    ("distance", 1e300, "metres"),
    ("distance", {}, "finite number"),
    ("interval", -1, "from 0"),
    ("rssi", 500, "dBm"),
    ("my_id", "1_0", "whole number"),
    ("my_id", "١٢", "whole number"),
    ("other_id", "1_509", "whole number"),
    ("timestamp_start", f"{START // 1000}_{START % 1000:03}", "ISO 8601"),
    ("distance", "1_0.5", "finite number"),
    ("interval", "9_00", "finite number"),
    ("platform", "andr\0id", "control characters"),
    ("latitude", 91, "degrees"),
]


@pytest.mark.parametrize(("field", "value", "expected"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_is_said_of_its_record_and_field(field: str, value: Any, expected: str) -> None:
    found = faults(record(), record(**{field: value}), record())
    assert [(number, name) for number, name, _ in found] == [(1, field)]
    assert expected in found[0][2]


def test_a_record_that_lasts_longer_than_a_day_is_refused() -> None:
    start = START - 3 * 86_400
    assert "at most a day" in faults(record(timestamp_start=start, timestamp_end=start + 86_401))[0][2]


def test_times_beyond_all_bounds_are_refused_like_others() -> None:
    found = faults(record(timestamp_start=-1.7e308, timestamp_end=1.7e308))
    assert [name for _, name, _ in found] == ["timestamp_start"]


def test_what_is_no_record_is_named_and_its_neighbours_too() -> None:
    found = faults(3, record(), record(my_id=0), None)
    assert [number for number, _, _ in found] == [0, 2, 3]
    columns = columns_of(csv_of(record(), record()) + b",9\n1,2\n", "text/csv")
    with pytest.raises(BadRecords) as caught:
        records_checked(columns, now=NOW)
    assert [number for number, _, _ in caught.value.faults] == [1, 2]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"[{"),
        ("application/json", b"[" * 100_000),
        ("application/json", b"{}"),
        ("application/json", b'[{"distance": NaN}]'),
        ("text/csv", b""),
        ("text/csv", b"a,b,c\n1,2,3"),
        ("text/csv", b"\xff\xfe"),
        ("text/csv", csv_of(record(platform="andr\0id"))),
        ("text/csv", csv_of(record(my_id="16\x1b96"))),
        ("text/csv", csv_of(record()).replace(b"rssi", b"Distance")),
    ],
)
def test_what_is_not_in_its_format_is_refused(media_type: str, body: bytes) -> None:
    with pytest.raises(NotReadable):
        columns_of(body, media_type)


def test_many_bad_records_are_counted_and_the_first_are_named() -> None:
    columns = columns_of(json.dumps([record(my_id=0)] * 500).encode(), "application/json")
    with pytest.raises(BadRecords) as caught:
        records_checked(columns, now=NOW)
    assert caught.value.records == 500
    assert [number for number, _, _ in caught.value.faults] == list(range(100))


def test_a_contact_that_lasts_too_long_for_one_row_is_stored_in_pieces_that_touch() -> None:
    start = START - 80_000
    body = json.dumps([record(timestamp_start=start, timestamp_end=start + 80_000)]).encode()
    pieces = records_checked(columns_of(body, "application/json"), now=NOW).stored_form()
    ends = (pieces.start_s + pieces.seconds).tolist()
    assert len(pieces) == 3
    assert pieces.start_s.tolist() == [start, *ends[:-1]]
    assert ends[-1] == start + 80_000


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (0.9, 30.2, 29),  # 29.3 s
        (0.5, 30.5, 30),
        (0.0, 29.999, 29),
        (0.9, 900.2, 899),
        (0.9, 900.9, 900),
        (0.1, 30.1, 30),
    ],
)
def test_a_length_is_rounded_down_whatever_the_fractions_of_its_times(
    start: float, end: float, seconds: int
) -> None:
    given = record(timestamp_start=START + start, timestamp_end=START + end)
    records = records_checked(columns_of(json.dumps([given]).encode(), "application/json"), now=NOW)
    assert (records.start_s.tolist(), records.seconds.tolist()) == ([START], [seconds])


@pytest.mark.parametrize(
    ("metres", "centimetres"),
    [
        (2.0, 200),
        (2.004, 201),
        (1.996, 200),
        (1.1, 110),
        (2.3, 230),
        (0.07, 7),
        (327.67, 32767),
        (400, 32767),
    ],
)
def test_a_distance_is_rounded_up(metres: float, centimetres: int) -> None:
    body = csv_of(record(distance=metres))
    assert records_checked(columns_of(body, "text/csv"), now=NOW).distance_cm.tolist() == [centimetres]


# --- Over HTTP ---------------------------------------------------------------------------------------


@pytest.fixture
def uploader(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("tracing:write")


def upload(client: APIClient, body: bytes, media_type: str = "application/json", **headers: str) -> Any:
    return client.generic("POST", ROUTE, body, content_type=media_type, headers=headers)


def test_an_upload_is_stored_and_the_same_again_is_known(uploader: APIClient) -> None:
    body = json.dumps([record(), record(my_id=7), record()]).encode()
    fine = {"too_short": 0, "intervals_differ": 0}
    first = upload(uploader, body)
    assert (first.status_code, first.data) == (201, {"records": 3, "new": 2, "known": 1, **fine})
    again = upload(uploader, gzip.compress(csv_of(record(), record(my_id=7))), "text/csv")
    assert (again.status_code, again.data) == (200, {"records": 2, "new": 0, "known": 2, **fine})
    more = upload(uploader, json.dumps([record(), record(my_id=8)]).encode())
    assert (more.status_code, more.data) == (201, {"records": 2, "new": 1, "known": 1, **fine})
    assert Interaction.objects.count() == 3
    assert Intake.objects.count() == 2


def lasting(seconds: float, interval: float) -> dict[str, Any]:
    return record(timestamp_end=START + seconds, interval=interval)


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 2_000], ids=["small", "read by another process"])
@pytest.mark.parametrize("media_type", ["application/json", "text/csv"])
def test_an_answer_says_how_many_records_can_never_count_and_how_many_contradict_themselves(
    uploader: APIClient, media_type: str, copies: int
) -> None:
    rows = [
        lasting(20, 20),
        lasting(29.9, 30),
        lasting(30, 30),
        lasting(900, 10),
        lasting(900.4, 901),
    ] * copies
    body = json.dumps(rows).encode() if media_type == "application/json" else csv_of(*rows)

    answer = upload(uploader, body, media_type)

    assert answer.status_code == 201
    counts = {"records": 5 * copies, "too_short": 2 * copies, "intervals_differ": copies}
    assert answer.data == {**answer.data, **counts}


def test_an_upload_without_records_is_no_fault(uploader: APIClient) -> None:
    for body, media_type in ((b"[]", "application/json"), (csv_of(record()).split(b"\n")[0], "text/csv")):
        answer = upload(uploader, body, media_type)
        assert (answer.status_code, answer.data["records"]) == (200, 0)


def test_one_bad_record_keeps_all_from_being_stored(uploader: APIClient) -> None:
    answer = upload(uploader, json.dumps([record(), record(distance=-1)]).encode())
    assert answer.status_code == 400
    assert answer.data["records"] == ["Record 2: distance: Expected metres from 0 to 10000."]
    assert "nothing was stored" in answer.data["detail"]
    assert not Interaction.objects.exists()


def test_a_key_for_intake_reads_nothing_and_others_may_not_upload(
    uploader: APIClient,
    as_machine: Callable[..., APIClient],
    as_user: Callable[[User], APIClient],
    stranger: User,
    anonymous: APIClient,
) -> None:
    assert uploader.get(ROUTE).status_code == 405
    assert uploader.get("/api/v1/tracing/cases/").status_code == 403
    body = json.dumps([record()]).encode()
    assert upload(as_machine("tracing:read"), body).status_code == 403
    assert upload(as_user(stranger), body).status_code == 403
    assert upload(anonymous, body).status_code == 401


def test_signal_and_position_are_kept_only_where_settings_say_so(
    uploader: APIClient, settings: Settings
) -> None:
    body = [record(latitude=46.1, longitude=-1.1), record(my_id=7, rssi=..., platform=...)]
    upload(uploader, json.dumps(body).encode())
    kept = "SELECT rssi, platform, position::text FROM tracing_interaction ORDER BY my_id DESC"
    assert _rows(kept) == [(None, None, None)] * 2
    _rows("DELETE FROM tracing_interaction RETURNING 1")
    settings.TRACING_KEEP_SIGNAL = settings.TRACING_KEEP_POSITIONS = True
    assert upload(uploader, json.dumps(body).encode()).status_code == 201
    assert _rows(kept) == [(-61, 2, "(46.1,-1.1)"), (None, None, None)]


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_too_many_records_and_too_large_a_body_are_refused(uploader: APIClient, settings: Settings) -> None:
    settings.TRACING_UPLOAD_MAX_RECORDS = 2
    assert upload(uploader, json.dumps([record()] * 3).encode()).status_code == 400
    settings.TRACING_UPLOAD_MAX_BYTES = 1_000_000
    assert upload(uploader, b"[" + b" " * 1_000_000).status_code == 413
    assert upload(uploader, b"x", **{"Content-Encoding": "br"}).status_code == 415
    assert upload(uploader, gzip.compress(b"[]")[:-3]).status_code == 400
    assert upload(uploader, b"x", "text/plain").status_code == 415


def test_a_gzip_bomb_is_refused_without_being_unpacked(uploader: APIClient, settings: Settings) -> None:
    settings.TRACING_UPLOAD_MAX_BYTES = 1_000_000
    bomb = gzip.compress(bytes(100_000_000), compresslevel=1)
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    assert upload(uploader, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


# --- Files -------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_file_is_imported_in_parts_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("tracing.intake.files.PART_BYTES", 4_000)
    rows = [record(my_id=10 + number, timestamp_start=START + number % 60) for number in range(300)]
    (tmp_path / "a.csv").write_bytes(csv_of(*rows))
    (tmp_path / "b.ndjson.gz").write_bytes(
        gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows))
    )
    call_command("import_interactions", str(tmp_path / "a.csv"))
    assert Interaction.objects.count() == 300
    assert Intake.objects.count() == 1  # they are all of one day
    call_command("import_interactions", str(tmp_path / "b.ndjson.gz"))
    assert Interaction.objects.count() == 300
    assert "0 new records, 300 known before, 0 bad" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_an_import_says_how_many_records_can_never_count(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.csv").write_bytes(csv_of(lasting(20, 20), lasting(900, 10), lasting(900, 900)))
    call_command("import_interactions", str(tmp_path / "a.csv"))
    said = capsys.readouterr().out
    assert "2 new records, 1 known before" in said  # an interval makes no other record
    assert "1 last less than 30 s, and never count" in said
    assert "1 have an interval that their times contradict" in said


@pytest.mark.django_db(transaction=True)
def test_bad_records_of_a_file_are_named_and_passed_over_only_if_asked(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(csv_of(record(), record(my_id=0), record(my_id=8, timestamp_end=START + 5 * math.pi)))
    with pytest.raises(CommandError, match="1 bad records"):
        call_command("import_interactions", str(file))
    assert "record 2: my_id" in capsys.readouterr().err
    assert not Interaction.objects.exists()
    with pytest.raises(SystemExit):
        call_command("import_interactions", str(file), "--skip-bad")
    assert sorted(Interaction.objects.values_list("my_id", "seconds")) == [(8, 15), (1696, 900)]
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_interactions", str(tmp_path / "none.csv"))


@pytest.mark.django_db(transaction=True)
def test_a_damaged_file_is_named_and_not_read_on(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(csv_of(*(record(my_id=10 + number) for number in range(300)))))
    packed[10] = 7  # a block of a kind that there isn't
    (tmp_path / "a.csv.gz").write_bytes(packed)
    with pytest.raises(CommandError, match=r"a\.csv\.gz: Error -3"):
        call_command("import_interactions", str(tmp_path / "a.csv.gz"))
    assert not Interaction.objects.exists()


def test_times_ahead_of_ours_by_a_little_are_taken() -> None:
    end = (NOW + timedelta(seconds=200)).timestamp()
    assert len(
        records_checked(
            columns_of(json.dumps([record(timestamp_end=end)]).encode(), "application/json"), now=NOW
        )
    )
