"""Codes, links and warnings that accounts ask to have sent."""

import hashlib
from datetime import UTC
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.dispatch import receiver

from accounts.models import Invitation, User, Verification
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
    """Tell an account's owner that somebody tried to register with its address; once an hour at most."""
    address = hashlib.sha256(user.email.encode()).hexdigest()[:12]
    notification = notification_of(
        kind="account.registration_repeated",
        data={},
        source_type="user",
        source_id=str(user.pk),
        dedup_key=f"registration_repeated:{user.pk}:{address}:{clock.now().astimezone(UTC):%Y-%m-%dT%H}",
    )
    try:
        deliver_to(notification=notification, user=user, channel="email", address=user.email)
    except ValidationError:  # whoever asked must not be able to tell
        log.warning("registration_repeated_not_told", user=str(user.pk))


@receiver(account_changed)
def account_changed_tell(
    user: User, change: str, email: str, is_confirmed: bool, phone: str, **kwargs: Any
) -> None:
    """Warn an account's owner where they were reached until now; preferences have no say.

    An address that nobody has confirmed may be a stranger's: whoever registered with it floods them with one
    mail a day at most. A phone gets a text an hour.
    """
    at = clock.now().astimezone(UTC).isoformat()
    _warn(user, WARNINGS[change], channel="email", address=email, at=at, once=at if is_confirmed else at[:10])
    if phone and _is_set_up("sms"):
        _warn(user, WARNINGS[change], channel="sms", address=phone, at=at, once=at[:13])


def _warn(user: User, kind: str, *, channel: str, address: str, at: str, once: str) -> None:
    """Tell one address, for each value of ``once`` a single time."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    notification = notification_of(
        kind=kind,
        data={"at": at},
        source_type="user",
        source_id=str(user.pk),
        dedup_key=f"{kind}:{user.pk}:{channel}:{digest}:{once}",
    )
    try:
        deliver_to(notification=notification, user=user, channel=channel, address=address)
    except ValidationError:  # an address that was taken before the channel had its rules
        log.warning("account_change_not_told", user=str(user.pk), kind=kind, channel=channel)


def _is_set_up(channel: str) -> bool:
    return channel in registry.CHANNELS and registry.CHANNELS[channel].is_configured
