"""Nothing checks a call's delivery any more: months of the history are dropped as a whole."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("escalation", "0002_close_what_is_over")]
    # A table that a key refers to can't become one of several.
    run_before = [("notifications", "0011_months")]

    operations = [
        migrations.AlterField(
            model_name="hangup",
            name="delivery",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="hang_up",
                serialize=False,
                to="notifications.delivery",
            ),
        ),
    ]
