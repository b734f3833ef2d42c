"""A plain attempt is written into its delivery; a view shows these, and those that have rows of their own."""

import django.db.models.deletion
from django.db import migrations, models

FOLDED = """
SELECT id, attempts, shop_id, sent_at, duration_ms, 'sent', status_code, '', ''
  FROM notifications_delivery WHERE duration_ms IS NOT NULL
"""
VIEW = f"""
CREATE VIEW notifications_attempts AS
SELECT delivery_id, number, shop_id, started_at, duration_ms, outcome, status_code, error, reference
  FROM notifications_attempt
 UNION ALL {FOLDED}
"""  # noqa: S608
UNFOLD = f"""
INSERT INTO notifications_attempt
       (delivery_id, number, shop_id, started_at, duration_ms, outcome, status_code, error, reference)
{FOLDED}
"""


def fill_pages(percent):
    """Leave room in each page for the new versions of its rows, which are longer by an attempt."""

    def fill(apps, schema_editor):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT relid::regclass::text FROM pg_partition_tree('notifications_delivery') WHERE isleaf"
            )
            for (part,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {part} SET (fillfactor = {percent})")

    return fill


FIELDS = [
    (
        "pk",
        models.CompositePrimaryKey(
            "delivery_id", "number", blank=True, editable=False, primary_key=True, serialize=False
        ),
    ),
    ("number", models.PositiveSmallIntegerField()),
    ("started_at", models.DateTimeField()),
    ("duration_ms", models.FloatField()),
    (
        "outcome",
        models.CharField(
            choices=[
                ("sent", "Sent"),
                ("unavailable", "Failed, may pass"),
                ("rejected", "Refused for good"),
                ("lost", "Worker lost"),
            ],
            max_length=16,
        ),
    ),
    ("status_code", models.PositiveIntegerField(blank=True, null=True)),
    ("error", models.TextField(blank=True)),
    (
        "reference",
        models.CharField(
            blank=True, db_default="", default="", help_text="The provider's own id of it.", max_length=128
        ),
    ),
    (
        "shop",
        models.ForeignKey(
            db_constraint=False,
            db_index=False,
            null=True,
            on_delete=django.db.models.deletion.DO_NOTHING,
            related_name="+",
            to="accounts.shop",
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0020_departures"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="duration_ms",
            field=models.FloatField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="status_code",
            field=models.IntegerField(editable=False, null=True),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(name="Attempt"),
                migrations.CreateModel(
                    name="AttemptRow",
                    fields=[
                        *FIELDS,
                        (
                            "delivery",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="attempt_rows",
                                to="notifications.delivery",
                            ),
                        ),
                    ],
                    options={"db_table": "notifications_attempt"},
                ),
            ],
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                *FIELDS,
                (
                    "delivery",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="attempt_set",
                        to="notifications.delivery",
                    ),
                ),
            ],
            options={"db_table": "notifications_attempts", "ordering": ("number",), "managed": False},
        ),
        migrations.RunPython(fill_pages(50), fill_pages(55)),
        migrations.RunSQL(VIEW, "DROP VIEW notifications_attempts"),
        migrations.RunSQL(migrations.RunSQL.noop, UNFOLD),
    ]
