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
    invitations_made,
    registration_repeated,
    verification_requested,
)
from config import clock
from notifications.channels import registry
from notifications.engine.planned import Planned, deliver_many, deliver_to
from notifications.messages.compose import notification_of
from notifications.models import Notification
from notifications.services.confirmations import code_notification

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
    notification = code_notification(verification, kind=KINDS[purpose])
    try:
        deliver_to(
            notification=notification, user=verification.user, channel=channel, address=verification.address
        )
    except ValidationError:  # an address that was taken before the channel had its rules
        return False
    return True


@receiver(invitations_made)
def invitations_deliver(invitations: list[Invitation], **kwargs: Any) -> bool:
    """Send the links of invitations; False where no channel can."""
    if not _is_set_up("email"):
        return False
    deliver_many([_planned(each) for each in invitations])
    return True


def _planned(invitation: Invitation) -> Planned:
    notification = notification_of(
        kind="account.invitation",
        # By this name the sender finds what its link is made of.
        data={"verification": str(invitation.pk)},
        context={
            "days": settings.INVITATION_DAYS,
            "shop": invitation.shop.name if invitation.shop else "",
        },
        source_type="invitation",
        source_id=str(invitation.pk),
        # Sent again, it is good for longer.
        dedup_key=f"invitation:{invitation.pk}:{invitation.expires_at.isoformat()}",
    )
    address = registry.get("email").normalised_address(invitation.email)
    return Planned(notification, "email", address, is_normal=True)


@receiver(registration_repeated)
def registration_repeated_tell(user: User, **kwargs: Any) -> None:
    """Tell an account's owner that somebody tried to register with its address.

    Once an hour at most, and where nobody has confirmed it, whatever other accounts lead to the same mailbox.
    """
    whose = _digest(user.email) if user.email_verified_at is None else str(user.pk)
    owner_tell(
        user,
        "account.registration_repeated",
        address=user.email,
        once=f"registration_repeated:{whose}:{clock.now().astimezone(UTC):%Y-%m-%dT%H}",
        failed="registration_repeated_not_told",
    )


@receiver(account_changed)
def account_changed_tell(
    user: User, change: str, email: str, is_confirmed: bool, phone: str, **kwargs: Any
) -> None:
    """Warn an account's owner where they were reached until now; preferences have no say.

    An address that nobody has confirmed may be a stranger's: whoever registers with it, with one account or
    with several, floods them with one mail a day at most. A phone gets a text an hour.
    """
    at, kind = clock.now().astimezone(UTC).isoformat(), WARNINGS[change]
    once = f"{user.pk}:{at}" if is_confirmed else f"{_digest(email)}:{at[:10]}"
    failed = "account_change_not_told"
    owner_tell(user, kind, address=email, once=f"{kind}:email:{once}", failed=failed, at=at)
    if phone and _is_set_up("sms"):
        once = f"{kind}:sms:{user.pk}:{_digest(phone)}:{at[:13]}"
        owner_tell(user, kind, address=phone, channel="sms", once=once, failed=failed, at=at)


def owner_tell(
    user: User, kind: str, *, address: str, channel: str = "email", once: str, failed: str, **data: str
) -> None:
    """Tell an account's owner something of it.

    Args:
        once: is told a single time, whichever accounts ask for it.
        failed: is logged where nothing can be sent there.
    """
    notification = notification_of(
        kind=kind, data=data, source_type="user", source_id=str(user.pk), dedup_key=once
    )
    if Notification.objects.filter(dedup_key=once).exists():
        return
    try:
        deliver_to(notification=notification, user=user, channel=channel, address=address)
    except ValidationError:  # an address that was taken before the channel had its rules
        log.warning(failed, user=str(user.pk), kind=kind, channel=channel)


def _digest(address: str) -> str:
    """Name a mailbox or number without saying it."""
    return hashlib.sha256(mailbox_of(address).encode()).hexdigest()[:12]


def _is_set_up(channel: str) -> bool:
    return channel in registry.CHANNELS and registry.CHANNELS[channel].is_configured
