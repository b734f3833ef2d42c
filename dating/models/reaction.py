"""What somebody says of somebody they met."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from dating.models.event import Event
from dating.models.registration import Registration


class Reaction(models.Model):
    """An opinion (like or dislike) or a report, once per pair and event each; never shown to the other."""

    class Kind(models.TextChoices):
        LIKE = "like", gettext_lazy("Like")
        DISLIKE = "dislike", gettext_lazy("Dislike")
        REPORT = "report", gettext_lazy("Report")

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="reactions")
    by = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="reactions")
    about = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="reactions_about")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    text = models.TextField(blank=True, max_length=2000, help_text="What happened; reports only.")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["by", "about"], condition=Q(kind__in=["like", "dislike"]), name="opinion_once"
            ),
            models.UniqueConstraint(fields=["by", "about"], condition=Q(kind="report"), name="report_once"),
            models.CheckConstraint(condition=~Q(by=F("about")), name="reaction_about_another"),
        ]

    def __str__(self) -> str:
        return f"{self.by_id}: {self.kind} {self.about_id}"
