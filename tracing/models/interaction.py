"""What one phone saw of another, and which uploads brought it."""

from django.db import models

from config import clock


class Interaction(models.Model):
    """One record as uploaded, in daily partitions by its start; made by SQL in 0002_interactions.

    Here until its day is over and packed (PackedDay). There are many, so they are small: times are whole Unix
    seconds, the distance is in centimetres (from 327.67 m on: that), and a row of the first five columns, the
    primary key and all that a search reads, takes 44 bytes. The others are NULL, which takes no room, unless
    TRACING_KEEP_SIGNAL or TRACING_KEEP_POSITIONS says so.
    """

    pk = models.CompositePrimaryKey("my_id", "other_id", "start_s", "seconds", "distance_cm")
    my_id = models.IntegerField()
    other_id = models.IntegerField()
    start_s = models.IntegerField(help_text="Unix seconds.")
    seconds = models.SmallIntegerField()
    distance_cm = models.SmallIntegerField()
    rssi = models.SmallIntegerField(null=True)
    platform = models.SmallIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.my_id} saw {self.other_id} for {self.seconds} s from {self.start_s}"


class PackedDay(models.Model):
    """A device's records of a day that is over, in daily partitions; made by SQL in 0004_packed_days.

    ``records`` has ten bytes for each, see tracing.packed. Each is there under either of its two devices.
    """

    pk = models.CompositePrimaryKey("device_id", "day")
    device_id = models.IntegerField()
    day = models.DateField(help_text="Of the start, in UTC.")
    records = models.BinaryField()

    def __str__(self) -> str:
        return f"device {self.device_id} on {self.day}"


class Intake(models.Model):
    """One stored upload: the transaction that brought it, and whom it is about.

    The periodic check finds by it what came since its last search. It goes by transaction and not by time
    or number, since those are taken before the commit that makes rows visible: a slow upload would be missed.
    """

    xid = models.BigIntegerField(db_index=True)
    received_at = models.DateTimeField(default=clock.now, db_index=True)
    records = models.IntegerField()
    stored = models.IntegerField(help_text="Of them not known before.")
    devices = models.BinaryField(help_text="Every device that a stored record is about; see intake.devices.")

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.records} records at {self.received_at:%Y-%m-%d %H:%M:%S}"
