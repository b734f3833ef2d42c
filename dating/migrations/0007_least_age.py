"""People have a least age, and are left out if they are younger."""

from django.db import migrations, models

import dating.ages


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0006_who_takes_part"),
    ]

    operations = [
        migrations.AlterField(
            model_name="datingprofile",
            name="birthday",
            field=models.DateField(blank=True, null=True, validators=[dating.ages.validate_birthday]),
        ),
        migrations.AlterField(
            model_name="registration",
            name="left_out",
            field=models.CharField(
                blank=True,
                choices=[
                    ("unconfirmed", "Did not confirm"),
                    ("no_place", "No place became free"),
                    ("no_birthday", "The birthday is missing"),
                    ("too_young", "Too young"),
                    ("no_partner", "Nobody to meet"),
                    ("elsewhere", "Takes part in another event at that time"),
                    ("skipped", "The event did not take place"),
                ],
                max_length=16,
            ),
        ),
    ]
