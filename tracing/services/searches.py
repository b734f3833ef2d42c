"""Searching cases in batches: what is found, told and noted as searched is one commit."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from config import sql
from config.statements import named
from tracing.models import Case, CaseSearch, Criteria, Exposure, Intake
from tracing.search import Known, Reached, Seed, devices_touched_since, search, watermark_now
from tracing.services.notices import exposures_tell

log = structlog.get_logger(__name__)

#: Cases that are searched in one pass, and one commit.
BATCH: Final = 500
RETRY_WAIT: Final = timedelta(seconds=10)
RETRY_WAIT_MAX: Final = timedelta(hours=1)

# What is known already gives way to a shorter path, an earlier onset or a longer contact; never the other
# way: records grow old and are dropped, and what they once showed stays so.
STORE_SQL: Final = """
INSERT INTO tracing_exposure AS known (case_id, filter_id, filter_version_id, device_id, degree,
                                       via_device_id, onset, seconds, distance_m, found_at)
SELECT case_id, filter_id, version_id, device_id, degree,
       via_id, to_timestamp(onset_s), seconds, distance, %(now)s
  FROM unnest(
    %(cases)s::uuid[], %(filters)s::uuid[], %(versions)s::uuid[], %(devices)s::int[], %(degrees)s::smallint[],
    %(vias)s::int[], %(onsets)s::bigint[], %(seconds)s::int[], %(distances)s::float8[]
) AS found (case_id, filter_id, version_id, device_id, degree, via_id, onset_s, seconds, distance)
ON CONFLICT (case_id, filter_id, device_id) DO UPDATE
   SET degree = excluded.degree, via_device_id = excluded.via_device_id, onset = excluded.onset,
       seconds = excluded.seconds, distance_m = excluded.distance_m
 WHERE (excluded.degree, excluded.onset, -excluded.seconds) < (known.degree, known.onset, -known.seconds)
"""
named("tracing.exposures", "Store what searches found.", STORE_SQL)
# Filters that were activated after a case was opened; one that it was searched with keeps its version.
ADD_SQL: Final = """
INSERT INTO tracing_casesearch (case_id, filter_id, filter_version_id, due_at, failures, error)
SELECT kase.id, version.filter_id, version.id, %(now)s, 0, ''
  FROM tracing_case AS kase
 CROSS JOIN tracing_filter AS filter
  JOIN tracing_filterversion AS version ON version.filter_id = filter.id AND version.number = filter.version
 WHERE kase.state = 'open' AND filter.is_active
    ON CONFLICT (case_id, filter_id) DO NOTHING
"""
named("tracing.searches", "Give open cases the filters that were activated since.", ADD_SQL)


def pending(now: datetime) -> QuerySet[CaseSearch]:
    """Searches that have not been made and are due."""
    return CaseSearch.objects.filter(searched_at=None, due_at__lte=now, filter__is_active=True)


def pending_run(*, now: datetime) -> bool:
    """Search the cases that have not been searched, a batch of them; returns whether there may be more."""
    ids = list(pending(now).order_by("pk").values_list("pk", flat=True)[:BATCH])
    _run_each(ids, now)
    return len(ids) == BATCH


def check_begin(*, now: datetime) -> None:
    """Give open cases the filters that were activated since they were opened."""
    sql.execute(ADD_SQL, {"now": now})


def check_run(*, after: int, now: datetime) -> int | None:
    """Search a batch of open cases, those ``after`` a search, for what is new; return where to go on."""
    news = Intake.objects.filter(xid__gte=OuterRef("ingested_to"))
    stale = CaseSearch.objects.filter(case__state=Case.State.OPEN, filter__is_active=True, due_at__lte=now)
    # A watermark of the future is that of another server, from which this database was restored.
    foreign = Q(ingested_to__gt=watermark_now())
    stale = stale.filter(Q(ingested_to=None) | foreign | Exists(news), pk__gt=after)
    ids = list(stale.order_by("pk").values_list("pk", flat=True)[:BATCH])
    _run_each(ids, now)
    return ids[-1] if len(ids) == BATCH else None


def _run_each(ids: Sequence[int], now: datetime) -> None:
    """Run a batch; where it fails, its halves: what can't be searched never holds up its neighbours."""
    if not ids:
        return
    try:
        _run_batch(ids, now)
    except (OperationalError, InterfaceError):
        raise  # the database is away: it is nobody's fault, and the next run begins here again
    except Exception as error:
        if len(ids) == 1:
            row = CaseSearch.objects.get(pk=ids[0])
            wait = min(RETRY_WAIT * 2 ** min(row.failures, 16), RETRY_WAIT_MAX)
            CaseSearch.objects.filter(pk=row.pk).update(
                failures=F("failures") + 1, due_at=now + wait, error=f"{type(error).__name__}: {error}"[:500]
            )
            log.exception("case_search_failed", search=row.pk, case=str(row.case_id))
            return
    else:
        return
    half = len(ids) // 2
    _run_each(ids[:half], now)
    _run_each(ids[half:], now)


