"""Codes, links and warnings that accounts ask to have sent."""

import hashlib
from datetime import UTC
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.dispatch import receiver

from accounts.models import Invitation, User, Verification
from accounts.rate_limits import mailbox_of
from accounts.signals import (
    account_changed,
    invitation_made,
    registration_repeated,
    verification_requested,
)
from config import clock
from notifications.channels import registry
from notifications.engine.planned import deliver_to
from notifications.messages.compose import notification_of
from notifications.models import Notification

log = structlog.get_logger(__name__)

Purpose = Verification.Purpose

KINDS: Final = {
    Purpose.EMAIL: "account.verify_email",
    Purpose.PHONE: "account.verify_phone",
    Purpose.PASSWORD: "account.password_reset",
}
WARNINGS: Final = {
    "password": "account.password_changed",
    "email": "account.email_changed",
    "phone": "account.phone_changed",
    "log_in": "account.log_in_ended",
}
CHANNELS: Final = {Purpose.EMAIL: "email", Purpose.PHONE: "sms", Purpose.PASSWORD: "email"}


@receiver(verification_requested)
def verification_deliver(verification: Verification, **kwargs: Any) -> bool:
    """Send a code or link to the address that it is to prove; False where no channel can."""
    purpose = Purpose(verification.purpose)
    channel = CHANNELS[purpose]
    if not _is_set_up(channel):
        return False
    lifetime = verification.expires_at - verification.created_at
    notification = notification_of(
        kind=KINDS[purpose],
        data={"verification": str(verification.pk)},
        # No name in it: whoever registers with somebody else's address could put anything there.
        context={"minutes": max(1, round(lifetime.total_seconds() / 60))},
        source_type="verification",
        source_id=str(verification.pk),
        dedup_key=f"verification:{verification.pk}",
    )
    try:
        deliver_to(
            notification=notification, user=verification.user, channel=channel, address=verification.address
        )
    except ValidationError:  # an address that was taken before the channel had its rules
        return False
    return True


@receiver(invitation_made)
def invitation_deliver(invitation: Invitation, **kwargs: Any) -> bool:
    """Send the link of an invitation; False where no channel can."""
    if not _is_set_up("email"):
        return False
    notification = notification_of(
        kind="account.invitation",
        # By this name the sender finds what its link is made of.
        data={"verification": str(invitation.pk)},
        context={"days": settings.INVITATION_DAYS},
        source_type="invitation",
        source_id=str(invitation.pk),
        dedup_key=f"invitation:{invitation.pk}",
    )
    deliver_to(notification=notification, user=None, channel="email", address=invitation.email)
    return True


@receiver(registration_repeated)
def registration_repeated_tell(user: User, **kwargs: Any) -> None:
    """Tell an account's owner that somebody tried to register with its address.

    Once an hour at most, and where nobody has confirmed it, whatever other accounts lead to the same mailbox.
    """
    whose = _digest(user.email) if user.email_verified_at is None else str(user.pk)
    notification = notification_of(
        kind="account.registration_repeated",
        data={},
        source_type="user",
        source_id=str(user.pk),
        dedup_key=f"registration_repeated:{whose}:{clock.now().astimezone(UTC):%Y-%m-%dT%H}",
    )
    if _is_told(notification):
        return
    try:
        deliver_to(notification=notification, user=user, channel="email", address=user.email)
    except ValidationError:  # whoever asked must not be able to tell
        log.warning("registration_repeated_not_told", user=str(user.pk))


@receiver(account_changed)
def account_changed_tell(
    user: User, change: str, email: str, is_confirmed: bool, phone: str, **kwargs: Any
) -> None:
    """Warn an account's owner where they were reached until now; preferences have no say.

    An address that nobody has confirmed may be a stranger's: whoever registers with it, with one account or
    with several, floods them with one mail a day at most. A phone gets a text an hour.
    """
    at = clock.now().astimezone(UTC).isoformat()
    once = f"{user.pk}:{at}" if is_confirmed else f"{_digest(email)}:{at[:10]}"
    _warn(user, WARNINGS[change], channel="email", address=email, at=at, once=once)
    if phone and _is_set_up("sms"):
        once = f"{user.pk}:{_digest(phone)}:{at[:13]}"
        _warn(user, WARNINGS[change], channel="sms", address=phone, at=at, once=once)


def _warn(user: User, kind: str, *, channel: str, address: str, at: str, once: str) -> None:
    """Tell one address, for each value of ``once`` a single time."""
    notification = notification_of(
        kind=kind,
        data={"at": at},
        source_type="user",
        source_id=str(user.pk),
        dedup_key=f"{kind}:{channel}:{once}",
    )
    if _is_told(notification):
        return
    try:
        deliver_to(notification=notification, user=user, channel=channel, address=address)
    except ValidationError:  # an address that was taken before the channel had its rules
        log.warning("account_change_not_told", user=str(user.pk), kind=kind, channel=channel)


def _is_told(notification: Notification) -> bool:
    """Whether the same was told already: also for another account, and so as another delivery."""
    return Notification.objects.filter(dedup_key=notification.dedup_key).exists()


def _digest(address: str) -> str:
    """Name a mailbox or number without saying it."""
    return hashlib.sha256(mailbox_of(address).encode()).hexdigest()[:12]


def _is_set_up(channel: str) -> bool:
    return channel in registry.CHANNELS and registry.CHANNELS[channel].is_configured
