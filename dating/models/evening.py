"""What an evening consists of: groups, rounds, who meets whom in which round, and where."""

from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from accounts.ids import UUIDv7Field
from config import clock
from dating.models.event import Event
from dating.models.registration import Registration


class Group(models.Model):
    """People who meet each other, and nobody else."""

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="groups")
    number = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("number",)
        constraints = [models.UniqueConstraint(fields=["event", "number"], name="group_number")]

    def __str__(self) -> str:
        return f"group {self.number}"


class Room(models.Model):
    """A place for two to talk in, one round after the other. Made ahead, by a job.

    ``try_at`` is when to try (again) to make it, while it is not made; ``look_at`` is when to ask its
    provider who is in it; ``end_at`` is when the call in it has to be ended. Each is empty when there is no
    need for that.
    """

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="rooms")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="rooms")
    number = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=32)
    url = models.CharField(max_length=2048, blank=True)
    reference = models.CharField(max_length=255, blank=True, help_text="The provider's own name for it.")
    error = models.TextField(blank=True)
    try_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)
    look_at = models.DateTimeField(null=True, blank=True)
    end_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("number",)
        constraints = [models.UniqueConstraint(fields=["event", "number"], name="room_number")]
        indexes = [
            models.Index(fields=["try_at"], condition=Q(try_at__isnull=False), name="room_to_make"),
            models.Index(fields=["look_at"], condition=Q(look_at__isnull=False), name="room_to_look_into"),
            models.Index(fields=["end_at"], condition=Q(end_at__isnull=False), name="room_to_end"),
        ]

    def __str__(self) -> str:
        return f"room {self.number}"


class Round(models.Model):
    """A stretch of time in which all groups talk."""

    class Status(models.TextChoices):
        PLANNED = "planned", gettext_lazy("Planned")
        RUNNING = "running", gettext_lazy("Running")
        OVER = "over", gettext_lazy("Over")
        MISSED = "missed", gettext_lazy("Passed while the product was away")
        NOT_HELD = "not_held", gettext_lazy("Not held, since the evening ended before")

    id = UUIDv7Field()
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PLANNED)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    # Of its links: those of an older version are cancelled.
    version = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("number",)
        constraints = [models.UniqueConstraint(fields=["event", "number"], name="round_number")]

    def __str__(self) -> str:
        return f"round {self.number}"


class Date(models.Model):
    """Two people of a group who meet, in a round or in none yet; of two pools ``first`` is of pool 0."""

    class Status(models.TextChoices):
        PLANNED = "planned", gettext_lazy("Planned")
        TOOK_PLACE = "held", gettext_lazy("Held")
        NO_SHOW = "no_show", gettext_lazy("Somebody did not come")
        MISSED = "missed", gettext_lazy("Its round passed while the product was away")

    id = UUIDv7Field()
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="dates")
    first = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="dates_as_first")
    second = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="dates_as_second")
    round = models.ForeignKey(Round, null=True, blank=True, on_delete=models.CASCADE, related_name="dates")
    room = models.ForeignKey(Room, null=True, blank=True, on_delete=models.SET_NULL, related_name="dates")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PLANNED)

    class Meta:
        ordering = ("id",)
        constraints = [
            # Nobody twice with the same partner, whichever of the two is named first.
            models.UniqueConstraint(
                models.functions.Least("first", "second"),
                models.functions.Greatest("first", "second"),
                name="date_once_per_pair",
            ),
            models.CheckConstraint(condition=~Q(first=F("second")), name="date_is_of_two"),
            models.UniqueConstraint(fields=["round", "room"], name="date_alone_in_room"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} and {self.second_id}"

    def partner_of(self, registration_id: UUID) -> Registration:
        """Return the other one of the two."""
        return self.second if self.first_id == registration_id else self.first


class Seat(models.Model):
    """Somebody's place in a date that has its round: nobody has two in one round."""

    id = UUIDv7Field()
    date = models.ForeignKey(Date, on_delete=models.CASCADE, related_name="seats")
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="seats")
    registration = models.ForeignKey(Registration, on_delete=models.CASCADE, related_name="seats")
    joined_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["round", "registration"], name="seat_once_per_round"),
            models.UniqueConstraint(fields=["date", "registration"], name="seat_once_per_date"),
        ]

    def __str__(self) -> str:
        return f"{self.registration_id} in {self.round_id}"
