"""A step that fails is tried again after a pause; rounds that an early end leaves out stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0008_rules_and_calendars"),
    ]

    operations = [
        migrations.AlterField(
            model_name="round",
            name="status",
            field=models.CharField(
                choices=[
                    ("planned", "Planned"),
                    ("running", "Running"),
                    ("over", "Over"),
                    ("missed", "Passed while the product was away"),
                    ("not_held", "Not held, since the evening ended before"),
                ],
                default="planned",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="retry_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
