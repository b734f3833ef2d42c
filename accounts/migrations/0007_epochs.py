"""Whoever is locked out stays out: log-ins, links and codes of before end for good, whatever locks them out."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Fired for what locks somebody out, and for a save of an instance that was loaded before that.
FORWARD = """
CREATE FUNCTION accounts_user_lock_out() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_locked_out CONSTANT integer := (OLD.is_active AND NOT NEW.is_active)::integer;
BEGIN
    NEW.epoch := greatest(NEW.epoch, OLD.epoch + is_locked_out);
    NEW.links_version := greatest(NEW.links_version, OLD.links_version + is_locked_out);
    IF is_locked_out = 1 THEN
        UPDATE accounts_verification SET used_at = now() WHERE user_id = OLD.uuid AND used_at IS NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_user_lock_out BEFORE UPDATE ON accounts_user FOR EACH ROW
    WHEN (OLD.is_active AND NOT NEW.is_active OR NEW.epoch < OLD.epoch OR NEW.links_version < OLD.links_version)
    EXECUTE FUNCTION accounts_user_lock_out();
"""
BACKWARD = """
DROP TRIGGER accounts_user_lock_out ON accounts_user;
DROP FUNCTION accounts_user_lock_out;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_mirrored_from")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="epoch",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="links_version",
            field=models.IntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.CreateModel(
            name="EndedLogIn",
            fields=[
                (
                    "id",
                    models.CharField(
                        help_text="The id of its first refresh token.",
                        max_length=255,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("expires_at", models.DateTimeField(help_text="When its last token will have expired.")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "ended log-in",
                "indexes": [models.Index(fields=["expires_at", "id"], name="endedlogin_by_expiry")],
            },
        ),
    ]
