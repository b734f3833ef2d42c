"""Who was near a case, and how it is known."""

from django.core.exceptions import ValidationError
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock
from notifications.channels import registry
from notifications.models import Notification
from tracing.models.case import Case
from tracing.models.device import Device
from tracing.models.filter import Filter, FilterVersion


class Exposure(models.Model):
    """A device that a filter found for a case: ``via_device_id`` was exposed before it, or is the case's own.

    Devices are plain numbers here: one that is known only from others' records can be exposed too.
    ``notification`` is empty as long as the device can't be told.
    """

    id = UUIDv7Field()
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="exposures")
    filter = models.ForeignKey(Filter, on_delete=models.PROTECT, related_name="+", db_index=False)
    filter_version = models.ForeignKey(
        FilterVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    device_id = models.IntegerField()
    degree = models.PositiveSmallIntegerField()
    via_device_id = models.IntegerField()
    onset = models.DateTimeField(help_text="The first instant of the contact.")
    seconds = models.PositiveIntegerField(help_text="Of contact with the device that it was exposed by.")
    distance_m = models.FloatField(null=True, blank=True, help_text="The least of these records.")
    found_at = models.DateTimeField(default=clock.now)
    told_at = models.DateTimeField(null=True, blank=True, help_text="When its notice was made.")
    notification = models.ForeignKey(
        Notification, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ("degree", "onset", "device_id")
        constraints = [
            models.UniqueConstraint(fields=["case", "filter", "device_id"], name="exposure_once"),
            models.CheckConstraint(condition=models.Q(degree__gte=1), name="exposure_degree_from_1"),
        ]
        indexes = [
            models.Index(fields=["device_id"], name="exposure_of_device"),
            models.Index(fields=["found_at"], name="exposure_age"),
            models.Index(fields=["device_id"], condition=models.Q(told_at=None), name="exposure_untold"),
        ]

    def __str__(self) -> str:
        return f"device {self.device_id}, degree {self.degree}"


class DeviceContact(models.Model):
    """Another address at which a device's owner wants to be told, beside its push token."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="contacts")
    channel = models.CharField(max_length=32)
    address = models.CharField(max_length=2048)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["device", "channel", "address"], name="device_contact_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} of device {self.device_id}"

    def clean(self) -> None:
        """Check the address by its channel's rules and bring it into the channel's normal form."""
        channel = registry.for_contact(self.channel, is_new=self._state.adding)
        if channel.instant or channel.name == "push":
            raise ValidationError({"channel": f"A device can't be told by {channel.name} as a contact."})
        self.address = channel.normalised_address(self.address)
