"""What lies in an inbox can be snoozed."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0033_test_actions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="inboxitem",
            name="snoozed_until",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When it comes back, or came back.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="inboxitem",
            name="dismissed_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When its person deleted or snoozed it.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(
                condition=models.Q(("dismissed_at__isnull", False), ("snoozed_until__isnull", False)),
                fields=["snoozed_until"],
                name="inboxitem_snoozed",
            ),
        ),
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(
                condition=models.Q(("dismissed_at__isnull", False), ("snoozed_until__isnull", False)),
                fields=["user", "snoozed_until"],
                name="inboxitem_snoozed_by",
            ),
        ),
    ]
