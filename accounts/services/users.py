"""Accounts are changed and deleted."""

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy

from accounts.models import Role, User
from accounts.ranks import OUTRANKED, Rank, may_act_on, rank_of
from config.rest.exceptions import Conflict

EMAIL_TAKEN: Final = gettext_lazy("This email address can't be used.")
NOT_YOURSELF: Final = gettext_lazy("You can't deactivate, demote or delete yourself here.")
NOT_AN_ADMIN: Final = gettext_lazy("Only an administrator can change or delete somebody's account.")


def user_update(*, user: User, **changes: Any) -> User:
    """Change some of somebody's own details.

    Raises:
        ValidationError: a value is not acceptable, by field.
        Conflict: the email is that of another account.
    """
    for field, value in changes.items():
        setattr(user, field, value)
    # The database's own constraints hold for the rest.
    user.clean_fields(exclude={field.name for field in user._meta.fields} - set(changes))
    user.clean()
    try:
        # Nothing but what changes is written: somebody else may be changing the rest.
        with transaction.atomic():
            if user.changes():
                user.save(update_fields=[*changes, "is_staff"] if "role" in changes else [*changes])
    except IntegrityError:
        raise Conflict(EMAIL_TAKEN)
    return user


def user_administer(*, user: User, by: User, **changes: Any) -> User:
    """Change somebody's role, whether they are active, or their details; for administrators.

    Becoming an administrator makes one staff; ceasing to be one ends that.

    Raises:
        PermissionDenied: it is not for ``by`` to do, or would lock them out.
        ValidationError: a value is not acceptable, by field.
    """
    _may_administer(user, by)
    was_admin = user.role == Role.ADMIN
    role = changes.get("role", user.role)
    if user.pk == by.pk and (not changes.get("is_active", True) or (was_admin and role != Role.ADMIN)):
        raise PermissionDenied(NOT_YOURSELF)
    if was_admin and role != Role.ADMIN and not user.is_superuser:
        user.is_staff = False
    return user_update(user=user, **changes)


def user_remove(*, user: User, by: User) -> None:
    """Delete somebody's account, with all that is theirs; for administrators.

    Raises:
        PermissionDenied: it is not for ``by`` to do, or would lock them out.
    """
    _may_administer(user, by)
    if user.pk == by.pk:
        raise PermissionDenied(NOT_YOURSELF)
    user_delete(user=user)


def user_delete(*, user: User) -> None:
    """Delete an account, with all that is theirs."""
    with transaction.atomic():
        user.delete()


def links_renew(*, user: User) -> None:
    """End every link that works without logging in and was given out to somebody, to calendars and calls."""
    User.objects.filter(pk=user.pk).update(links_version=F("links_version") + 1)
    user.refresh_from_db(fields=["links_version"])


def _may_administer(user: User, by: User) -> None:
    if rank_of(by) < Rank.ADMIN:
        raise PermissionDenied(NOT_AN_ADMIN)
    if not may_act_on(by, user):
        raise PermissionDenied(OUTRANKED)
