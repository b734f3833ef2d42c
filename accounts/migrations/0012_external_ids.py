"""Ids that profile services of before this one have given, by which their events name people."""

from django.db import migrations, models


def _field():
    return models.UUIDField(
        blank=True, help_text="The id that another service has given this profile.", null=True, unique=True
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_export_permission")]

    operations = [
        migrations.AddField(model_name="encadrant", name="external_id", field=_field()),
        migrations.AddField(model_name="student", name="external_id", field=_field()),
    ]
