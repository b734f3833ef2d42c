"""How a contact point's deliveries are batched says nothing where none are: it is as it was made there."""

from django.db import migrations

FORWARD = """
UPDATE notifications_contactpoint SET linger_ms = 0, batch_format = 'cloudevents'
 WHERE channel <> 'webhook' AND (linger_ms, batch_format) <> (0, 'cloudevents')
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0023_wire_headers")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
