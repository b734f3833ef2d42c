"""The queries that show cases."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, DateTimeField, F, Func, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from config import sql
from config.statements import named
from notifications.models import Delivery
from tracing.models import Case, Exposure

#: What the notifications of a case are stored with, beside its id; and of a mark for which there is no case.
SOURCE: Final = "tracing_case"
MARK_SOURCE: Final = "tracing_mark"

SEEN_SQL: Final = """
SELECT EXISTS (SELECT FROM tracing_interaction WHERE my_id = %(id)s)
    OR EXISTS (SELECT FROM tracing_interaction WHERE other_id = %(id)s)
    OR EXISTS (SELECT FROM tracing_packedday WHERE device_id = %(id)s)
"""
named("tracing.is-seen", "Ask whether any record names a device.", SEEN_SQL)

# The quarter of an hour of an onset: in every zone days begin with one. PostgreSQL isn't asked for the days,
# since it has zones of its own, which may differ from Python's.
_QUARTER: Final = Func(
    Value(timedelta(minutes=15)),
    F("onset"),
    Value(datetime(2000, 1, 1, tzinfo=UTC)),
    function="date_bin",
    output_field=DateTimeField(),
)

# By filter and device: the device that it was exposed by.
Vias = Mapping[tuple[UUID, int], int]


def device_is_seen(device_id: int) -> bool:
    """Whether any record names this device."""
    return bool(sql.value(SEEN_SQL, {"id": device_id}))


def cases() -> QuerySet[Case]:
    """All cases, with how many devices each exposed."""
    exposed = Exposure.objects.filter(case=OuterRef("pk")).order_by().values("case")
    counted = exposed.annotate(count=Count("device_id", distinct=True)).values("count")
    # Of each row that is shown, not of all that there are.
    return Case.objects.annotate(exposed=Coalesce(Subquery(counted), 0))


def with_searches(chosen: QuerySet[Case]) -> QuerySet[Case]:
    return chosen.prefetch_related("searches__filter_version__filter")


def exposures_of(case: Case) -> QuerySet[Exposure]:
    """Whom a case exposed, nearest degree first."""
    found = Exposure.objects.filter(case=case).select_related("filter_version__filter")
    return found.order_by("degree", "onset", "device_id", "id")


def vias_of(case: Case) -> dict[tuple[UUID, int], int]:
    rows = Exposure.objects.filter(case=case).values_list("filter_id", "device_id", "via_device_id")
    return {(filter_id, device): via for filter_id, device, via in rows}


def path_to(vias: Vias, filter_id: UUID, device_id: int, case_device: int) -> list[int]:
    """Return the devices from the case's own to the exposed one."""
    path = [device_id]
    while path[-1] != case_device and (via := vias.get((filter_id, path[-1]))) is not None:
        if via in path:  # never so, but what is wrong in a table must not run for ever
            break
        path.append(via)
    return path[::-1]


def exposures_by_day(case: Case, filter_id: UUID) -> list[tuple[date, int]]:
    """Count a filter's exposures by the day of their onset (in the active time zone), earliest first."""
    found = Exposure.objects.filter(case=case, filter=filter_id).annotate(at=_QUARTER)
    days: Counter[date] = Counter()
    for at, count in found.order_by("at").values_list("at").annotate(count=Count("pk")):
        days[timezone.localdate(at)] += count
    return list(days.items())


def exposures_by_degree(case: Case) -> list[dict[str, Any]]:
    """Count a case's exposures by filter and degree, with how many of them could be told."""
    rows = Exposure.objects.filter(case=case).order_by("filter__name", "degree")
    degrees = rows.values("filter_id", "filter__name", "degree")
    return [dict(row) for row in degrees.annotate(exposed=Count("pk"), told=Count("told_at"))]


def devices_told(case: Case) -> int:
    """Count the devices that a case exposed and that have been told, by any filter."""
    told = Exposure.objects.filter(case=case, told_at__isnull=False)
    return told.order_by().values("device_id").distinct().count()


def notices_by_status(case: Case) -> dict[str, int]:
    """Count the deliveries of a case's notices by status."""
    rows = Delivery.objects.filter(notification__source_type=SOURCE, notification__source_id=str(case.pk))
    return dict(rows.order_by().values_list("status").annotate(count=Count("pk")))


def shown(count: int) -> int | None:
    """Return a count of people, or None where it is so low that it could point to one of them."""
    return count if count >= settings.TRACING_MIN_COUNT else None


def shown_parts(counts: Mapping[int, int]) -> dict[int, int | None]:
    """Return the parts of a sum; where exactly one is too low, the next lowest is hidden too.

    Otherwise it would follow from the sum and the others.
    """
    parts = {key: shown(count) for key, count in counts.items()}
    seen = [key for key, count in parts.items() if count is not None]
    if seen and len(parts) == len(seen) + 1:
        parts[min(seen, key=lambda key: counts[key])] = None
    return parts
