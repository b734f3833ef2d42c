"""Somebody makes an account."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy

from accounts import signals
from accounts.models import Role, User
from accounts.ranks import Rank, rank_of
from accounts.services.invitations import admitted, invitation_use, shop_join
from config import clock
from config.rest.exceptions import Conflict

T = TypeVar("T")

ADMIN_ONLY: Final = gettext_lazy("Only an administrator can register an administrator.")
TAKEN: Final = gettext_lazy(
    "We can't register this account. If you already have one, log in or reset your password."
)
# What must be the same for a registration to be the same one again, beside email and password.
SAME: Final = ("first_name", "last_name", "role")


class AdminOnly(PermissionDenied):
    """Who registers is not of a rank to give that role."""


def user_register(*, password: str, by: User | None = None, **fields: str) -> User:
    """Make an account, or return the one that this very registration has made before.

    ``by`` is who asks, if anybody is logged in; ``fields`` are email, first_name, last_name and role, and may
    be language, time_zone, phone and invitation.

    Raises:
        NotAdmitted: they may not register here.
        AdminOnly: the role is admin, and ``by`` is no administrator.
        ValidationError: a value is not acceptable, by field.
        Conflict: there is an account with this address, made with other details.
    """
    return user_register_and(lambda user: user, password=password, by=by, **fields)[0]


def user_register_and(
    issue: Callable[[User], T], *, password: str, by: User | None = None, invitation: str = "", **fields: str
) -> tuple[T, bool]:
    """Do the same, and return what ``issue`` makes for the user, in the transaction that stores them.

    The second value is False where the account was there already. The password is hashed once either
    way, which is nearly all of the time that this takes.

    Raises:
        NotAdmitted: they may not register here, and have no ``invitation`` (the token of a mailed link).
    """
    if fields["role"] == Role.ADMIN and rank_of(by) < Rank.ADMIN:
        raise AdminOnly(ADMIN_ONLY)
    user = User(**fields)
    _clean(user, password)
    invited = admitted(email=user.email, role=user.role, token=invitation, by=by)
    existing = User.objects.filter(email=user.email).first()
    if existing is None:
        user.password = make_password(password)
        try:
            with transaction.atomic():
                if invited is not None:
                    invitation_use(invited)
                    # They have read what was mailed there.
                    user.email_verified_at = clock.now()
                user.save(force_insert=True)
                if invited is not None and invited.shop is not None:
                    shop_join(invited, user)
                return issue(user), True
        except IntegrityError:
            # Another registration of this address may have come first by a blink.
            existing = User.objects.filter(email=user.email).first()
            if existing is None:
                raise
    return issue(_recognised(existing, user, password)), False


def _clean(user: User, password: str) -> None:
    errors: dict[str, Any] = {}
    try:
        # Nothing here asks the database: its own constraints hold.
        user.clean_fields(exclude=["password"])
        user.clean()
    except ValidationError as error:
        errors = error.update_error_dict(errors)
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors["password"] = error.error_list
    if errors:
        raise ValidationError(errors)


def _recognised(existing: User, given: User, password: str) -> User:
    """Return the account if whoever asks has shown that it is theirs.

    Raises:
        Conflict: they have not; the account's owner is told.
    """
    theirs = existing.check_password(password) and existing.is_active
    if theirs and all(getattr(existing, name) == getattr(given, name) for name in SAME):
        return existing
    with transaction.atomic():
        signals.registration_repeated.send(User, user=existing)
    raise Conflict(TAKEN)
