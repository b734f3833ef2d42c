"""A contact point is confirmed by whoever reads what is sent there, and tells nothing until then."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy

from accounts import rate_limits
from accounts.models import User, Verification
from accounts.services.verifications import code_take, destination_take
from config.rest.exceptions import Conflict, TooMany
from notifications.channels import registry
from notifications.engine.planned import deliver_to
from notifications.messages.compose import notification_of
from notifications.messages.placeholders import CONFIRM
from notifications.models import ContactPoint, Notification

PURPOSE: Final = Verification.Purpose.CONTACT_POINT
CONFIRMED: Final = gettext_lazy("This contact point is already confirmed.")
UNCONFIRMED: Final = gettext_lazy("Confirm this contact point first, with the code that was sent there.")
EMAIL_FIRST: Final = gettext_lazy(
    "Confirm your account's email address first. Until then, you can't add any other address."
)


def may_vouch(user: User) -> bool:
    """Whether somebody's word is enough for an address to count as confirmed."""
    return user.has_perm("notifications.add_contactpoint")


def is_own(contact_point: ContactPoint) -> bool:
    """Whether it is the email address or phone number of their account."""
    field = registry.get(contact_point.channel).verified_as
    return bool(field) and _same(contact_point, str(getattr(contact_point.user, field)))


def contact_point_admit(*, contact_point: ContactPoint, vouched: bool, now: datetime) -> None:
    """See to it that a new address is confirmed, or can be: part of the transaction that stores it.

    Raises:
        Conflict: the account's own address is to be confirmed first.
        TooMany: as many codes were sent as may be.
    """
    user = contact_point.user
    if vouched:
        contact_point_vouch(contact_point=contact_point, now=now)
    elif contact_point.confirmed_at is None:
        own = is_own(contact_point)
        field = registry.get(contact_point.channel).verified_as
        if user.email_verified_at is None and not (own and field == "email"):
            raise Conflict(EMAIL_FIRST)
        if own and getattr(user, f"{field}_verified_at"):
            _confirm(contact_point, now)
        else:
            code_send(contact_point=contact_point, now=now)


def contact_point_vouch(*, contact_point: ContactPoint, now: datetime) -> bool:
    """Count an address as confirmed on the word of the staff; False where it was changed meanwhile."""
    contact_point.is_vouched = True
    return _confirm(contact_point, now)


def code_send(*, contact_point: ContactPoint, now: datetime) -> None:
    """Send a code to a contact point, over its own channel; codes sent before are void.

    Raises:
        Conflict: it is confirmed already.
        TooMany: as many were sent to this person's contact points, or to this address, as may be.
    """
    if contact_point.confirmed_at is not None:
        raise Conflict(CONFIRMED)
    if wait := rate_limits.attempt_take(scope="contact-code", who=str(contact_point.user_id), now=now):
        raise TooMany(wait)
    destination = registry.get(contact_point.channel).destination(contact_point.address)
    destination_take(destination, now=now)
    with transaction.atomic():
        verification = Verification.objects.create(
            user_id=contact_point.user_id,
            purpose=PURPOSE,
            about=contact_point.pk,
            address=contact_point.address,
            created_at=now,
            expires_at=now + timedelta(seconds=settings.CODE_EXPIRES_S),
        )
        deliver_to(
            notification=code_notification(verification, kind=CONFIRM),
            user=contact_point.user,
            channel=contact_point.channel,
            address=contact_point.address,
            contact_point=contact_point,
        )


def code_notification(verification: Verification, *, kind: str) -> Notification:
    """Return what tells a code, or a link made of it.

    Nothing in it is the word of whoever asks, not even a name: it may go to somebody who knows of nothing.
    """
    lifetime = verification.expires_at - verification.created_at
    return notification_of(
        kind=kind,
        data={"verification": str(verification.pk)},
        context={"minutes": max(1, round(lifetime.total_seconds() / 60))},
        source_type="verification",
        source_id=str(verification.pk),
        dedup_key=f"verification:{verification.pk}",
    )


def contact_point_confirm(*, contact_point: ContactPoint, code: str, now: datetime) -> ContactPoint:
    """Take a code that somebody entered: from now on they are told things there.

    Where it is the address of their account, that is verified too.

    Raises:
        ValidationError: the code is wrong, or none is open.
    """
    if contact_point.confirmed_at is not None:
        return contact_point

    def address() -> str:
        # Locked: nobody changes the address while it is being confirmed.
        locked = ContactPoint.objects.select_for_update(no_key=True).filter(
            pk=contact_point.pk, deleted_at=None
        )
        contact_point.address = locked.values_list("address", flat=True).first() or ""
        return contact_point.address

    verifications = Verification.objects.filter(
        user=contact_point.user_id, purpose=PURPOSE, about=contact_point.pk
    )

    def confirm(_: str) -> None:
        _confirm(contact_point, now)
        if is_own(contact_point):
            field = registry.get(contact_point.channel).verified_as
            theirs = User.objects.filter(
                pk=contact_point.user_id, **{field: getattr(contact_point.user, field)}
            )
            theirs.filter(**{f"{field}_verified_at": None}).update(**{f"{field}_verified_at": now})

    code_take(verifications, code=code, address=address, then=confirm, now=now)
    return contact_point


def own_confirm(*, user: User, field: str, address: str, now: datetime) -> None:
    """Confirm the contact points that lead to an address of the account itself, which was verified."""
    channels = [name for name, channel in registry.CHANNELS.items() if channel.verified_as == field]
    waiting = ContactPoint.objects.filter(user=user, channel__in=channels, confirmed_at=None, deleted_at=None)
    for contact_point in waiting:
        if _same(contact_point, address):
            _confirm(contact_point, now)


def _same(contact_point: ContactPoint, address: str) -> bool:
    try:
        normal = registry.get(contact_point.channel).normalised_address(address)
    except ValidationError:
        return False
    return normal.lower() == contact_point.address.lower()


def _confirm(contact_point: ContactPoint, now: datetime) -> bool:
    contact_point.confirmed_at = now
    # Of this address, and not of one that has come in its place since it was read.
    same = ContactPoint.objects.filter(pk=contact_point.pk, address=contact_point.address)
    return bool(same.update(confirmed_at=now, is_vouched=contact_point.is_vouched))
