"""Codes for contact points, which are addresses of any length, and for bots."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_invitations"),
    ]

    operations = [
        migrations.AddField(
            model_name="verification",
            name="about",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="verification",
            name="address",
            field=models.CharField(
                help_text="Where it was sent; void once that has changed.", max_length=2048
            ),
        ),
        migrations.AlterField(
            model_name="verification",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("email", "Verify the email address"),
                    ("phone", "Verify the phone number"),
                    ("password", "Set a new password"),
                    ("contact_point", "Confirm a contact point"),
                    ("bot", "Let a bot speak for them"),
                ],
                max_length=16,
            ),
        ),
    ]
