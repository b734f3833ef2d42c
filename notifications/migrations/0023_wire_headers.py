"""The headers of answers as they came over AMQP, so that they go back with their types."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0022_contact_point_gone")]

    operations = [
        migrations.AddField(
            model_name="outgoingmessage",
            name="wire_headers",
            field=models.BinaryField(
                help_text="The headers as they came over AMQP, where they go back unchanged.", null=True
            ),
        ),
    ]
