"""The table of interactions, made anew: partitioned by day, which Django can't say, with an index for either side."""

from django.db import migrations

CREATE_SQL = """
DROP TABLE tracing_interaction;
CREATE TABLE tracing_interaction (
    my_id integer NOT NULL,
    other_id integer NOT NULL,
    start_s integer NOT NULL,
    seconds smallint NOT NULL,
    distance_cm smallint NOT NULL,
    rssi smallint,
    platform smallint,
    position point,
    PRIMARY KEY (my_id, other_id, start_s, seconds, distance_cm) WITH (fillfactor = 100)
) PARTITION BY RANGE (start_s);
CREATE INDEX tracing_interaction_other ON tracing_interaction (other_id) WITH (fillfactor = 100);
"""


class Migration(migrations.Migration):
    dependencies = [("tracing", "0001_initial")]

    operations = [migrations.RunSQL(CREATE_SQL, migrations.RunSQL.noop)]
