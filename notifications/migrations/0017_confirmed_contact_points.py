"""Contact points are confirmed before they tell anything. Those that are there already count as confirmed."""

from typing import Any

from django.db import migrations, models

# Rows of one transaction: nobody waits long for one that is being changed.
BATCH = 5000
_CONFIRM = """
UPDATE notifications_contactpoint SET confirmed_at = created_at
 WHERE id IN (SELECT id FROM notifications_contactpoint WHERE confirmed_at IS NULL LIMIT %s)
"""


def confirm(apps: Any, editor: Any) -> None:
    with editor.connection.cursor() as cursor:
        while True:
            cursor.execute(_CONFIRM, [BATCH])
            if cursor.rowcount < BATCH:
                return


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("notifications", "0016_broadcasts"),
    ]

    operations = [
        migrations.AddField(
            model_name="contactpoint",
            name="confirmed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="contactpoint",
            name="is_vouched",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="The staff say that the address is theirs, and no code was asked for.",
                verbose_name="vouched for",
            ),
        ),
        migrations.RunPython(confirm, migrations.RunPython.noop),
    ]
