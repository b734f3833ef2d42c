"""What people mean by tomorrow and Monday, by their own clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from notifications.web.later import moment_of


@pytest.mark.parametrize(
    ("choice", "now", "zone", "expected"),
    [
        ("hour", "2026-12-01T11:30", "Europe/Paris", "2026-12-01T12:30"),
        # A Tuesday.
        ("tomorrow", "2026-12-01T11:30", "Europe/Paris", "2026-12-02T07:00"),
        ("monday", "2026-12-01T11:30", "Europe/Paris", "2026-12-07T07:00"),
        # Wednesday there already.
        ("tomorrow", "2026-12-01T16:00", "Asia/Tokyo", "2026-12-02T23:00"),
        # On a Monday, even before eight, it is the next one; on a Sunday, the morning after.
        ("monday", "2026-12-07T05:00", "UTC", "2026-12-14T08:00"),
        ("monday", "2026-12-06T23:59", "UTC", "2026-12-07T08:00"),
        # The clocks go forward in the night before.
        ("tomorrow", "2026-03-28T12:00", "Europe/Paris", "2026-03-29T06:00"),
    ],
)
def test_a_choice_is_a_time_in_its_zone(choice: str, now: str, zone: str, expected: str) -> None:
    found = moment_of(choice, now=datetime.fromisoformat(now).replace(tzinfo=UTC), zone=ZoneInfo(zone))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_anything_else_is_none() -> None:
    assert moment_of("never", now=datetime.now(UTC), zone=UTC) is None
