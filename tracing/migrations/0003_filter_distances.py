"""Filters limit distances to what records tell apart. Those with a wider limit find whom they found before."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models

VALIDATORS = [MinValueValidator(0.0), MaxValueValidator(327.0)]


def limits(model: str) -> list[migrations.AlterField]:
    return [
        migrations.AlterField(
            model,
            "distance_min_m",
            models.FloatField(default=0.0, help_text="Metres, up to 327.", validators=VALIDATORS),
        ),
        migrations.AlterField(
            model,
            "distance_max_m",
            models.FloatField(
                blank=True,
                help_text="Metres, up to 327; empty: no limit.",
                null=True,
                validators=VALIDATORS,
            ),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [("tracing", "0002_interactions")]

    operations = [*limits("filter"), *limits("filterversion")]
