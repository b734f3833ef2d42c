"""When a cron line's turns are: by the clock on the wall, minute by minute, around every change of it."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.cron import BadLine, line_check, next_turn

MINUTE = timedelta(minutes=1)
#: So far the brute force looks ahead.
SPAN = timedelta(days=4)
#: Zones, with times at which their clock is changed: by an hour, half of one, two, a day; at midnight too.
CHANGES = {
    "Europe/Paris": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-10-03T15:30", "2026-04-04T15:00"),
    "Antarctica/Troll": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/Sao_Paulo": ("2018-11-04T03:00", "2018-02-18T02:00"),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
    "Pacific/Apia": ("2011-12-30T10:00",),
    "UTC": ("2026-02-28T12:00",),
}
PLACES = [(zone, datetime.fromisoformat(at).replace(tzinfo=UTC)) for zone in CHANGES for at in CHANGES[zone]]


def values_of(field: str, least: int, most: int) -> set[int]:
    """Return what a field of the lines below names."""
    found = set[int]()
    for part in field.split(","):
        whole, _, step = part.partition("/")
        begin, _, end = whole.partition("-")
        first, last = (least, most) if whole == "*" else (int(begin), int(end or begin))
        found |= set(range(first, last + 1, int(step or 1)))
    return found


@lru_cache
def named_by(line: str) -> tuple[set[int], ...]:
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    return tuple(values_of(field, *each) for field, each in zip(line.split(), bounds, strict=True))


def is_named(line: str, wall: datetime) -> bool:
    minutes, hours, days, months, weekdays = named_by(line)
    if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
        return False
    is_day, is_weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
    _, _, day, _, weekday = line.split()
    if day.startswith("*") or weekday.startswith("*"):
        return is_day and is_weekday
    return is_day or is_weekday


def brute(line: str, zone: str, after: datetime) -> datetime | None:
    """Look at the clock every minute, as cron does."""
    follows = line.split()[0].startswith("*") or line.split()[1].startswith("*")
    at = after.replace(second=0, microsecond=0)
    before = at.astimezone(ZoneInfo(zone))
    while at < after + SPAN:
        at += MINUTE
        now = at.astimezone(ZoneInfo(zone))
        walls = [now.replace(tzinfo=None)]
        if not follows:
            skipped = walls[0] - before.replace(tzinfo=None) - MINUTE
            walls += [walls[0] - MINUTE * (each + 1) for each in range(max(0, skipped // MINUTE))]
            if now.fold:
                walls = []
        if any(is_named(line, wall) for wall in walls):
            return at
        before = now
    return None


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    one = st.integers(least, most)
    return st.one_of(
        st.just("*"),
        one.map(str),
        st.integers(2, max(2, (most - least) // 2)).map(lambda step: f"*/{step}"),
        st.lists(one, min_size=2, max_size=2, unique=True).map(lambda two: f"{min(two)}-{max(two)}"),
        st.lists(one, min_size=2, max_size=3, unique=True).map(lambda many: ",".join(map(str, sorted(many)))),
    )


LINES = st.tuples(
    numbers(0, 59), st.one_of(numbers(0, 3), numbers(0, 23)), numbers(1, 31), st.just("*"), numbers(0, 6)
).map(" ".join)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(LINES, st.sampled_from(PLACES), st.integers(-2 * 86_400, 86_400))
@example("30 2 * * *", ("Europe/Paris", PLACES[0][1]), -3600)
@example("30 2 * * *", ("Europe/Paris", PLACES[1][1]), -1200)
@example("30 * * * *", ("Europe/Paris", PLACES[1][1]), -600)
@example("*/10 2 * * *", ("Europe/Paris", PLACES[1][1]), -60)
@example("0 9 31 12 *", ("Pacific/Apia", PLACES[-2][1]), -60)
@example("15 0 * * *", ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)), -3600)
def test_the_next_turn_is_the_first_that_a_clock_on_the_wall_shows(
    line: str, place: tuple[str, datetime], seconds: int
) -> None:
    zone, change = place
    after = change + timedelta(seconds=seconds)
    expected = brute(line, zone, after)
    found = next_turn(line, zone, after)
    assert found == expected if expected else found > after + SPAN - MINUTE


def test_the_aliases_of_cron_are_known() -> None:
    after = datetime(2026, 1, 31, 10, 20, tzinfo=UTC)
    assert next_turn("@hourly", "UTC", after) == datetime(2026, 1, 31, 11, tzinfo=UTC)
    assert next_turn("@midnight", "Asia/Kathmandu", after) == datetime(2026, 1, 31, 18, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    ["", "x", "* * * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "@reboot", "a b c d e", "-1 * * * *"],
)
def test_what_is_no_line_or_never_comes_is_refused(line: str) -> None:
    with pytest.raises(BadLine):
        line_check(line)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.text("0123456789*/-,LW?#abc \0é", max_size=20))
def test_whatever_is_typed_is_a_line_or_refused(text: str) -> None:
    try:
        line_check(text)
    except BadLine:
        return
    assert next_turn(text, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
