"""Conditions of policies, whose turn it is, and what a process was started with."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.validators

#: So far, the first message had the severity: an alert group may have asked for less than its policy says.
SEVERITIES = """
UPDATE escalation_escalationprocess AS process
   SET severity = COALESCE(
         (SELECT told.severity FROM notifications_notification AS told
           WHERE told.source_type = 'escalation' AND told.source_id = process.id::text
           ORDER BY told.id LIMIT 1),
         version.severity)
  FROM escalation_policyversion AS version
 WHERE version.id = process.policy_version_id
   AND (version.severity <> 'critical' OR process.state = 'active' OR process.resume_at IS NOT NULL)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("escalation", "0013_cover_requests"),
        ("notifications", "0028_own_steps"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="escalationprocess",
            name="details",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="What its messages say besides."
            ),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="severity",
            field=models.CharField(
                choices=[("critical", "Critical"), ("standard", "Standard")],
                db_default="critical",
                default="critical",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="turns",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="escalationprocess",
            name="started_by_person",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="policyversion",
            name="time_zone",
            field=models.CharField(
                db_default="UTC",
                default="UTC",
                help_text="Of conditions.",
                max_length=64,
                validators=[accounts.validators.validate_time_zone],
            ),
        ),
        migrations.CreateModel(
            name="RoundRobin",
            fields=[
                (
                    "schedule",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="round_robin",
                        serialize=False,
                        to="escalation.schedule",
                    ),
                ),
                ("place", models.PositiveIntegerField(default=0)),
                (
                    "last_user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="entry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("note", "Note"),
                    ("told", "Told"),
                    ("acknowledged", "Acknowledged"),
                    ("resumed", "Acknowledgement ran out"),
                    ("snoozed", "Snoozed"),
                    ("silenced", "Silenced"),
                    ("flapping", "Held back: it flaps"),
                    ("stopped", "Stopped"),
                    ("left_out", "Left out"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="text",
            field=models.TextField(
                blank=True, help_text="The note; of a silence, its reason; of what is left out, why."
            ),
        ),
        migrations.RunSQL(SEVERITIES, migrations.RunSQL.noop),
    ]
