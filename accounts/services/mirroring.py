"""Accounts of people whom another service registered, as its events tell of them: no password, no rights."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import Role, User
from accounts.names import cleaned
from config.exceptions import Conflict

FIELDS: Final = ("email", "first_name", "last_name", "role", "language")
_NAMES: Final = frozenset(field.name for field in User._meta.fields)
_LANGUAGES: Final = frozenset(code for code, _ in settings.LANGUAGES)

NAME_MAX: Final = 150

EMAIL_TAKEN: Final = "Another account has this email address."
STAFF: Final = "An administrator is changed and deleted here, not by a message."


def mirror_of(*, user_id: UUID, details: Mapping[str, Any]) -> User:
    """Return the account that such an event describes, checked and not stored.

    Nobody becomes an administrator by a message: whom another service calls one has no role here.

    Raises:
        ValidationError: a value is not acceptable, by field.
    """
    given = _given(details)
    user = User(pk=user_id, **given)
    # As Django makes one that nothing matches, at a fraction of the cost.
    user.password = UNUSABLE_PASSWORD_PREFIX + secrets.token_urlsafe(30)
    # What is not given is the model's own default, or an email that is missing.
    user.clean_fields(exclude=_NAMES - set(given) - {"email"})
    user.clean()
    return user


def mirrors_store(*, users: Sequence[User]) -> None:
    """Store accounts of others' events, as they are; one whose id is there already is left alone.

    Sends no signals: the event that tells of them is stored by the caller.

    Raises:
        Conflict: an address is that of somebody else.
    """
    User.objects.bulk_create(users, ignore_conflicts=True)
    ids = {user.pk for user in users}
    if User.objects.filter(pk__in=ids).count() != len(ids):
        raise Conflict(EMAIL_TAKEN)


def mirror_update(*, user_id: UUID, details: Mapping[str, Any]) -> bool:
    """Change somebody's details as another service's event has them; False where there is nobody of this id.

    Raises:
        ValidationError: a value is not acceptable, by field.
        Conflict: the address is that of somebody else, or the account is not theirs to change.
    """
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return False
    if user.is_staff:
        raise Conflict(STAFF)
    changes = _given(details)
    for name, value in changes.items():
        setattr(user, name, value)
    user.clean_fields(exclude=_NAMES - set(changes))
    user.clean()
    try:
        with transaction.atomic():
            user.save(update_fields=list(changes))
    except IntegrityError:
        raise Conflict(EMAIL_TAKEN)
    return True


def mirror_delete(*, user_id: UUID) -> bool:
    """Delete somebody's account, with all that is theirs; False where there is nobody of this id.

    Raises:
        Conflict: the account is not theirs to delete.
    """
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return False
    if user.is_staff:
        raise Conflict(STAFF)
    user.delete()
    return True


def _given(details: Mapping[str, Any]) -> dict[str, str]:
    """Return those of the details that are ours to take over.

    Raises:
        ValidationError: one is no text.
    """
    given = {name: details[name] for name in FIELDS if details.get(name) is not None}
    if faults := {name: ["Expected text."] for name, value in given.items() if not isinstance(value, str)}:
        raise ValidationError(faults)
    for name in {"first_name", "last_name"} & given.keys():
        # Not refused, for the rest of their message.
        given[name] = cleaned(given[name], NAME_MAX)
    if given.get("language", "") not in _LANGUAGES:
        given.pop("language", None)
    if given.get("role") == Role.ADMIN:
        del given["role"]
    return given
