"""What failed, by what was answered last: one outage is one line, however many it hit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import CharField, Count, F, Max, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Left, NullIf

from notifications.engine.replay import REPLAYABLE
from notifications.explanations import sentence_of
from notifications.models import AttemptRow, Delivery

#: So many of the newest failures are grouped, and gone through for those of one error: each takes a look at
#: its attempts.
MOST: Final = 5_000
#: Of an error, so much tells it from others.
LENGTH: Final = 300
#: So many groups are shown.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Failures:
    """What failed by one channel in one way."""

    channel: str
    #: The last error, or a reason where no attempt says any.
    error: str
    count: int
    people: int
    since: datetime
    until: datetime
    #: The query of a page that shows these alone.
    address: str

    @property
    def words(self) -> str:
        return said(self.error)


def said(error: str) -> str:
    """Return the error of a group in words."""
    return sentence_of(error, otherwise=error) if error in Delivery.Reason.values else error


def failed(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Narrow deliveries to what failed or expired, each found among the few that did."""
    return deliveries.filter(undelivered__isnull=False, status__in=REPLAYABLE)


def failed_by(deliveries: QuerySet[Delivery], error: str) -> QuerySet[Delivery]:
    """Narrow deliveries to what failed in the way of a group."""
    by_error: QuerySet[Delivery] = _with_error(failed(deliveries)).filter(last_error=error)
    return by_error


def groups_of(deliveries: QuerySet[Delivery], *, address: Callable[[str, str], str]) -> list[Failures]:
    """Group the newest of what failed by channel and error, the most first.

    Args:
        address: returns the query of a page that shows what failed by a channel with an error.
    """
    newest = failed(deliveries).order_by("-pk").values("pk")[:MOST]
    rows = (
        _with_error(Delivery.objects.filter(pk__in=newest))
        .order_by()
        .values("channel", "last_error")
        .annotate(
            count=Count("pk"),
            people=Count("user", distinct=True),
            since=Min("created_at"),
            until=Max("created_at"),
        )
        .order_by("-count", "channel", "last_error")
    )
    return [
        Failures(
            row["channel"],
            row["last_error"],
            row["count"],
            row["people"],
            row["since"],
            row["until"],
            address(row["channel"], row["last_error"]),
        )
        for row in rows
    ]


def last_errors(deliveries: Iterable[Delivery]) -> dict[UUID, str]:
    """Return the last error of each of these that has not been sent, where an attempt says one."""
    tried = [each.pk for each in deliveries if each.attempts and each.status != Delivery.Status.SENT]
    if not tried:
        return {}
    rows = AttemptRow.objects.filter(delivery__in=tried).exclude(error="").order_by("number")
    return dict(rows.values_list("delivery", "error"))


def _with_error(deliveries: QuerySet[Delivery]) -> Any:
    attempts = AttemptRow.objects.filter(delivery=OuterRef("pk")).order_by("-number")
    error: Any = NullIf(Left(Subquery(attempts.values("error")[:1]), LENGTH), Value(""))
    reason: Any = NullIf(F("reason"), Value(""))
    return deliveries.annotate(last_error=Coalesce(error, reason, F("status"), output_field=CharField()))
