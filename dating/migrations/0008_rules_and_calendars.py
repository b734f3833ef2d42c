"""Evenings note what their rule said, to follow it but for what was set by hand, and what their UID ends with."""

from django.conf import settings
from django.db import migrations, models
from yarl import URL


def note_hosts(apps, schema_editor):
    """Calendars know evenings that are there by the host of PUBLIC_URL; one that changes must not rename them."""
    host = URL(settings.PUBLIC_URL).host or ""
    apps.get_model("dating", "Event").objects.filter(uid_host="").update(uid_host=host)


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
        migrations.AddField(
            model_name="event",
            name="uid_host",
            field=models.CharField(
                blank=True, db_default="", default="tocsin", editable=False, max_length=255
            ),
        ),
        migrations.RunPython(note_hosts, migrations.RunPython.noop),
    ]
