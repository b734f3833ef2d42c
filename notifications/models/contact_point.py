"""Where a person wants to be told."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.ids import UUIDv7Field
from notifications.channels import registry


class ContactPoint(models.Model):
    """One address of a person on one channel. Removing it sets ``deleted_at``: its history stays."""

    id = UUIDv7Field()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact_points"
    )
    channel = models.CharField(max_length=32)
    address = models.CharField(max_length=2048, blank=True)
    label = models.CharField(max_length=100, blank=True)
    is_enabled = models.BooleanField(default=True)
    lane = models.CharField(max_length=300, editable=False)
    secret_version = models.PositiveIntegerField(default=1, editable=False)
    secret_rotated_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["user", "channel", "address"],
                condition=models.Q(deleted_at=None),
                name="contact_point_once",
            )
        ]
        # Those that were removed: all of them, and those whose address is still there.
        indexes = [
            models.Index(
                fields=["deleted_at", "id"],
                condition=models.Q(deleted_at__isnull=False),
                name="contact_point_removed",
            ),
            models.Index(
                fields=["deleted_at", "id"],
                condition=models.Q(deleted_at__isnull=False) & ~models.Q(address="", label=""),
                name="contact_point_to_erase",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.label or self.address}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.lane = registry.get(self.channel).lane(self.address)
        super().save(*args, **kwargs)

    @property
    def address_is_erased(self) -> bool:
        """Whether it had an address, for which its time was over (notifications.retention)."""
        return not self.address and self.deleted_at is not None and registry.has_addresses(self.channel)

    def clean(self) -> None:
        """Check the address by its channel's rules and bring it into the channel's normal form."""
        channel = registry.for_contact(self.channel, is_new=self._state.adding)
        self.address = channel.normalised_address(self.address)
