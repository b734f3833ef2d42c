"""What channels are called, for people."""

from typing import Final

from django.utils.translation import gettext, gettext_noop

from notifications.channels import registry

#: What channels without a label of their own are called, for the catalogues.
_NAMES: Final = (
    gettext_noop("Email"),
    gettext_noop("Inbox"),
    gettext_noop("Push"),
    gettext_noop("Webhook"),
    gettext_noop("Web push"),
    gettext_noop("Telegram"),
    gettext_noop("Bot"),
    gettext_noop("Console"),
    gettext_noop("Third party"),
)


def channel_label(name: str) -> str:
    """Return the name of a channel in the reader's language; of one that is gone, its code."""
    return gettext(registry.sendable(name).label or name.replace("_", " ").capitalize())
