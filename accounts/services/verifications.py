"""Codes are sent to an address, and entered by who reads what is sent there."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import signals
from accounts.models import User, Verification
from accounts.verification import is_code_of, is_open
from config.exceptions import Conflict

Purpose = Verification.Purpose

#: Which field of the user holds the address that each purpose is about.
ADDRESS_FIELD: Final = {Purpose.EMAIL: "email", Purpose.PHONE: "phone", Purpose.PASSWORD: "email"}
NO_CHANNEL: Final = {
    Purpose.EMAIL: "No channel for email is set up.",
    Purpose.PHONE: "No channel for phone numbers is set up.",
    Purpose.PASSWORD: "No channel for email is set up.",
}
NO_PHONE: Final = "Your account has no phone number."
VERIFIED: Final = "This is verified already."
NO_CODE: Final = (
    "No code is open: it was used, has expired, or was entered wrongly too often. Ask for a new one."
)


def verification_send(*, user: User, purpose: str, now: datetime) -> Verification:
    """Have a code or link sent to somebody's email address or phone; codes sent before are void.

    Raises:
        ValidationError: there is no phone number.
        Conflict: the address is verified already, or nothing is set up that could reach it.
    """
    field = ADDRESS_FIELD[Purpose(purpose)]
    address = getattr(user, field)
    if not address:
        raise ValidationError({field: NO_PHONE})
    if purpose != Purpose.PASSWORD and getattr(user, f"{field}_verified_at"):
        raise Conflict(VERIFIED)
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
            raise Conflict(NO_CHANNEL[Purpose(purpose)])
    return verification


def verification_confirm(*, user: User, purpose: str, code: str, now: datetime) -> User:
    """Take a code that somebody entered; their address is verified from now on.

    Raises:
        ValidationError: the code is wrong, or none is open.
    """
    field = ADDRESS_FIELD[Purpose(purpose)]
    if getattr(user, f"{field}_verified_at"):
        return user
    with transaction.atomic():
        # Locked, so that no two guesses are counted as one.
        newest = (
            Verification.objects.select_for_update()
            .filter(user=user, purpose=purpose)
            .order_by("-created_at", "-id")
            .first()
        )
        # As it is now, and not as it was when the request came in.
        address = User.objects.filter(pk=user.pk).values_list(field, flat=True).first() or ""
        if newest is None or not is_open(newest, address=address, now=now):
            raise ValidationError({"code": NO_CODE})
        is_right = is_code_of(newest.pk, code)
        if is_right:
            newest.used_at = now
            User.objects.filter(pk=user.pk, **{field: address}).update(**{f"{field}_verified_at": now})
        else:
            newest.failures += 1
        newest.save(update_fields=["used_at", "failures"])
    if not is_right:
        left = settings.CODE_ATTEMPTS - newest.failures
        raise ValidationError({"code": f"This code is wrong. Attempts left: {left}."})
    user.refresh_from_db(fields=[f"{field}_verified_at"])
    return user
