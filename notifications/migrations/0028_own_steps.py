from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0027_grouped_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="preference",
            name="steps",
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
    ]
