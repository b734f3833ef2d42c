"""Where a person wants to be told."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from accounts.names import validate_plain
from accounts.phones import REFUSED, may_be_told
from config import clock
from config.rest.exceptions import Conflict
from notifications.channels import registry
from notifications.engine import quiet_deliveries, stop
from notifications.engine.planned import deliver_to
from notifications.messages.compose import notification_of
from notifications.models import ContactPoint, Delivery, Outgoing
from notifications.services.confirmations import UNCONFIRMED, contact_point_admit

TOO_MANY: Final = gettext_lazy("You can have at most {} contact points. Remove one first.")

TOO_LATE: Final = gettext_lazy("It is too late to undo this. Add it again.")
REMOVED: Final = gettext_lazy("This contact point has been removed in the meantime.")
#: For so long what was removed can be brought back.
UNDO: Final = timedelta(minutes=10)

#: What a person sets at an address.
SETTINGS: Final = ("label", "is_enabled", "batch", "linger_ms", "batch_format")


def contact_point_create(
    *, user: User, channel: str, address: str = "", vouched: bool = False, **options: Any
) -> tuple[ContactPoint, bool]:
    """Add an address of a person; the second value is False where they have the very same one already.

    A code is sent there, without which it tells nothing, unless it is known to be theirs.

    Args:
        vouched: somebody who may say so says that it is theirs.
        options: any of `SETTINGS`; by default, those of the model.

    Raises:
        ValidationError: there is no such channel, or the address is none of its, or costs too much.
        Conflict: they have this address already, with another label or switched otherwise; or have as many
            contact points as anybody may; or that of their account is to be confirmed first.
        TooMany: as many codes were sent as may be.
    """
    contact_point = ContactPoint(user=user, channel=channel, address=address, **options)
    contact_point.clean()
    _refuse_odd(contact_point.label)
    _refuse_costly(contact_point)
    try:
        with transaction.atomic():
            _refuse_too_many(contact_point)
            contact_point.save(force_insert=True)
            contact_point_admit(contact_point=contact_point, vouched=vouched, now=contact_point.created_at)
    except IntegrityError:
        existing = ContactPoint.objects.get(
            user=user, channel=channel, address=contact_point.address, deleted_at=None
        )
        if any(getattr(existing, name) != getattr(contact_point, name) for name in SETTINGS):
            raise Conflict(
                gettext("This address has already been added, with another label or other settings.")
            )
        return existing, False
    return contact_point, True


def contact_point_update(
    *, contact_point: ContactPoint, vouched: bool = False, **changes: Any
) -> ContactPoint:
    """Change the address, or any of `SETTINGS`. A new address is confirmed anew, as one that is added.

    What quiet hours hold back goes to the new address, or nowhere while it is not confirmed or switched off.

    Raises:
        ValidationError: the address is none of its channel's.
        Conflict: the person has that address already; or that of their account is to be confirmed first; or
            it was removed meanwhile.
        TooMany: as many codes were sent as may be.
    """
    there = ContactPoint.objects.filter(deleted_at=None).select_for_update(no_key=True)
    try:
        with transaction.atomic():
            # As it is now: it may have been confirmed, or switched off by its provider, since it was read.
            contact_point.refresh_from_db(from_queryset=there)
            before = contact_point.address
            for field, value in changes.items():
                setattr(contact_point, field, value)
            contact_point.clean()
            _refuse_odd(changes.get("label", ""))
            if "address" in changes:
                _refuse_costly(contact_point)
            contact_point.save()
            if contact_point.address != before:
                contact_point_admit(contact_point=contact_point, vouched=vouched, now=clock.now())
            quiet_deliveries.follow(contact_point)
    except ContactPoint.DoesNotExist:
        raise Conflict(REMOVED)
    except IntegrityError:
        raise Conflict(gettext("This address has already been added."))
    return contact_point


def _refuse_odd(label: str) -> None:
    try:
        validate_plain(label)
    except ValidationError as error:
        raise ValidationError({"label": error.messages})


def _refuse_costly(contact_point: ContactPoint) -> None:
    if registry.get(contact_point.channel).is_paid and not may_be_told(contact_point.address):
        raise ValidationError({"address": REFUSED})


def _refuse_too_many(contact_point: ContactPoint) -> None:
    """Raise Conflict where one more would be too many. Their owner is locked, so that no two pass for one."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=contact_point.user_id)
    others = ContactPoint.objects.filter(user=contact_point.user_id, deleted_at=None)
    is_here = others.filter(channel=contact_point.channel, address=contact_point.address).exists()
    if not is_here and others.count() >= settings.CONTACT_POINTS_MOST:
        raise Conflict(TOO_MANY.format(settings.CONTACT_POINTS_MOST))


def contact_point_remove(*, contact_point: ContactPoint) -> None:
    """Take an address away and stop what is still to be sent to it; its history stays."""
    with transaction.atomic():
        ContactPoint.objects.filter(pk=contact_point.pk).update(deleted_at=clock.now())
        # By the person too: there is an index of theirs, and none of contact points.
        sent_there = Delivery.objects.filter(user=contact_point.user_id, contact_point=contact_point)
        # What has failed stays as it is: nothing is replayed to an address that was taken away.
        waiting = sent_there.filter(status=Delivery.Status.PENDING)
        stop.cancel(waiting, reason=Delivery.Reason.CONTACT_POINT_REMOVED)


def has_waiting(contact_point: ContactPoint) -> bool:
    """Whether anything is still to be sent there: switching it off stops only what quiet hours hold."""
    return Outgoing.objects.filter(delivery__contact_point=contact_point).exists()


def contact_point_restore(*, contact_point: ContactPoint, now: datetime) -> None:
    """Bring back what its owner removed lately; what was stopped with it stays so.

    Raises:
        Conflict: it is too late, it was added again meanwhile, or they have as many as anybody may.
    """
    try:
        with transaction.atomic():
            _refuse_too_many(contact_point)
            lately = ContactPoint.objects.filter(pk=contact_point.pk, deleted_at__gt=now - UNDO)
            if not lately.update(deleted_at=None):
                raise Conflict(TOO_LATE)
    except IntegrityError:
        raise Conflict(gettext("This address has already been added."))


def contact_point_rotate_secret(*, contact_point: ContactPoint) -> ContactPoint:
    """Sign with a new secret from now on; the previous one is still used beside it for a while.

    Raises:
        ValidationError: messages of this channel aren't signed.
    """
    if not registry.sendable(contact_point.channel).is_signed:
        raise ValidationError({"channel": [gettext("Only webhooks have a secret.")]})
    ContactPoint.objects.filter(pk=contact_point.pk).update(
        secret_version=F("secret_version") + 1, secret_rotated_at=clock.now()
    )
    contact_point.refresh_from_db()
    return contact_point


def contact_point_test_send(*, contact_point: ContactPoint) -> Delivery:
    """Send a test message there, whatever its owner's preferences say.

    Raises:
        Conflict: it is not confirmed.
    """
    if contact_point.confirmed_at is None:
        raise Conflict(UNCONFIRMED)
    notification = notification_of(
        kind="test",
        data={},
        source_type="contact_point",
        source_id=str(contact_point.pk),
        dedup_key=f"test:{uuid4()}",
    )
    return deliver_to(
        notification=notification,
        user=contact_point.user,
        channel=contact_point.channel,
        address=contact_point.address,
        contact_point=contact_point,
    )
