"""Evenings note what their rule said, so that they follow it where nobody has set anything else by hand."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0007_least_age"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="rule_settings",
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
    ]
