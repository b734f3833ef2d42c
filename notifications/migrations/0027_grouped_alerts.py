"""With which alert another was grouped. Neither index has a row of an alert that is told by itself."""

from django.db import migrations, models

_GROUPED = models.Q(("grouped_with__isnull", False))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_grouped_alerts"),
        ("notifications", "0026_dead_message_wire_headers"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="grouped_with",
            field=models.UUIDField(
                blank=True,
                editable=False,
                help_text="The first alert of its group, which is this one if people were told of it. "
                "Empty if its shop tells each.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=_GROUPED, fields=["shop", "label", "-received_at"], name="alert_grouped_of_shop"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=_GROUPED, fields=["grouped_with"], name="alert_grouped_with"),
        ),
    ]
