from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("escalation", "0007_heartbeats"),
    ]

    operations = [
        migrations.CreateModel(
            name="HeartbeatWatch",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("looked_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="heartbeat_watch_once")
                ],
            },
        ),
    ]
