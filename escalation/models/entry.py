"""What stands in a timeline and nowhere else: notes, and acts of which a later one would leave no trace."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from escalation.models.group import AlertGroup
from escalation.models.process import EscalationProcess


class Entry(models.Model):
    """One entry about a process, an alert group, or (``told``) the process by which a group is told."""

    class Kind(models.TextChoices):
        NOTE = "note", gettext_lazy("Note")
        TOLD = "told", gettext_lazy("Told")
        ACKNOWLEDGED = "acknowledged", gettext_lazy("Acknowledged")
        RESUMED = "resumed", gettext_lazy("Acknowledgement ran out")
        SNOOZED = "snoozed", gettext_lazy("Snoozed")
        SILENCED = "silenced", gettext_lazy("Silenced")
        FLAPPING = "flapping", gettext_lazy("Held back: it flaps")
        STOPPED = "stopped", gettext_lazy("Stopped")
        LEFT_OUT = "left_out", gettext_lazy("Left out")

    id = UUIDv7Field()
    process = models.ForeignKey(
        EscalationProcess,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="entries",
        db_index=False,
    )
    group = models.ForeignKey(
        AlertGroup, null=True, blank=True, on_delete=models.CASCADE, related_name="entries", db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField(default=clock.now)
    until = models.DateTimeField(null=True, blank=True, help_text="Of what is put off: when it goes on.")
    text = models.TextField(
        blank=True, help_text="The note; of a silence, its reason; of what is left out, why."
    )
    by = models.CharField(max_length=200, blank=True)
    via = models.CharField(max_length=32, blank=True)
    # Of notes, who wrote them; of what is left out, who was not told.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("at", "id")
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(process__isnull=False) | models.Q(group__isnull=False),
                name="entry_about_something",
            )
        ]
        indexes = [
            models.Index(
                fields=[name, "at"], condition=models.Q((f"{name}__isnull", False)), name=f"entry_of_{name}"
            )
            for name in ("process", "group")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M:%S}"
