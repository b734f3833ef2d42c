"""Filters of the console's history under a name."""

from django.conf import settings
from django.db import models

from accounts.ids import UUIDv7Field
from config import clock


class SavedView(models.Model):
    """What somebody on the staff looks at again and again; ``query`` is that of the page's address.

    It is read by the page's own form whenever it is shown, so that one which a later version can't read says
    what is wrong with it. ``is_shared`` shows it to all staff; only its owner removes it.
    """

    #: Of one person.
    MOST = 50

    id = UUIDv7Field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=100)
    query = models.CharField(max_length=2000, blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_view_once")]
        indexes = [
            models.Index(fields=["name"], condition=models.Q(is_shared=True), name="saved_view_shared")
        ]

    def __str__(self) -> str:
        return self.name
