"""What is to be done leaves the history: a table for the queue, and ids that say what is there already."""

from django.db import migrations, models
from django.db.models import CASCADE, DO_NOTHING

# As a release before this one left it: what is live goes into the queue with its lease, number and failures,
# so that nothing is lost, and nothing that a worker has is sent again before its lease has run out.
COPY = """
INSERT INTO notifications_outgoing
       (delivery_id, lane, priority, due_at, expires_at, revocable, lease_until, revoked_at, attempts, failures,
        lost_leases, held_for, for_digest)
SELECT delivery.id, delivery.lane, CASE told.severity WHEN 'critical' THEN 0 ELSE 1 END, delivery.due_at,
       delivery.expires_at, delivery.revocable, delivery.lease_until, delivery.revoked_at,
       delivery.attempts, delivery.failures, delivery.lost_leases,
       CASE WHEN delivery.status = 'pending' AND delivery.reason IN ('quiet_hours', 'digest')
            THEN delivery.user_id END,
       delivery.status = 'pending' AND delivery.reason = 'digest'
  FROM notifications_delivery AS delivery
  JOIN notifications_notification AS told ON told.id = delivery.notification_id
 WHERE delivery.status IN ('pending', 'sending');
INSERT INTO notifications_undelivered (delivery_id)
SELECT id FROM notifications_delivery WHERE status IN ('failed', 'expired');
-- What is being sent has an attempt that is not on record yet.
UPDATE notifications_delivery SET status = 'pending', attempts = attempts - 1 WHERE status = 'sending';
UPDATE notifications_notification AS told SET shop_id = alert.shop_id
  FROM notifications_alert AS alert
 WHERE told.source_type = 'alert' AND told.source_id = alert.alert_uuid::text;
UPDATE notifications_delivery AS delivery SET shop_id = told.shop_id
  FROM notifications_notification AS told
 WHERE told.id = delivery.notification_id AND told.shop_id IS NOT NULL;
UPDATE notifications_attempt AS attempt SET shop_id = delivery.shop_id
  FROM notifications_delivery AS delivery
 WHERE delivery.id = attempt.delivery_id AND delivery.shop_id IS NOT NULL;
-- No column can be dropped while checks of keys wait for the end of the transaction.
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
BACK = """
UPDATE notifications_delivery AS delivery
   SET lane = outgoing.lane, lease_until = outgoing.lease_until, attempts = outgoing.attempts,
       failures = outgoing.failures, lost_leases = outgoing.lost_leases, due_at = outgoing.due_at,
       status = CASE WHEN outgoing.lease_until IS NULL THEN 'pending' ELSE 'sending' END
  FROM notifications_outgoing AS outgoing WHERE outgoing.delivery_id = delivery.id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

# A row of the history is updated once, and its page keeps room for that: then no index is written. The queue
# is small, and its rows are claimed where they lie.
STORAGE = """
ALTER TABLE notifications_delivery SET (
    fillfactor = 55, autovacuum_vacuum_threshold = 500000, autovacuum_analyze_threshold = 500000
);
ALTER TABLE notifications_outgoing SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 100000
);
"""
STORAGE_BACK = """
ALTER TABLE notifications_delivery RESET (fillfactor);
ALTER TABLE notifications_delivery SET (
    autovacuum_vacuum_threshold = 500000, autovacuum_analyze_threshold = 100000
);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_message_scopes"),
        ("notifications", "0009_inbox_items"),
    ]

    operations = [
        migrations.CreateModel(
            name="Outgoing",
            fields=[
                (
                    "delivery",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=CASCADE,
                        primary_key=True,
                        related_name="outgoing",
                        serialize=False,
                        to="notifications.delivery",
                    ),
                ),
                ("lane", models.CharField(max_length=300)),
                ("priority", models.PositiveSmallIntegerField(default=1)),
                ("due_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("revocable", models.BooleanField(default=False)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                (
                    "revoked_at",
                    models.DateTimeField(
                        blank=True, help_text="When it was stopped while being sent.", null=True
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("lost_leases", models.PositiveSmallIntegerField(default=0)),
                ("held_for", models.UUIDField(blank=True, null=True)),
                ("for_digest", models.BooleanField(default=False)),
            ],
            options={"verbose_name_plural": "outgoing"},
        ),
        migrations.CreateModel(
            name="Undelivered",
            fields=[
                (
                    "delivery",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=CASCADE,
                        primary_key=True,
                        related_name="undelivered",
                        serialize=False,
                        to="notifications.delivery",
                    ),
                )
            ],
            options={"verbose_name_plural": "undelivered"},
        ),
        *[
            migrations.AddField(
                model_name=model,
                name="shop",
                field=models.ForeignKey(
                    blank=model != "attempt",
                    db_constraint=False,
                    db_index=False,
                    null=True,
                    on_delete=DO_NOTHING,
                    related_name="+",
                    to="accounts.shop",
                ),
            )
            for model in ("attempt", "delivery", "notification")
        ],
        *[
            migrations.RemoveConstraint(model_name="delivery", name=name)
            for name in ("delivery_once", "delivery_status_known", "delivery_lease_while_sending")
        ],
        *[
            migrations.RemoveIndex(model_name="delivery", name=name)
            for name in (
                "delivery_due",
                "delivery_due_revocable",
                "delivery_leased",
                "delivery_failed",
                "delivery_for_digest",
                "delivery_revocable_next",
            )
        ],
        migrations.RunSQL(COPY, BACK),
        # So that the way back can add it to rows that are there.
        migrations.AlterField(
            model_name="delivery", name="lane", field=models.CharField(default="", max_length=300)
        ),
        *[
            migrations.RemoveField(model_name="delivery", name=name)
            for name in ("failures", "lane", "lease_until", "lost_leases")
        ],
        migrations.AlterField(
            model_name="delivery",
            name="notification",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=CASCADE,
                related_name="deliveries",
                to="notifications.notification",
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    status__in=["pending", "sent", "failed", "cancelled", "suppressed", "expired"]
                ),
                name="delivery_status_known",
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(revocable=False),
                fields=["lane", "priority", "due_at"],
                name="outgoing_due",
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(revocable=True), fields=["lane", "due_at"], name="outgoing_due_revocable"
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(revocable=True), fields=["due_at"], name="outgoing_revocable_next"
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(held_for__isnull=False), fields=["held_for"], name="outgoing_held"
            ),
        ),
        migrations.AddIndex(
            model_name="outgoing",
            index=models.Index(
                condition=models.Q(for_digest=True), fields=["due_at"], name="outgoing_for_digest"
            ),
        ),
        migrations.RunSQL(STORAGE, STORAGE_BACK),
    ]
