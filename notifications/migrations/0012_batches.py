"""Webhooks may ask for several deliveries a request; those that are there ask for none."""

import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0011_months"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="contactpoint",
            name="batch",
            field=models.PositiveSmallIntegerField(
                db_default=1,
                default=1,
                help_text="Most deliveries that one request tells; 1: each has a request of its own. Webhooks only.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="contactpoint",
            name="batch_format",
            field=models.CharField(
                choices=[
                    ("cloudevents", "application/cloudevents-batch+json"),
                    ("ndjson", "application/x-ndjson"),
                ],
                db_default="cloudevents",
                default="cloudevents",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="contactpoint",
            name="linger_ms",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Milliseconds for which the first of them waits for others.",
                validators=[django.core.validators.MaxValueValidator(10000)],
                verbose_name="linger (ms)",
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("batch", 1),
                    models.Q(("batch__range", (2, 1000)), ("channel", "webhook")),
                    _connector="OR",
                ),
                name="contact_point_batch",
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("linger_ms__lte", 10000)), name="contact_point_linger"
            ),
        ),
        migrations.AddConstraint(
            model_name="contactpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("batch_format__in", ["cloudevents", "ndjson"])),
                name="contact_point_batch_format",
            ),
        ),
    ]
