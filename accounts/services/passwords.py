"""Passwords are changed, and set anew by a mailed link."""

import time
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy

from accounts import rate_limits, signals
from accounts.models import User, Verification
from accounts.services.users import links_renew
from accounts.services.verifications import verification_send
from accounts.verification import id_of_token, is_open
from config.rest.exceptions import Conflict, TooMany

log = structlog.get_logger(__name__)

Purpose = Verification.Purpose

NOT_YOURS: Final = gettext_lazy("This is not your password.")
DEAD_LINK: Final = gettext_lazy("This link was used or has expired. Ask for a new one.")


def password_check(*, user: User, password: str, field: str) -> None:
    """Make sure that somebody knows their password; wrong ones are counted.

    Raises:
        ValidationError: they don't; under this name of a field.
        TooMany: there were too many wrong ones of late.
    """
    with rate_limits.failures_counted(ValidationError, scope="password-check", who=str(user.pk)):
        if not user.check_password(password):
            raise ValidationError({field: NOT_YOURS})


def password_change(*, user: User, current_password: str, new_password: str, now: datetime) -> None:
    """Set a new password: every token and session of before ends, and so does every mailed link.

    Raises:
        ValidationError: the current password is wrong, or the new one not acceptable.
    """
    password_check(user=user, password=current_password, field="current_password")
    _set(user, new_password, now)


def password_reset_request(*, email: str, now: datetime) -> None:
    """Have a link mailed that sets a new password, where there is such an account.

    It tells nobody whether there is one, by the time that it takes neither. Links sent before stay good
    until one of them is used: whoever asks in somebody's name can't make void the link that these asked for.
    """
    started = time.monotonic()
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is not None:
        try:
            verification_send(user=user, purpose=Purpose.PASSWORD, now=now)
        except Conflict as error:
            log.error("password_reset_not_sent", user=str(user.pk), error=str(error))
        except TooMany:  # whoever asks must not be able to tell
            log.warning("password_reset_not_sent", user=str(user.pk), error="too many to this mailbox")
    # Making a mail takes longer than making none.
    time.sleep(max(0.0, settings.RESET_ANSWER_S - (time.monotonic() - started)))


def password_reset_confirm(*, token: str, new_password: str, now: datetime) -> User:
    """Set a new password by the token of a mailed link, which works once.

    It was read at the address, so that this is verified too. If it never was before, whoever had the account
    until now may be somebody else: what they added is taken away, and the owner is told so.

    Raises:
        ValidationError: the link is not good any more, or the password not acceptable.
    """
    verification_id = id_of_token(token)
    if verification_id is None:
        raise ValidationError({"token": DEAD_LINK})
    with transaction.atomic():
        verification = (
            Verification.objects.select_for_update(of=("self", "user"))
            .select_related("user")
            .filter(pk=verification_id, purpose=Purpose.PASSWORD)
            .first()
        )
        if verification is None:
            raise ValidationError({"token": DEAD_LINK})
        user = verification.user
        if not user.is_active or not is_open(verification, address=user.email, now=now):
            raise ValidationError({"token": DEAD_LINK})
        had_password = user.has_usable_password()
        _set(user, new_password, now)
        if user.email_verified_at is None:
            # Note that the address is read by whoever has set the password.
            user.email_verified_at = now
            if had_password:  # without one nobody was in the account
                user.phone = ""
            user.save(update_fields=["email_verified_at", "phone"])
            if had_password:
                # Whoever had the account may have kept some, which work without logging in.
                links_renew(user=user)
                signals.account_taken.send(User, user=user)
            signals.address_verified.send(User, user=user, field="email", address=user.email, now=now)
    return user


def _set(user: User, password: str, now: datetime) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.error_list})
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        Verification.objects.filter(user=user, purpose=Purpose.PASSWORD, used_at=None).update(used_at=now)
