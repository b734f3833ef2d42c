"""Texts that the admin has put in place of those in the files."""

from django.conf import settings
from django.db import models


class MessageTemplate(models.Model):
    """The text of one kind in one language, for one channel or (empty) for all; overrides the file's."""

    kind = models.CharField(max_length=64)
    language = models.CharField(max_length=8, choices=settings.LANGUAGES)
    channel = models.CharField(max_length=32, blank=True)
    title = models.CharField(max_length=500, help_text="A Django template, one line.")
    body = models.TextField(blank=True, help_text="A Django template.")
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        ordering = ("kind", "language", "channel")
        constraints = [
            models.UniqueConstraint(fields=["kind", "language", "channel"], name="message_template_once")
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.language, self.channel)))
