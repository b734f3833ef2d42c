"""An outbreak in small: a filter, meetings of phones, and the search for whoever is marked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tracing.storing import store
from tracing.models import Case, Device, Filter
from tracing.reference import Record
from tracing.services import searches
from tracing.services.filters import filter_create
from tracing.services.statuses import status_mark

TEXT = {"title": "You were near", "shortDescription": "Stay at home.", "description": "More about it."}
FRENCH = {"title": "Vous étiez près", "shortDescription": "Restez chez vous.", "description": "Suite."}


@pytest.fixture
def now() -> datetime:
    """A whole second, as interactions have them."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def make_filter(db: None) -> Callable[..., Filter]:
    def build(name: str = "close", **fields: Any) -> Filter:
        given = {"is_active": True, "time_min_s": 900, "content": {"en": TEXT, "fr": FRENCH}, **fields}
        return filter_create(name=name, **given)[0]

    return build


@pytest.fixture
def meet(now: datetime) -> Callable[..., None]:
    """Store what one phone saw of another: so many hours ago, for so many seconds."""

    def build(
        my_id: int, other_id: int, *, hours_ago: float, seconds: int = 1200, distance: float = 1.0
    ) -> None:
        start = int((now - timedelta(hours=hours_ago)).timestamp())
        store([Record(my_id=my_id, other_id=other_id, start=start, end=start + seconds, distance=distance)])

    return build


@pytest.fixture
def infect(db: None) -> Callable[..., Case]:
    """Mark a device as infected and search at once."""

    def build(device_id: int, at: datetime | None = None) -> Case:
        at = at or datetime.now(UTC)
        Device.objects.get_or_create(pk=device_id)
        case = status_mark(device_id=device_id, status=1, now=at).case
        assert case is not None
        assert not searches.pending_run(now=at)
        return case

    return build
