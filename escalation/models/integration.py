"""Where other systems post what they notice, each with a key of its own, and what they posted."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from accounts.models import Shop
from config import clock
from escalation.models.policy import Policy
from notifications.models import Severity


class Integration(models.Model):
    """One system that posts here. What it posts leads to ``policy``, unless a route says otherwise.

    Its key is derived from its id, so that the staff can be shown it again; the digest finds it.
    """

    class Format(models.TextChoices):
        ALERTMANAGER = "alertmanager", "Prometheus Alertmanager"
        GRAFANA = "grafana", "Grafana"
        PAGERDUTY = "pagerduty", "PagerDuty Events v2"
        OPSGENIE = "opsgenie", "Opsgenie"
        CLOUDEVENTS = "cloudevents", "CloudEvents"
        GENERIC = "generic", "JSON with a mapping"

    id = UUIDv7Field()
    name = models.CharField(max_length=100, unique=True)
    format = models.CharField(max_length=16, choices=Format.choices)
    shop = models.ForeignKey(Shop, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    policy = models.ForeignKey(
        Policy,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who is told where no route says otherwise.",
    )
    severity = models.CharField(
        max_length=16,
        choices=Severity.choices,
        default=Severity.CRITICAL,
        help_text="Of what comes without one.",
    )
    mapping = models.JSONField(
        default=dict, blank=True, help_text="JSON with a mapping: where key, state, title and the rest are."
    )
    is_enabled = models.BooleanField(default=True)
    key_version = models.PositiveIntegerField(default=1, editable=False)
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    #: The routes that were asked when this was found by its key; None where it was not.
    routes: Sequence[Any] | None = None

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.key_digest = self.digest_of(self.key)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def key(self) -> str:
        """32 hexadecimal digits, as PagerDuty's are: the secret of its URL, and Grafana's for signatures."""
        what = f"integration:{self.pk}:{self.key_version}".encode()
        return hmac.digest(settings.WEBHOOK_SIGNING_KEY.encode(), what, "sha256").hex()[:32]

    @staticmethod
    def digest_of(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()


class IntakeRequest(models.Model):
    """What an integration was sent, and what came of it: the page of its last requests."""

    id = UUIDv7Field()
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="requests")
    received_at = models.DateTimeField(default=clock.now)
    status = models.PositiveSmallIntegerField(help_text="Of the answer.")
    body = models.TextField(blank=True, help_text="Its beginning.")
    made = models.JSONField(default=list, help_text="Key, act and outcome of each occurrence.")
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["integration", "-id"], name="intake_request_last"),
            models.Index(fields=["received_at", "id"], name="intake_request_age"),
        ]

    def __str__(self) -> str:
        return f"{self.integration_id} {self.received_at:%Y-%m-%d %H:%M:%S}"
