"""The results of an event, out of its rows."""

from typing import Any

from dating.evening.results import DateRow, ReactionRow, RegistrationRow, summary
from dating.models import Date, Event, Round


def results_of(event: Event) -> dict[str, Any]:
    """Return what an evening came to, in numbers: what is stored with it (dating.evening.results)."""
    registrations = [
        RegistrationRow(
            registration.pk,
            confirmed=registration.confirmed_at is not None and registration.cancelled_at is None,
            declined=registration.cancelled_at is not None and registration.asked_at is not None,
            took_part=registration.group_id is not None,
            showed=registration.showed,
            no_shows=registration.no_shows,
        )
        for registration in event.registrations.all()
    ]
    said = event.reactions.order_by("id").values_list("by_id", "about_id", "kind")
    dates = Date.objects.filter(group__event=event).values_list(
        "first_id", "second_id", "round__number", "status"
    )
    return summary(
        registrations=registrations,
        dates=[
            DateRow(first, second, number, held=status == Date.Status.TOOK_PLACE)
            for first, second, number, status in dates
        ],
        reactions=[ReactionRow(*row) for row in said],
        rounds=event.rounds.filter(status=Round.Status.OVER).count(),
    )
