"""What comes in a burst is vacuumed after the burst, and not several times within it."""

from django.db import migrations

# A burst of ten thousand was enough for a vacuum and an analysis of each of the two tables every few seconds, a
# tenth of what PostgreSQL spent on a delivery; one of a hundred thousand for two vacuums of every index, which
# took another fifth. Attempts are only ever found by their key, for which the planner needs no fresh statistics.
FORWARD = """
ALTER TABLE notifications_delivery SET (
    autovacuum_vacuum_threshold = 500000,
    autovacuum_vacuum_insert_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = 500000
);
ALTER TABLE notifications_attempt SET (
    autovacuum_vacuum_insert_threshold = 500000, autovacuum_analyze_threshold = 100000
);
"""
BACKWARD = """
ALTER TABLE notifications_delivery SET (autovacuum_vacuum_threshold = 100000);
ALTER TABLE notifications_delivery RESET (
    autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold
);
ALTER TABLE notifications_attempt RESET (autovacuum_vacuum_insert_threshold, autovacuum_analyze_threshold);
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0006_brokers")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
