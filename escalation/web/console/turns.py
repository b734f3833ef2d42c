"""A person's turns on call, for their page in the console."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy

from accounts.models import User
from escalation.schedules.handoffs import spells
from escalation.schedules.row import final_row
from escalation.schedules.selectors import roster_of, schedules_with
from escalation.web.on_call import AHEAD
from notifications.web.console.parts import Part

#: Of each schedule, so many are shown.
MOST: Final = 20
MOST_SCHEDULES: Final = 20


def read(user: User, now: datetime) -> Mapping[str, Any] | None:
    """Return the times on call within the next five weeks, by schedule; None for whoever is in none."""
    rows = []
    for schedule in schedules_with(user).order_by("name")[:MOST_SCHEDULES]:
        row = spells(final_row(roster_of(schedule), now, now + AHEAD))
        rows.append((schedule, [each for each in row if each.user_id == user.pk][:MOST]))
    return {"rows": rows} if rows else None


PART: Final = Part("on-call", gettext_lazy("On call"), "escalation/console/_turns.html", read)
