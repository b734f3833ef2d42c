"""A device that was reported as infected, and what was searched for it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from accounts.models import ApiKey
from config import clock
from tracing.models.device import Device
from tracing.models.filter import Filter, FilterVersion


class Case(models.Model):
    """An infection, from ``opened_at`` until ``closed_at``. Saving it makes its signal enqueue the search."""

    class State(models.TextChoices):
        OPEN = "open", gettext_lazy("Open")
        HEALED = "healed", gettext_lazy("Healed")
        TOO_OLD = "too_old", gettext_lazy("Closed for its age")

    id = UUIDv7Field()
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="cases")
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    since = models.DateTimeField(help_text="Start of the look-back: exposed from then on.")
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=models.Q(state="open"), name="case_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", closed_at=None)
                | (~models.Q(state="open") & models.Q(closed_at__isnull=False)),
                name="case_closed_at_once",
            ),
        ]
        indexes = [models.Index(fields=["closed_at"], name="case_closed")]

    def __str__(self) -> str:
        return f"case of device {self.device_id}"

    @property
    def counts_until(self) -> datetime | None:
        """When contacts count no more; None while it is open: the clocks of phones may be ahead of ours."""
        return self.closed_at and self.closed_at + timedelta(seconds=settings.TRACING_CLOCK_SKEW_S)


class CaseSearch(models.Model):
    """One filter's search for one case: by which version, and up to which ingested records it looked.

    ``ingested_to`` moves only in the transaction that stores what was found. None of it: never searched.
    """

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="searches")
    filter = models.ForeignKey(Filter, on_delete=models.PROTECT, related_name="+")
    filter_version = models.ForeignKey(FilterVersion, on_delete=models.PROTECT, related_name="searches")
    ingested_to = models.BigIntegerField(null=True, blank=True)
    searched_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=clock.now, help_text="Not searched before; later after failures.")
    error = models.TextField(blank=True, help_text="Why the last search failed.")

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "case searches"
        constraints = [models.UniqueConstraint(fields=["case", "filter"], name="case_search_once")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(searched_at=None), name="case_search_pending")
        ]

    def __str__(self) -> str:
        return f"search for {self.case_id} by {self.filter_version_id}"


class StatusMark(models.Model):
    """What a health service said of a device, and with which key."""

    id = UUIDv7Field()
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="marks")
    status = models.PositiveSmallIntegerField(choices=Device.Status.choices)
    marked_at = models.DateTimeField(default=clock.now, editable=False)
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["marked_at"], name="status_mark_age")]

    def __str__(self) -> str:
        return f"device {self.device_id}: {self.get_status_display()}"


class CaseReading(models.Model):
    """Somebody looked at a case, at the list of them, for whom a device may have it from, or at a status."""

    class What(models.TextChoices):
        LIST = "list", gettext_lazy("List of cases")
        CASE = "case", gettext_lazy("Case")
        SOURCES = "sources", gettext_lazy("Backward search")
        DEVICE = "device", gettext_lazy("Status of a device")
        NOTICES = "notices", gettext_lazy("Notices, or dead letters")

    id = UUIDv7Field()
    what = models.CharField(max_length=16, choices=What.choices)
    # No foreign keys: who looked stays known after case and device are gone.
    case_id = models.UUIDField(null=True, blank=True, db_index=True)
    device_id = models.IntegerField(null=True, blank=True)
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    read_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["read_at"], name="case_reading_age")]

    def __str__(self) -> str:
        return f"{self.get_what_display()} read at {self.read_at:%Y-%m-%d %H:%M}"
