"""Shops have people who manage them, and people are invited to a shop."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_russian")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="manages",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Invites and removes the people of the shop."
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="manages",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="invitation",
            name="shop",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="invitations",
                to="accounts.shop",
            ),
        ),
        migrations.AlterField(
            model_name="invitation",
            name="role",
            field=models.CharField(
                blank=True,
                choices=[
                    ("student", "Student"),
                    ("encadrant", "Encadrant"),
                    ("admin", "Administrator"),
                ],
                help_text="None for whoever only works at a shop.",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("role", ""), _negated=True), ("shop__isnull", False), _connector="OR"
                ),
                name="invitation_to_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("used_at", None)), fields=("shop", "email"), name="invitation_once"
            ),
        ),
    ]
