"""A made-up town whose phones met: households, colleagues, and people who pass by.

However many rows, a device has the same: about a hundred records of its own in fourteen days, as many again
by others of it, and six contacts that come to 900 s: two at home and four at work, whose homes are anywhere.
So ten times the rows are ten times the devices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

ROWS_PER_DEVICE = 100
DAYS = 14
DAY_S = 86_400
# Meetings per device in fourteen days, by kind; each is of two devices, and 9 of 10 phones record it.
AT_HOME, AT_WORK, IN_PASSING = 16, 26, 58
RECORDED = 0.9
HOUSEHOLD, TEAM = 3, 5


@dataclass(frozen=True)
class Day:
    """The records of one day, by start, as columns."""

    my_id: np.ndarray
    other_id: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    distance_cm: np.ndarray


def first_moment(now: datetime) -> int:
    """Midnight fourteen days ago: the fourteen days from there are over."""
    return int(
        (now.astimezone(UTC) - timedelta(days=DAYS))
        .replace(hour=0, minute=0, second=0, microsecond=0)
        .timestamp()
    )


def days(rows: int, *, now: datetime, seed: int = 1) -> Iterator[Day]:
    """Make about so many records, day by day."""
    random = np.random.default_rng(seed)
    devices = max(rows // ROWS_PER_DEVICE, 60)
    for number in range(DAYS):
        yield _day(devices, first_moment(now) + number * DAY_S, random)


def _day(devices: int, midnight: int, random: np.random.Generator) -> Day:
    """Meetings of each kind as (count per device, size of a group, seconds, centimetres)."""
    everyone = np.arange(devices)
    # The same teams each day, of people who live far apart.
    places = np.random.default_rng(0).permutation(devices)
    kinds = (
        (AT_HOME, HOUSEHOLD, everyone, (600, 7200), (30, 400)),
        (AT_WORK, TEAM, places, (60, 1500), (50, 600)),
        (IN_PASSING, devices, everyone, (10, 240), (50, 1500)),
    )
    parts = []
    for meetings, group, at_place, lasts, apart in kinds:
        count = int(
            devices * meetings / DAYS / RECORDED * ROWS_PER_DEVICE / (AT_HOME + AT_WORK + IN_PASSING) / 2
        )
        one = random.integers(0, devices, count)
        first = one // group * group
        other = (first + (one - first + random.integers(1, group, count)) % group) % devices
        start = midnight + random.integers(0, DAY_S - 1, count)
        parts.append(
            (
                at_place[one] + 1,
                at_place[other] + 1,
                start,
                random.integers(*lasts, count),
                random.integers(*apart, count),
            )
        )
    return _as_recorded(*(np.concatenate(column) for column in zip(*parts, strict=True)), random=random)


def _as_recorded(
    one: np.ndarray,
    other: np.ndarray,
    start: np.ndarray,
    seconds: np.ndarray,
    distance: np.ndarray,
    *,
    random: np.random.Generator,
) -> Day:
    """Each phone's own record of the meeting, which differs a little, where it made one."""
    columns = []
    for my_id, other_id in ((one, other), (other, one)):
        made = (random.random(len(one)) < RECORDED) & (my_id != other_id)
        late = random.integers(0, 10, len(one))
        nearer = random.integers(-20, 20, len(one))
        columns.append(
            (my_id[made], other_id[made], (start + late)[made], seconds[made], (distance + nearer)[made])
        )
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    order = np.argsort(joined[2], kind="stable")
    return Day(*(column[order] for column in joined))
