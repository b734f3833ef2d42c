"""Ranks of people, and the one rule of acting on others: nobody takes over an account with more rights."""

from enum import IntEnum
from typing import Any, Final

from django.db.models import Q, QuerySet

from accounts.models import Role, User

OUTRANKED: Final = "Only a superuser can do this to somebody who is on the staff or has permissions."


class Rank(IntEnum):
    """What somebody is, by their account; each rank may do what those before it may."""

    ANYONE = 0
    PERSON = 1
    STAFF = 2
    ADMIN = 3
    SUPERUSER = 4


def rank_of(principal: Any) -> Rank:
    """Return the rank of whoever is logged in; machines have none, but the scopes of their key."""
    if not isinstance(principal, User) or not principal.is_active:
        return Rank.ANYONE
    if not principal.is_staff:
        return Rank.PERSON
    if principal.is_superuser:
        return Rank.SUPERUSER
    return Rank.ADMIN if principal.role == Role.ADMIN else Rank.STAFF


#: People with neither a rank nor a permission.
ORDINARY: Final = Q(is_staff=False, is_superuser=False, user_permissions=None, groups=None)


def has_rights(user: User) -> bool:
    """Whether somebody has a rank or a permission."""
    return not User.objects.filter(ORDINARY, pk=user.pk).exists()


def people_below(by: User) -> QuerySet[User]:
    """Whose account somebody may change, and so become: ordinary people's and their own; a superuser all."""
    if rank_of(by) is Rank.SUPERUSER:
        return User.objects.all()
    return User.objects.filter(ORDINARY | Q(pk=by.pk)).distinct()


def may_act_on(by: User, user: User) -> bool:
    """Whether somebody may change another's account, log-in and contact points."""
    return by.pk == user.pk or rank_of(by) is Rank.SUPERUSER or not has_rights(user)
