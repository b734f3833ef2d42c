"""What a person sees in their inbox gets a table of its own, and leaves the deliveries."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import config.clock

# The deliveries are locked by now, since their indexes are gone: nothing changes while this reads them.
MOVE = """
INSERT INTO notifications_inboxitem
       (delivery_id, user_id, notification_id, number, language, created_at, read_at, dismissed_at)
SELECT id, user_id, notification_id, number, language, created_at, read_at, dismissed_at
  FROM notifications_delivery WHERE channel = 'inbox' AND status = 'sent' AND number IS NOT NULL;
"""
MOVE_BACK = """
UPDATE notifications_delivery AS delivery
   SET number = item.number, read_at = item.read_at, dismissed_at = item.dismissed_at
  FROM notifications_inboxitem AS item WHERE delivery.id = item.delivery_id;
"""
# Counting what is unread by its index alone needs vacuums that keep up. They come by count, as those of the
# deliveries in which the items lay before.
STORAGE = """
ALTER TABLE notifications_inboxitem SET (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500000,
    autovacuum_vacuum_insert_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = 500000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 100000
);
ANALYZE notifications_inboxitem;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0008_delivery_actions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="InboxItem",
            fields=[
                (
                    "delivery",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="inbox_item",
                        serialize=False,
                        to="notifications.delivery",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="inbox_items",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="notifications.notification",
                    ),
                ),
                ("number", models.BigIntegerField()),
                (
                    "language",
                    models.CharField(default="en", help_text="The person's, when it was made.", max_length=8),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=config.clock.now, editable=False, help_text="When it appeared."
                    ),
                ),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                (
                    "dismissed_at",
                    models.DateTimeField(
                        blank=True, editable=False, help_text="When its person deleted it.", null=True
                    ),
                ),
            ],
        ),
        migrations.RemoveIndex(model_name="delivery", name="delivery_inbox_unread"),
        migrations.RemoveIndex(model_name="delivery", name="delivery_inbox_read"),
        migrations.RunSQL(MOVE, MOVE_BACK),
        # After the rows: an index is made of all of them faster than by each.
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(
                fields=["user", "-number"],
                condition=models.Q(("dismissed_at", None), ("read_at", None)),
                name="inboxitem_unread",
            ),
        ),
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(
                fields=["user", "-number"],
                condition=models.Q(("dismissed_at", None), ("read_at__isnull", False)),
                name="inboxitem_read",
            ),
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RemoveField(model_name="delivery", name="number"),
        migrations.RemoveField(model_name="delivery", name="read_at"),
        migrations.RemoveField(model_name="delivery", name="dismissed_at"),
    ]
