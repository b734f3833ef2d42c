from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_grouped_alerts"),
        ("escalation", "0009_schedules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="escalationprocess",
            name="escalation_state_known",
        ),
        migrations.RemoveConstraint(
            model_name="policyversion",
            name="policy_rounds_apart",
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="last_resort_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When its last resort was told: once.", null=True
            ),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="last_resort_look_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="next_round_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="When the next round begins; empty: there is none.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="round",
            field=models.PositiveIntegerField(
                db_default=1, default=1, editable=False, help_text="The last round that was begun."
            ),
        ),
        migrations.AddField(
            model_name="policyversion",
            name="last_resort",
            field=models.JSONField(
                blank=True, db_default=[], default=list, help_text="Who is told where nobody took it."
            ),
        ),
        migrations.AddField(
            model_name="policyversion",
            name="repeat_until_acknowledged",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="escalationprocess",
            name="state",
            field=models.CharField(
                choices=[
                    ("active", "Active"),
                    ("stopped", "Stopped"),
                    ("acknowledged", "Acknowledged"),
                    ("unanswered", "Unanswered"),
                    ("reached_nobody", "Reached nobody"),
                    ("finished", "Finished"),
                ],
                default="active",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="escalationprocess",
            index=models.Index(
                condition=models.Q(("next_round_at__isnull", False)),
                fields=["next_round_at"],
                name="escalation_next_round",
            ),
        ),
        migrations.AddIndex(
            model_name="escalationprocess",
            index=models.Index(
                condition=models.Q(("last_resort_look_at__isnull", False)),
                fields=["last_resort_look_at"],
                name="escalation_last_resort",
            ),
        ),
        migrations.AddConstraint(
            model_name="escalationprocess",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["active", "stopped", "acknowledged", "unanswered", "reached_nobody", "finished"],
                    )
                ),
                name="escalation_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="policyversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("repeat_until_acknowledged", False), ("repeats", 0)),
                    ("repeat_every_s__gt", 0),
                    _connector="OR",
                ),
                name="policy_rounds_apart",
            ),
        ),
    ]
