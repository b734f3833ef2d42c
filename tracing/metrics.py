"""What ``/metrics`` shows of tracing: work, and no counts of the people it is about."""

from collections.abc import Iterator

from prometheus_client import Metric

from notifications.families import Counted, gauge
from tracing.models import Case, CaseSearch


def families(counted: Counted) -> Iterator[Metric]:
    cases_open = Case.objects.filter(state=Case.State.OPEN).count()
    yield gauge("tracing_cases_open", "Cases that the periodic check searches again.", cases_open)
    waiting = CaseSearch.objects.filter(searched_at=None, filter__is_active=True)
    yield gauge("tracing_searches_waiting", "Searches of new cases that have not been made.", waiting.count())
    failing = CaseSearch.objects.filter(failures__gt=0)
    yield gauge("tracing_searches_failing", "Searches that failed the last time.", failing.count())
