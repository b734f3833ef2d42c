"""Accounts know which broker's source made them, for no other may change them.

Of those that are here already it isn't stored. They are taken for the source's own where there is one source
of such events, and they have what a mirrored account has: an unusable password, no rights, and no log-in ever.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import migrations, models

BATCH = 5000


def mark(apps: Any, schema_editor: Any) -> None:
    sources = [name for name, each in settings.SOURCES.items() if each.get("format") == "events"]
    if len(sources) != 1:
        return
    user = apps.get_model("accounts", "User")
    # Fixtures have "!" alone; whoever came by the dating bot has an address of its own.
    mirrors = user.objects.filter(
        password__startswith=UNUSABLE_PASSWORD_PREFIX, is_staff=False, is_superuser=False, last_login=None, email_verified_at=None,
        user_permissions=None, groups=None,
    ).exclude(password=UNUSABLE_PASSWORD_PREFIX).exclude(email__endswith="@bot.invalid")  # fmt: skip
    ids = list(mirrors.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        user.objects.filter(pk__in=ids[start : start + BATCH]).update(mirrored_from=sources[0])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_message_scopes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="mirrored_from",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The broker's source whose messages made this account, and may change it.",
                max_length=100,
            ),
        ),
        migrations.RunPython(mark, migrations.RunPython.noop, elidable=True),
    ]
