"""What failed in runs that ended before this version can't be replayed either."""

from django.db import migrations

CLOSE = """
UPDATE notifications_delivery AS delivery SET revoked_at = now()
  FROM notifications_notification AS told, escalation_escalationprocess AS process
 WHERE delivery.notification_id = told.id AND told.source_type = 'escalation'
   AND told.source_id = process.id::text AND process.state NOT IN ('active')
   AND process.resume_at IS NULL
   AND delivery.status IN ('failed', 'expired')
   AND delivery.revoked_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("escalation", "0001_initial"),
        ("notifications", "0007_vacuum_by_count"),
    ]

    operations = [migrations.RunSQL(CLOSE, migrations.RunSQL.noop)]
