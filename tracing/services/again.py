"""Having open cases searched again, for what was uploaded since they were last searched."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from tracing.models import Case, CaseSearch, Exposure


def cases_search_again(*, device_ids: Collection[int], exposed: bool = False, now: datetime) -> int | None:
    """Have the open cases of these devices searched again, with each active filter; the look finds them.

    Those too that have ``exposed`` one of them, if asked for. Returns how many searches that are; None where
    no case, open or closed, is known of any of them.
    """
    known = Q(device__in=device_ids)
    if exposed:
        known |= Q(Exists(Exposure.objects.filter(case=OuterRef("pk"), device_id__in=device_ids)))
    cases = Case.objects.filter(known)
    if not cases.exists():
        return None
    open_ones = cases.filter(state=Case.State.OPEN)
    searches = CaseSearch.objects.filter(case__in=open_ones, filter__is_active=True)
    return searches.update(searched_at=None, due_at=now)
