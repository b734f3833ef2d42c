"""Shops may have their alerts told as one."""

import django.core.validators
from django.db import migrations, models

_A_WEEK = [django.core.validators.MaxValueValidator(604800)]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_external_ids")]

    operations = [
        migrations.AddField(
            model_name="shop",
            name="group_alerts_s",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Alerts of one label are told as one until none has come for so many seconds;"
                " 0: each is told.",
                validators=_A_WEEK,
            ),
        ),
        migrations.AddField(
            model_name="shop",
            name="repeat_alerts_s",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="If they go on for so many seconds, the next one is told again; 0: never.",
                validators=_A_WEEK,
            ),
        ),
        migrations.AddIndex(
            model_name="shop",
            index=models.Index(
                condition=models.Q(("group_alerts_s__gt", 0)), fields=["id"], name="shop_groups_alerts"
            ),
        ),
    ]
