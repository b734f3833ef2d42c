"""How PostgreSQL keeps the two tables that change thousands of times a second."""

from django.db import migrations

# Vacuum by count and not by share of the table: dead entries in the partial indexes slow each claim.
FORWARD = """
ALTER TABLE notifications_delivery SET (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 100000
);
ALTER TABLE notifications_attempt SET (autovacuum_vacuum_insert_scale_factor = 0.1);
"""
BACKWARD = """
ALTER TABLE notifications_delivery RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold
);
ALTER TABLE notifications_attempt RESET (autovacuum_vacuum_insert_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