@transaction.atomic
def _run_batch(ids: Sequence[int], now: datetime) -> None:
    locked = CaseSearch.objects.filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",))
    rows = list(locked.select_related("case", "filter_version").order_by("pk"))
    # Before anything is read: what is committed from here on may be missed, and counts as new.
    watermark = watermark_now()
    # By search, whom it has reached before its last degree, and who may have exposed others since.
    searched = {(row.case_id, row.filter_id): row.pk for row in rows if row.ingested_to is not None}
    found = Exposure.objects.filter(
        case__in={case_id for case_id, _ in searched}, degree__lt=F("filter_version__rounds")
    )
    known: dict[int, list[Known]] = defaultdict(list)
    columns = found.values_list("case_id", "filter_id", "device_id", "degree", "onset")
    for case_id, filter_id, device_id, degree, onset in columns.iterator():
        if (pk := searched.get((case_id, filter_id))) is not None:
            known[pk].append(Known(device_id, degree, int(onset.timestamp())))
    by_end: dict[datetime | None, list[CaseSearch]] = defaultdict(list)
    # Those that new records can make a difference to, and those never searched.
    marks = {row.ingested_to for row in rows if row.ingested_to is not None}
    news = {mark: devices_touched_since(mark) for mark in marks}
    for row in rows:
        people = {row.case.device_id, *(reached.device_id for reached in known[row.pk])}
        if row.ingested_to is None or not news[row.ingested_to].isdisjoint(people):
            by_end[row.case.counts_until].append(row)
    for until, chosen in by_end.items():
        seeds = [seed_of(row.pk, row.case, row.filter_version, known[row.pk]) for row in chosen]
        _store(chosen, search(seeds, until=until), now)
    done = CaseSearch.objects.filter(pk__in=[row.pk for row in rows])
    of_these = Exists(done.filter(case=OuterRef("case"), filter=OuterRef("filter")))
    exposures_tell(Exposure.objects.filter(of_these), now=now)
    done.update(ingested_to=watermark, searched_at=now, failures=0, error="")


def seed_of(key: Hashable, case: Case, criteria: Criteria, known: Sequence[Known] = ()) -> Seed:
    """Return what a search is asked: whom these criteria find for a case. Its answer goes by ``key``."""
    return Seed(
        case=key,
        device_id=case.device_id,
        since=case.since,
        rounds=criteria.rounds,
        time_min_s=criteria.time_min_s,
        time_max_s=criteria.time_max_s,
        distance_min_m=criteria.distance_min_m,
        distance_max_m=criteria.distance_max_m,
        known=known,
    )


def _store(rows: Sequence[CaseSearch], found: Mapping[Hashable, Sequence[Reached]], now: datetime) -> None:
    """Store what was found. Nobody else stores the same: whoever runs a search has its row locked."""
    pairs = [
        (row, reached) for row in rows for reached in found[row.pk] if reached.device_id != row.case.device_id
    ]
    columns: dict[str, Any] = {
        "cases": [row.case_id for row, _ in pairs],
        "filters": [row.filter_id for row, _ in pairs],
        "versions": [row.filter_version_id for row, _ in pairs],
        "devices": [reached.device_id for _, reached in pairs],
        "degrees": [reached.degree for _, reached in pairs],
        "vias": [reached.via_device_id for _, reached in pairs],
        "onsets": [reached.onset_s for _, reached in pairs],
        "seconds": [reached.seconds for _, reached in pairs],
        "distances": [reached.distance_m for _, reached in pairs],
    }
    sql.execute(STORE_SQL, {**columns, "now": now})
