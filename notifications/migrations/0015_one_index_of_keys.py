"""A notification's key is in one index: the one for how it begins was read by nothing."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TABLE, COLUMN = "notifications_notification", "dedup_key"


def drop_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    name = schema_editor._create_index_name(TABLE, [COLUMN], suffix="_like")
    schema_editor.execute(f'DROP INDEX IF EXISTS "{name}"')


def make_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    name = schema_editor._create_index_name(TABLE, [COLUMN], suffix="_like")
    schema_editor.execute(f'CREATE INDEX "{name}" ON {TABLE} ({COLUMN} varchar_pattern_ops)')


class Migration(migrations.Migration):
    dependencies = [("notifications", "0014_archive")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(drop_index, make_index),
                migrations.RunSQL(
                    f"ALTER TABLE {TABLE} RENAME CONSTRAINT {TABLE}_{COLUMN}_key TO notification_once",
                    f"ALTER TABLE {TABLE} RENAME CONSTRAINT notification_once TO {TABLE}_{COLUMN}_key",
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="notification", name=COLUMN, field=models.CharField(max_length=200)
                ),
                migrations.AddConstraint(
                    model_name="notification",
                    constraint=models.UniqueConstraint(fields=[COLUMN], name="notification_once"),
                ),
            ],
        )
    ]
