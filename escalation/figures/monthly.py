"""Once a month, administrators are told the figures of the month before."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings

from accounts.selectors import administrators
from escalation.figures.reading import Figures, Noise, Spread, Sums, figures_of
from escalation.notices import notices
from escalation.timelines.words import span_of
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import people_with_preferences
from notifications.messages.compose import notification_of
from notifications.models import Notification

KIND: Final = "escalation.figures"
#: The ``source_type`` of the notification; its id is the month, such as 2026-11.
SOURCE: Final = "escalation_figures"
# Of each list, so many are told.
_MOST: Final = 3


def month_tell(now: datetime) -> bool:
    """Tell the figures of last month (UTC), unless they were told, or nothing happened in it.

    However many do so at once, everybody is told once. False where nobody is.
    """
    until = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    since = (until - timedelta(days=1)).replace(day=1)
    month = f"{since:%Y-%m}"
    dedup_key = f"{KIND}:{month}"
    if Notification.objects.filter(dedup_key=dedup_key).exists():
        return False
    figures = figures_of(since=since, until=until)
    if not figures.total.incidents:
        return False
    notification = notification_of(
        kind=KIND,
        data=_told(figures, month),
        source_type=SOURCE,
        source_id=month,
        dedup_key=dedup_key,
    )
    told = notices(notification, people_with_preferences(administrators()).values(), now=now)
    deliver_many(told)
    return bool(told)


def _told(figures: Figures, month: str) -> dict[str, Any]:
    """Return the figures as texts and machines have them."""
    total = figures.total
    return {
        "month": month,
        "since": figures.since.isoformat(),
        "incidents": total.incidents,
        "acknowledged": total.acknowledged,
        "over": total.over,
        "unanswered": total.unanswered,
        "open": total.open,
        "resolved": total.resolved,
        "to_acknowledge": _spread(total.to_acknowledge),
        "to_resolve": _spread(total.to_resolve),
        "policies": [_policy(each) for each in figures.policies[:_MOST]],
        "noisy": [_noisy(each) for each in figures.noisy_keys[:_MOST] if each.pages],
        "page": f"{settings.PUBLIC_URL}/escalations/figures/",
    }


def _spread(spread: Spread | None) -> dict[str, str]:
    if spread is None:
        return {}
    values = {"mean": spread.mean_s, "median": spread.median_s, "p90": spread.p90_s}
    return {name: span_of(timedelta(seconds=round(value))) for name, value in values.items()}


def _policy(sums: Sums) -> dict[str, Any]:
    median = _spread(sums.to_acknowledge).get("median", "")
    return {
        "name": sums.name,
        "incidents": sums.incidents,
        "unanswered": sums.unanswered,
        "median": median,
    }


def _noisy(noise: Noise) -> dict[str, Any]:
    return {
        "title": noise.title,
        "source": noise.name,
        "pages": noise.pages,
        "at_night": noise.pages_at_night,
    }
