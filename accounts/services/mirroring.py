"""Accounts of people whom another service registered, as its events tell of them: no password, no rights."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy

from accounts.models import Role, User
from accounts.names import cleaned
from accounts.ranks import has_rights
from config.rest.exceptions import Conflict

FIELDS: Final = ("email", "first_name", "last_name", "role", "language")
_NAMES: Final = frozenset(field.name for field in User._meta.fields)
_LANGUAGES: Final = frozenset(code for code, _ in settings.LANGUAGES)

NAME_MAX: Final = 150

EMAIL_TAKEN: Final = gettext_lazy("Another account has this email address.")
NOT_A_MIRROR: Final = gettext_lazy(
    "This account was not made by messages from this source: change or delete it here."
)
TAKEN_OVER: Final = gettext_lazy("This person has set a password here, so the account is theirs.")
HAS_RIGHTS: Final = gettext_lazy(
    "Administrators, and people with permissions, can only be changed or deleted here, not by a message."
)


def mirror_of(*, user_id: UUID, details: Mapping[str, Any], source: str) -> User:
    """Return the account that such an event describes, checked and not stored.

    ``source`` is the queue that it came from, whatever the message says of itself: no other changes it later.

    Nobody becomes an administrator by a message: whom another service calls one has no role here.

    Raises:
        ValidationError: a value is not acceptable, by field.
    """
    given = _given(details)
    user = User(pk=user_id, mirrored_from=source, **given)
    # As Django makes one that nothing matches, at a fraction of the cost.
    user.password = UNUSABLE_PASSWORD_PREFIX + secrets.token_urlsafe(30)
    # What is not given is the model's own default, or an email that is missing.
    user.clean_fields(exclude=_NAMES - set(given) - {"email"})
    user.clean()
    return user


def mirrors_store(*, users: Sequence[User]) -> None:
    """Store accounts of one source's events, as they are; one of its own that is there already is left alone.

    Sends no signals: the event that tells of them is stored by the caller.

    Raises:
        Conflict: an address is that of somebody else, or an id that of an account that is not the source's.
    """
    User.objects.bulk_create(users, ignore_conflicts=True)
    ids = {user.pk for user in users}
    there = User.objects.filter(pk__in=ids)
    mirrors = there.filter(
        is_staff=False,
        is_superuser=False,
        mirrored_from__in={user.mirrored_from for user in users},
        password__startswith=UNUSABLE_PASSWORD_PREFIX,
    )
    if mirrors.count() != len(ids):
        raise Conflict(EMAIL_TAKEN if there.count() != len(ids) else NOT_A_MIRROR)


def mirror_update(*, user_id: UUID, details: Mapping[str, Any], source: str) -> bool:
    """Change somebody's details as another service's event has them; False where there is nobody of this id.

    Raises:
        ValidationError: a value is not acceptable, by field.
        Conflict: the address is that of somebody else, or the account is not theirs to change.
    """
    user = _mirror(user_id, source)
    if user is None:
        return False
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


def mirror_delete(*, user_id: UUID, source: str) -> bool:
    """Delete somebody's account, with all that is theirs; False where there is nobody of this id.

    Raises:
        Conflict: the account is not theirs to delete.
    """
    user = _mirror(user_id, source)
    if user is None:
        return False
    user.delete()
    return True


def _mirror(user_id: UUID, source: str) -> User | None:
    """Return an account, locked, that a source may change; None where there is nobody of this id.

    Raises:
        Conflict: it is somebody's own, or another source's, or has rights.
    """
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return None
    if has_rights(user):
        raise Conflict(HAS_RIGHTS)
    if user.mirrored_from != source:
        raise Conflict(NOT_A_MIRROR)
    if user.has_usable_password():
        raise Conflict(TAKEN_OVER)
    return user


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
