"""How far the addresses in the history have been erased."""

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Erasure(models.Model):
    """The one row of it: see notifications.engine.erasing.

    ``up_to`` is the last delivery that was looked at, in the order of their ids. ``unfinished`` are those
    before it that had not ended then, or whose address is needed still: they are looked at again.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    up_to = models.UUIDField(default=UUID(int=0))
    unfinished = ArrayField(models.UUIDField(), default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="erasure_once")]

    def __str__(self) -> str:
        return f"addresses erased up to {self.up_to}"
