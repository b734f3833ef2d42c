"""Whose turn it was last in a schedule of which each new process tells the next."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import models

from escalation.models.schedule import Schedule


class RoundRobin(models.Model):
    """The last who was told in turn; there from the first time on. A start locks it until it is committed.

    ``place`` is where they were in the order, from 0. If they have left, whoever came after them is there.
    """

    schedule = models.OneToOneField(
        Schedule, primary_key=True, on_delete=models.CASCADE, related_name="round_robin"
    )
    last_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        db_index=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    place = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.schedule}: {self.last_user or 'nobody'} was the last"

    def next_of(self, people: Sequence[UUID]) -> UUID:
        """Return whose turn it is among the people of the schedule; the first's if nobody had one."""
        if self.last_user_id in people:
            return people[(people.index(self.last_user_id) + 1) % len(people)]
        return people[self.place % len(people)]
