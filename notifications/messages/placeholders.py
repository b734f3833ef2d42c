"""Codes and links never stand in the database: placeholders do, until the message is sent."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings

from accounts.verification import code_of, token_of
from notifications.channels import registry

log = structlog.get_logger(__name__)

#: Kinds that begin so hold secrets, and are sent by these channels only, to the address they are meant for.
PRIVATE_KINDS: Final = "account."
PRIVATE_CHANNELS: Final = tuple(
    name for name, channel in registry.CHANNELS.items() if channel.carries_account_secrets
)
#: But for this one, which is to prove an address of whatever channel.
CONFIRM: Final = "account.confirm_contact_point"

#: Where a kind's link leads, below PUBLIC_URL; the token is put behind it.
LINKS: Final = {
    "account.verify_email": "/verify-email/?token=",
    "account.verify_phone": "/verify-phone/?token=",
    "account.password_reset": "/reset-password/?token=",
    "account.invitation": "/register/?invitation=",
}

_MARKS: Final = "⟦⟧"
_NO_MARKS: Final = dict.fromkeys(map(ord, _MARKS))
#: Variables of the secret kinds: what stands in their place until then.
PLACEHOLDERS: Final = {"code": "⟦code⟧", "link": "⟦link⟧"}


def is_private(kind: str) -> bool:
    return kind.startswith(PRIVATE_KINDS)


def with_placeholders(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a secret kind. What else is in them is without marks already."""
    return {**variables, **PLACEHOLDERS}


def channels_of(kind: str) -> Collection[str]:
    """Return the channels that a secret kind is sent by."""
    if kind != CONFIRM:
        return PRIVATE_CHANNELS
    return [name for name, channel in registry.CHANNELS.items() if channel.needs_confirmation]


def filled(kind: str, channel: str, data: Mapping[str, Any], *texts: str) -> tuple[str, ...]:
    """Return the texts with code and link of ``data["verification"]``, if the channel may carry them."""
    wanted = {name: mark for name, mark in PLACEHOLDERS.items() if any(mark in text for text in texts)}
    if not wanted:
        return texts
    try:
        if channel not in channels_of(kind):
            raise ValueError(f"{kind} must not be sent by {channel}")
        verification_id = UUID(str(data["verification"]))
        secrets = {mark: _secret(name, kind, channel, verification_id) for name, mark in wanted.items()}
    except (KeyError, ValueError) as error:  # whoever gets it learns nothing
        log.error("placeholders_not_filled", kind=kind, channel=channel, error=type(error).__name__)
        return texts
    for mark, secret in secrets.items():
        texts = tuple(text.replace(mark, secret) for text in texts)
    return texts


def _secret(name: str, kind: str, channel: str, verification_id: UUID) -> str:
    if name == "code":
        code = code_of(verification_id)
        return ", ".join(code) if registry.get(channel).is_spoken else code
    return f"{settings.PUBLIC_URL}{LINKS[kind]}{token_of(verification_id)}"


def without_marks(value: Any) -> Any:
    """Return plain data in whose texts nothing can pass for a placeholder, or for the mark of a link."""
    if isinstance(value, str):
        return value.translate(_NO_MARKS) if any(mark in value for mark in _MARKS) else value
    if isinstance(value, dict):
        return {key: without_marks(each) for key, each in value.items()}
    return [without_marks(each) for each in value] if isinstance(value, list) else value
