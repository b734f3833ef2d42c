"""Where a person wants to be told."""

from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.changes import TracksChanges
from accounts.ids import UUIDv7Field
from config import clock
from notifications.channels import registry
from notifications.channels.transport import batch as batching

#: How a contact point is set on whose channel there are no batches.
NOT_BATCHED: Final = {"batch": 1, "linger_ms": 0, "batch_format": "cloudevents"}


class ContactPointQuerySet(models.QuerySet["ContactPoint"]):
    def confirmed(self) -> "ContactPointQuerySet":
        """Return those that may be told things; the fan-out asks the same (engine.fanout.sql)."""
        return self.filter(confirmed_at__isnull=False, deleted_at=None)


class ContactPoint(TracksChanges):
    """One address of a person on one channel. Removing it sets ``deleted_at``: its history stays.

    It tells nothing but its own code until ``confirmed_at``, nor anything that happened before. A new address
    has to be confirmed anew. See docs/adr/0031.
    """

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
    batch = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(batching.MOST)],
        help_text="Most deliveries that one request tells; 1: each has a request of its own. Webhooks only.",
    )
    linger_ms = models.PositiveSmallIntegerField(
        "linger (ms)",
        default=0,
        db_default=0,
        validators=[MaxValueValidator(batching.LINGER_MS_MOST)],
        help_text="Milliseconds for which the first of them waits for others.",
    )
    batch_format = models.CharField(
        max_length=16,
        choices=[(name, media_type) for name, media_type in batching.FORMATS.items()],
        default="cloudevents",
        db_default="cloudevents",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_vouched = models.BooleanField(
        "vouched for",
        default=False,
        db_default=False,
        editable=False,
        help_text="The staff say that the address is theirs, and no code was asked for.",
    )
    # Since when its provider calls it dead, until its owner has been told (notifications.services.gone).
    gone_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ContactPointQuerySet.as_manager()

    TRACKED = ("address",)

    class Meta:
        ordering = ("created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["user", "channel", "address"],
                condition=models.Q(deleted_at=None),
                name="contact_point_once",
            ),
            models.CheckConstraint(
                condition=models.Q(batch=1) | models.Q(batch__range=(2, batching.MOST), channel="webhook"),
                name="contact_point_batch",
            ),
            models.CheckConstraint(
                condition=models.Q(linger_ms__lte=batching.LINGER_MS_MOST), name="contact_point_linger"
            ),
            models.CheckConstraint(
                condition=models.Q(batch_format__in=list(batching.FORMATS)), name="contact_point_batch_format"
            ),
        ]
        indexes = [
            models.Index(
                fields=["gone_at"], condition=models.Q(gone_at__isnull=False), name="contact_point_gone"
            ),
            # Those that were removed: all of them, and those whose address is still there.
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
        return f"{self.channel} {self.label or registry.shown(self.channel, self.address)}".strip()

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        update_fields = None if update_fields is None else set(update_fields)
        channel = registry.get(self.channel)
        self.lane = channel.lane(self.address)
        has_moved = bool(self.changes(update_fields))
        if not channel.needs_confirmation:
            self.confirmed_at = self.confirmed_at or self.created_at
        elif has_moved:
            self.confirmed_at, self.is_vouched = None, False
        if has_moved and update_fields is not None:
            update_fields |= {"lane", "confirmed_at", "is_vouched"}
        super().save(update_fields=update_fields, **options)

    @property
    def address_is_erased(self) -> bool:
        """Whether it had an address, for which its time was over (notifications.retention)."""
        return not self.address and self.deleted_at is not None and registry.has_addresses(self.channel)

    def clean(self) -> None:
        """Check the address by its channel's rules and bring it into the channel's normal form.

        Raises:
            ValidationError: the channel or the address is none, or the channel knows no batches.
        """
        channel = registry.for_contact(self.channel, is_new=self._state.adding)
        try:
            self.address = channel.normalised_address(self.address)
        except ValidationError as error:
            raise ValidationError({"address": error.messages})
        if not channel.batches:
            for name, plain in NOT_BATCHED.items():
                if getattr(self, name) != plain:
                    raise ValidationError({name: f"{self.channel} can't take batches: leave it at {plain}."})
