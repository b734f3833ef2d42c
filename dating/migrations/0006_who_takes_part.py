"""One more reason to leave somebody out, and an index by which pauses that take too long are found."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0005_built_in_room"),
    ]

    operations = [
        migrations.AlterField(
            model_name="registration",
            name="left_out",
            field=models.CharField(
                blank=True,
                choices=[
                    ("unconfirmed", "Did not confirm"),
                    ("no_place", "No place became free"),
                    ("no_birthday", "The birthday is missing"),
                    ("no_partner", "Nobody to meet"),
                    ("elsewhere", "Takes part in another event at that time"),
                    ("skipped", "The event did not take place"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("paused_at__isnull", False)), fields=["paused_at"], name="event_paused"
            ),
        ),
    ]
