from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import F


def occurrences_note(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now an event of a rule could not be moved: it is held at the time that it is for."""
    events = apps.get_model("dating", "Event").objects.filter(rule__isnull=False)
    events.update(occurrence_at=F("starts_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0003_room_look_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="occurrence_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(occurrences_note, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="event", name="event_once_per_rule"),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(
                condition=models.Q(("rule__isnull", False)),
                fields=("rule", "occurrence_at"),
                name="event_once_per_rule",
                nulls_distinct=False,
            ),
        ),
    ]
