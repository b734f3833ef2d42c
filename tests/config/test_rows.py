"""Many rows by one statement."""

from datetime import timedelta

from accounts.ids import uuid7
from config import clock
from config.rows import Columns, rows_insert, rows_update
from config.sql import run_prepared
from escalation.models import AlertGroup, Heartbeat, Silence


def test_each_row_gets_its_own_values_and_no_others(db: None) -> None:
    now = clock.now()
    silence = Silence.objects.create(reason="works", ends_at=now + timedelta(hours=1))
    groups = [
        AlertGroup.objects.create(key=f"{number}", title=f"It's {number}", opened_at=now, last_at=now)
        for number in range(3)
    ]
    for number, group in enumerate(groups[:2]):
        group.title, group.occurrences, group.rings_at = f"“{number}”, 'x'", number, now
        group.key = "not stored"
    groups[1].silence = silence
    rows_update(AlertGroup, groups[:2], ["title", "occurrences", "rings_at", "silence"])
    rows_update(AlertGroup, [], ["title"])
    stored = AlertGroup.objects.order_by("key").values_list(
        "key", "title", "occurrences", "rings_at", "silence"
    )
    assert list(stored) == [
        ("0", "“0”, 'x'", 0, now, None),
        ("1", "“1”, 'x'", 1, now, silence.pk),
        ("2", "It's 2", 0, None, None),
    ]


def test_what_is_inserted_is_counted_by_model_without_what_is_there_already(db: None) -> None:
    now = clock.now()
    matchers, ends = [{"label": "é'\"", "op": "=", "value": "\\"}], now + timedelta(hours=1)
    silences = [
        {"id": uuid7(), "reason": reason, "matchers": matchers, "starts_at": now, "ends_at": ends, "rule": "",
         "time_zone": "UTC", "created_at": now} for reason in ("it's one", "two; --")
    ]  # fmt: skip
    group = {"key": "x", "state": "open", "quiet": "", "title": "t", "severity": "", "labels": {}, "link": "",
             "occurrences": 0, "opened_at": now, "last_at": now, "ended_by": "", "ended_via": "", "why": [],
             "is_storm": False}  # fmt: skip
    assert rows_insert((Silence, silences[:1]), (AlertGroup, [group])) == [1, 1]
    assert rows_insert((AlertGroup, [group]), (Heartbeat, []), (Silence, silences)) == [0, 0, 1]
    assert rows_insert((Silence, [])) == [0]
    columns = Columns(Silence)
    rows = run_prepared(f"SELECT {columns.of('it')}, 7 FROM escalation_silence AS it ORDER BY id", {})
    read = [columns.row(row) for row in rows]
    assert [(each.pk, each.reason, each.matchers, each.starts_at) for each in read] == [
        (each["id"], each["reason"], each["matchers"], now) for each in silences
    ]
    assert [row[len(columns) :] for row in rows] == [(7,), (7,)]
