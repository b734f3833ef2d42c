"""The table of packed days: partitioned by day, which Django can't say."""

from django.db import migrations, models

# Most rows fit on a page. What is longer is stored beside it as it is: numbers hardly compress.
CREATE_SQL = """
CREATE TABLE tracing_packedday (
    device_id integer NOT NULL,
    day date NOT NULL,
    records bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (device_id, day) WITH (fillfactor = 100)
) PARTITION BY RANGE (day);
"""


class Migration(migrations.Migration):
    dependencies = [("tracing", "0003_filter_distances")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_SQL, "DROP TABLE tracing_packedday")],
            state_operations=[
                migrations.CreateModel(
                    name="PackedDay",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "device_id",
                                "day",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("device_id", models.IntegerField()),
                        ("day", models.DateField(help_text="Of the start, in UTC.")),
                        ("records", models.BinaryField()),
                    ],
                )
            ],
        )
    ]
