"""Somebody's part in an event."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from dating.models.event import Event


class Registration(models.Model):
    """Somebody's part in an event, from wishing to come to having come.

    Who is there is told by signs: ``last_sign_at`` is their latest word that they are ready, or their
    latest joining of a call; ``missed_at`` when a call that they were expected in ended without them.
    """

    class State(models.TextChoices):
        REGISTERED = "registered", gettext_lazy("Registered")
        WAITING = "waiting", gettext_lazy("On the waiting list")
        CONFIRMED = "confirmed", gettext_lazy("Confirmed")
        DECLINED = "declined", gettext_lazy("Declined when asked")
        CANCELLED = "cancelled", gettext_lazy("Cancelled")
        LEFT_OUT = "left_out", gettext_lazy("Left out")
        DROPPED = "dropped", gettext_lazy("Dropped by the organiser")

    class LeftOut(models.TextChoices):
        UNCONFIRMED = "unconfirmed", gettext_lazy("Did not confirm")
        NO_PLACE = "no_place", gettext_lazy("No place became free")
        NO_BIRTHDAY = "no_birthday", gettext_lazy("The birthday is missing")
        TOO_YOUNG = "too_young", gettext_lazy("Too young")
        NO_PARTNER = "no_partner", gettext_lazy("Nobody to meet")
        ELSEWHERE = "elsewhere", gettext_lazy("Takes part in another event at that time")
        SKIPPED = "skipped", gettext_lazy("The event did not take place")

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="registrations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="dating_registrations"
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.REGISTERED)
    left_out = models.CharField(max_length=16, choices=LeftOut.choices, blank=True)
    registered_at = models.DateTimeField(default=clock.now, help_text="Their place in the waiting list.")
    asked_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    # Of their invitation: grows whenever it changes or is cancelled (RFC 5545, 3.8.7.4).
    sequence = models.PositiveIntegerField(default=0, editable=False)

    group = models.ForeignKey(
        "dating.Group", null=True, blank=True, on_delete=models.SET_NULL, related_name="members"
    )
    pool = models.PositiveSmallIntegerField(default=0)
    ready_at = models.DateTimeField(null=True, blank=True)
    last_sign_at = models.DateTimeField(null=True, blank=True)
    missed_at = models.DateTimeField(null=True, blank=True)
    no_shows = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("registered_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["event", "user"], name="registration_once"),
            models.CheckConstraint(
                condition=Q(group=None) | Q(state__in=["confirmed", "dropped"]),
                name="registration_in_group_is_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.state}"

    @property
    def showed(self) -> bool:
        return self.last_sign_at is not None
