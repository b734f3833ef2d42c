"""What is to be set up of escalations."""

from collections.abc import Iterator

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from escalation.models import Heartbeat, Policy, Schedule
from notifications.web.console.setup import Step


def setup(person: User) -> Iterator[Step]:
    """Yield what escalations need; nobody has to use them."""
    has_policy = Policy.objects.filter(deleted_at=None).exists()
    text = (
        gettext("Who is told, and whom after that if nobody answers.")
        if not has_policy
        else gettext("There is one.")
    )
    url = reverse("escalation:policies")
    yield Step(gettext("A policy for escalations"), has_policy, text, url, is_optional=True)
    has_schedule = Schedule.objects.filter(deleted_at=None).exists()
    text = (
        gettext("Who is on call when; policies tell them.") if not has_schedule else gettext("There is one.")
    )
    url = reverse("admin:escalation_schedule_changelist")
    yield Step(gettext("An on-call schedule"), has_schedule, text, url, is_optional=True)
    has_resort = bool(settings.LAST_RESORT)
    text = (
        gettext("Set LAST_RESORT: whoever is told if nobody took an escalation.")
        if not has_resort
        else gettext("It is set.")
    )
    yield Step(gettext("A last resort"), has_resort, text, is_optional=True)
    has_heartbeat = Heartbeat.objects.exists()
    text = (
        gettext("Have your backup ping one, so that you hear if it stops.")
        if not has_heartbeat
        else gettext("There is one.")
    )
    yield Step(
        gettext("A heartbeat of your backup"),
        has_heartbeat,
        text,
        reverse("escalation:heartbeats"),
        is_optional=True,
    )
