"""What is still to be done: the engine's queue, as small as what is live."""

from typing import Final

from django.db import models

from notifications import urgency
from notifications.models.notification import Severity

#: The order in which a lane's due rows are taken: all that can't wait before anything else, and what comes
#: to somebody beyond their share (PERSON_SHARE) behind everybody else's.
PRIORITIES: Final = {Severity.CRITICAL.value: 0, Severity.STANDARD.value: 1}
BEHIND: Final = 2
#: How many priorities there are.
LEVELS: Final = 3


def priority_of(*, kind: str, severity: str) -> int:
    return PRIORITIES[severity if urgency.can_wait(kind=kind, severity=severity) else Severity.CRITICAL.value]


class Outgoing(models.Model):
    """A delivery that has not ended. Its row is removed in the statement that ends it.

    ``lease_until`` is set while a worker has it: whoever dies with it loses it then, and it is due again.
    No index holds the lease or the counts, so a claim writes no index: see docs/adr/0025. ``attempts`` is
    the number of the last claim, by which the outcome of an earlier one is known; ``failures`` counts those
    that used up the channel's retry budget since the (re)start. ``held_for`` is whose quiet hours hold it.
    """

    delivery = models.OneToOneField(
        "notifications.Delivery",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="outgoing",
        db_constraint=False,
    )
    lane = models.CharField(max_length=300)
    priority = models.PositiveSmallIntegerField(default=PRIORITIES[Severity.STANDARD.value])
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revocable = models.BooleanField(default=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was stopped while being sent."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    lost_leases = models.PositiveSmallIntegerField(default=0)
    held_for = models.UUIDField(null=True, blank=True)
    for_digest = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "outgoing"
        indexes = [
            # A claim reads each lane in this order.
            models.Index(
                fields=["lane", "priority", "due_at"],
                condition=models.Q(revocable=False),
                name="outgoing_due",
            ),
            models.Index(
                fields=["lane", "due_at"], condition=models.Q(revocable=True), name="outgoing_due_revocable"
            ),
            # Whether anything revocable is due, or will be in a moment, at the cost of a seek.
            models.Index(
                fields=["due_at"], condition=models.Q(revocable=True), name="outgoing_revocable_next"
            ),
            models.Index(
                fields=["held_for"], condition=models.Q(held_for__isnull=False), name="outgoing_held"
            ),
            models.Index(fields=["due_at"], condition=models.Q(for_digest=True), name="outgoing_for_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} by {self.lane}"


class Undelivered(models.Model):
    """The deliveries that failed or expired, so that a list of them reads no others."""

    delivery = models.OneToOneField(
        "notifications.Delivery",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="undelivered",
        db_constraint=False,
    )

    class Meta:
        verbose_name_plural = "undelivered"

    def __str__(self) -> str:
        return str(self.delivery_id)
