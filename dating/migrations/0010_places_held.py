"""How many places were held as their number was last set; of two pools neither gets more than half."""

import django.core.validators
from django.db import migrations, models


def _places() -> models.PositiveIntegerField:
    return models.PositiveIntegerField(
        blank=True,
        help_text="People who can register; more go to the waiting list. Of two pools, neither gets more "
        "than half of the places. Empty: no limit.",
        null=True,
        validators=[
            django.core.validators.MinValueValidator(2),
            django.core.validators.MaxValueValidator(10000),
        ],
    )


class Migration(migrations.Migration):
    dependencies = [
        ("dating", "0009_retry_and_not_held"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="places_held",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AlterField(model_name="event", name="places", field=_places()),
        migrations.AlterField(model_name="recurringrule", name="places", field=_places()),
    ]
