"""The headers of dead letters as they came over AMQP, so that the answer to one replayed has their types."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0025_only_webhooks_linger")]

    operations = [
        migrations.AddField(
            model_name="deadmessage",
            name="wire_headers",
            field=models.BinaryField(
                editable=False, help_text="The headers as they came over AMQP, with their types.", null=True
            ),
        ),
    ]
