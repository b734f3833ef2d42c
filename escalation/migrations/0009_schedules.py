import datetime

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.validators

# Whoever may do something to rotations may do it to schedules.
RENAMED = {
    "rotation": "schedule",
    "rotationmember": "layermember",
    "rotationoverride": "scheduleoverride",
}

MAKE_LAYERS = """
INSERT INTO escalation_layer
       (schedule_id, position, name, shift_h, time_zone, starts_on, handoff_at, per_turn, restrictions)
SELECT id, 1, '', shift_h, time_zone, starts_on, handoff_at, 1, '[]' FROM escalation_schedule
"""
FILL_LAYERS = """
UPDATE escalation_layermember AS member SET layer_id = layer.id
  FROM escalation_layer AS layer WHERE layer.schedule_id = member.rotation_id
"""

# Back: the lowest layer is the rotation; a schedule has nothing else that rotations could hold.
LEAVE_HIGHER = """
DELETE FROM escalation_layermember AS member USING escalation_layer AS layer
 WHERE layer.id = member.layer_id AND EXISTS (
       SELECT FROM escalation_layer AS lower WHERE lower.schedule_id = layer.schedule_id
          AND (lower.position, lower.id) < (layer.position, layer.id))
"""
FILL_ROTATIONS = """
UPDATE escalation_schedule AS schedule
   SET shift_h = layer.shift_h, time_zone = layer.time_zone, starts_on = layer.starts_on,
       handoff_at = layer.handoff_at,
       kind = CASE layer.shift_h WHEN 24 THEN 'daily' WHEN 168 THEN 'weekly' ELSE 'custom' END
  FROM (SELECT DISTINCT ON (schedule_id) * FROM escalation_layer ORDER BY schedule_id, position, id) AS layer
 WHERE layer.schedule_id = schedule.id
"""
FILL_MEMBERS = """
UPDATE escalation_layermember AS member SET rotation_id = layer.schedule_id
  FROM escalation_layer AS layer WHERE layer.id = member.layer_id
"""
# A table can't be altered while checks of its rows are still to come.
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"


def make_layers(apps, schema_editor):
    for statement in (MAKE_LAYERS, FILL_LAYERS, CHECK_NOW):
        schema_editor.execute(statement)


def make_rotations(apps, schema_editor):
    for statement in (LEAVE_HIGHER, FILL_ROTATIONS, FILL_MEMBERS, CHECK_NOW):
        schema_editor.execute(statement)


def rename_permissions(apps, schema_editor, *, names=RENAMED, words=("rotation", "schedule")):
    permissions = apps.get_model("auth", "Permission").objects
    for permission in permissions.filter(content_type__app_label="escalation"):
        act, _, model = permission.codename.partition("_")
        if model in names:
            permission.codename = f"{act}_{names[model]}"
            permission.name = permission.name.replace(*words)
            permission.save(update_fields=["codename", "name"])


def restore_permissions(apps, schema_editor):
    names = {new: old for old, new in RENAMED.items()}
    rename_permissions(apps, schema_editor, names=names, words=("schedule", "rotation"))


class Migration(migrations.Migration):
    """A rotation becomes a schedule of one layer, with its id, its calendar's link and its overrides."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("escalation", "0008_heartbeat_watch"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveField(model_name="rotation", name="members"),
        migrations.RemoveIndex(model_name="rotationmember", name="rotation_places"),
        migrations.RemoveIndex(model_name="rotationoverride", name="rotation_override_of"),
        migrations.RemoveConstraint(model_name="rotation", name="rotation_name_once"),
        migrations.RemoveConstraint(model_name="rotation", name="rotation_shift_in_bounds"),
        migrations.RemoveConstraint(model_name="rotationoverride", name="rotation_override_forward"),
        migrations.RenameModel("Rotation", "Schedule"),
        migrations.RenameModel("RotationMember", "LayerMember"),
        migrations.RenameModel("RotationOverride", "ScheduleOverride"),
        migrations.RenameField("scheduleoverride", "rotation", "schedule"),
        migrations.AlterModelOptions(name="layermember", options={}),
        migrations.CreateModel(
            name="Layer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "position",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="A higher one lies over the lower ones wherever it has somebody on call.",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=100)),
                (
                    "shift_h",
                    models.PositiveIntegerField(
                        default=168,
                        help_text="By the clock on the wall, so that 12 stay 08:00 and 20:00 all the year; 168 is a week.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1344),
                        ],
                        verbose_name="shift in hours",
                    ),
                ),
                (
                    "time_zone",
                    models.CharField(
                        default="UTC", max_length=64, validators=[accounts.validators.validate_time_zone]
                    ),
                ),
                (
                    "starts_on",
                    models.DateField(
                        help_text="The day of the first shift; for weekly ones it sets the weekday."
                    ),
                ),
                (
                    "handoff_at",
                    models.TimeField(default=datetime.time(8, 0), help_text="In the layer's time zone."),
                ),
                (
                    "per_turn",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="So many are on call together.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10),
                        ],
                        verbose_name="people a turn",
                    ),
                ),
                (
                    "restrictions",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='When anybody is on call at all, such as [{"weekdays": ["sat", "sun"], '
                        '"begin": "08:00", "end": "20:00"}], in the layer\'s time zone; [] is always.',
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="layers",
                        to="escalation.schedule",
                    ),
                ),
            ],
            options={"ordering": ("schedule", "position", "pk")},
        ),
        migrations.AddField(
            model_name="layermember",
            name="layer",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="places",
                to="escalation.layer",
            ),
        ),
        migrations.AlterField(
            model_name="layermember",
            name="rotation",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="places",
                to="escalation.schedule",
            ),
        ),
        migrations.AlterField(model_name="schedule", name="starts_on", field=models.DateField(null=True)),
        migrations.RunPython(make_layers, make_rotations),
        migrations.RunPython(rename_permissions, restore_permissions),
        migrations.RemoveField(model_name="layermember", name="rotation"),
        *(
            migrations.RemoveField(model_name="schedule", name=name)
            for name in ("kind", "shift_h", "time_zone", "starts_on", "handoff_at")
        ),
        migrations.AlterField(
            model_name="layermember",
            name="layer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="places",
                to="escalation.layer",
            ),
        ),
        migrations.AlterModelOptions(name="layermember", options={"ordering": ("layer", "position", "pk")}),
        migrations.AddField(
            model_name="layer",
            name="members",
            field=models.ManyToManyField(
                related_name="schedule_layers",
                through="escalation.LayerMember",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="layer",
            index=models.Index(fields=["schedule", "position"], name="layers_of_schedule"),
        ),
        migrations.AddIndex(
            model_name="layermember",
            index=models.Index(fields=["layer", "position"], name="layer_places"),
        ),
        migrations.AddIndex(
            model_name="scheduleoverride",
            index=models.Index(fields=["schedule", "ends_at"], name="schedule_override_of"),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at", None)), fields=("name",), name="schedule_name_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="layer",
            constraint=models.CheckConstraint(
                condition=models.Q(("shift_h__gte", 1), ("shift_h__lte", 1344)), name="layer_shift_in_bounds"
            ),
        ),
        migrations.AddConstraint(
            model_name="layer",
            constraint=models.CheckConstraint(
                condition=models.Q(("per_turn__gte", 1)), name="layer_somebody_a_turn"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="schedule_override_forward"
            ),
        ),
    ]
