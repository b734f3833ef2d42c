"""Codes are sent to an address, and entered by who reads what is sent there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy

from accounts import rate_limits, signals
from accounts.models import User, Verification
from accounts.verification import is_code_of, is_open
from config.rest.exceptions import Conflict, TooMany

Purpose = Verification.Purpose

#: Which field of the user holds the address that each purpose is about.
ADDRESS_FIELD: Final = {Purpose.EMAIL: "email", Purpose.PHONE: "phone", Purpose.PASSWORD: "email"}
NO_CHANNEL: Final = {
    "email": "No channel for email is set up.",
    "phone": "No channel for phone numbers is set up.",
}
NO_PHONE: Final = gettext_lazy("Your account has no phone number.")
VERIFIED: Final = gettext_lazy("This is already verified.")
NO_CODE: Final = gettext_lazy(
    "There is no valid code: it was used, has expired, or was entered wrongly too often. Ask for a new one."
)


def verification_send(*, user: User, purpose: str, now: datetime) -> Verification:
    """Have a code or link sent to somebody's email address or phone; codes sent before are void.

    Raises:
        ValidationError: there is no phone number.
        Conflict: the address is verified already, or nothing is set up that could reach it.
        TooMany: as many codes were sent to this number or mailbox as may be, by whomever they were asked for.
    """
    field = ADDRESS_FIELD[Purpose(purpose)]
    address = getattr(user, field)
    if not address:
        raise ValidationError({field: NO_PHONE})
    if purpose != Purpose.PASSWORD and getattr(user, f"{field}_verified_at"):
        raise Conflict(VERIFIED)
    if destination := _shared_destination(user, field, address):
        destination_take(destination, now=now)
    lifetime_s = settings.RESET_EXPIRES_S if purpose == Purpose.PASSWORD else settings.CODE_EXPIRES_S
    with transaction.atomic():
        verification = Verification.objects.create(
            user=user,
            purpose=purpose,
            address=address,
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime_s),
        )
        answers = signals.verification_requested.send(Verification, verification=verification)
        if not any(taken for _, taken in answers):
            raise Conflict(NO_CHANNEL[field])
    return verification


def _shared_destination(user: User, field: str, address: str) -> str:
    """Return what other accounts' addresses may lead to as well; empty where there is none.

    Several may have one number, and reach one mailbox by what follows a plus. A mailbox's own address has one
    account, and a verified one its owner: nobody else uses up their codes.
    """
    if field == "phone":
        return address
    mailbox = rate_limits.mailbox_of(address)
    return mailbox if mailbox != address and user.email_verified_at is None else ""


def destination_take(destination: str, *, now: datetime) -> None:
    """Count a code that is sent to an address or number, by whomever it was asked for.

    Raises:
        TooMany: it gets no more for now.
    """
    if wait := rate_limits.attempt_take(scope="code-destination", who=destination, now=now):
        raise TooMany(wait)


def verification_confirm(*, user: User, purpose: str, code: str, now: datetime) -> User:
    """Take a code that somebody entered; their address is verified from now on.

    Raises:
        ValidationError: the code is wrong, or none is open.
    """
    field = ADDRESS_FIELD[Purpose(purpose)]
    if getattr(user, f"{field}_verified_at"):
        return user

    def address() -> str:
        return User.objects.filter(pk=user.pk).values_list(field, flat=True).first() or ""

    def verify(address: str) -> None:
        theirs = User.objects.filter(pk=user.pk, **{field: address})
        if not theirs.update(**{f"{field}_verified_at": now}):  # they have changed it at this moment
            raise ValidationError({"code": NO_CODE})
        signals.address_verified.send(User, user=user, field=field, address=address, now=now)

    verifications = Verification.objects.filter(user=user, purpose=purpose)
    code_take(verifications, code=code, address=address, then=verify, now=now)
    user.refresh_from_db(fields=[f"{field}_verified_at"])
    return user


def code_take(
    verifications: QuerySet[Verification],
    *,
    code: str,
    address: Callable[[], str],
    then: Callable[[str], object],
    now: datetime,
) -> None:
    """Use up the newest of these verifications by its code; a wrong one is counted.

    Args:
        address: asked for inside the transaction: where a code is good for now.
        then: what follows, in the same transaction; it is given that address.

    Raises:
        ValidationError: the code is wrong, or none is open.
    """
    with transaction.atomic():
        # Locked, so that no two guesses are counted as one.
        newest = verifications.select_for_update().order_by("-created_at", "-id").first()
        # As it is now, and not as it was when the request came in.
        present = address()
        if newest is None or not is_open(newest, address=present, now=now):
            raise ValidationError({"code": NO_CODE})
        is_right = is_code_of(newest.pk, code)
        if is_right:
            newest.used_at = now
            then(present)
        else:
            newest.failures += 1
        newest.save(update_fields=["used_at", "failures"])
    if not is_right:
        left = settings.CODE_ATTEMPTS - newest.failures
        raise ValidationError(
            {"code": gettext("This code is wrong. Attempts left: %(left)d.") % {"left": left}}
        )
