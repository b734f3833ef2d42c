"""Who there is, for those who may see it."""

from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Invitation, Membership, Role, Shop, User


def shops_visible_to(principal: Any) -> QuerySet[Shop]:
    """All shops for staff and machines, or those where a person works now."""
    if not isinstance(principal, User) or principal.is_staff:
        return Shop.objects.all()
    return Shop.objects.filter(pk__in=principal.memberships.filter(left_at=None).values("shop"))


def shops_managed_by(person: User) -> QuerySet[Shop]:
    """All shops for staff, or those whose people a person invites and removes."""
    if person.is_staff:
        return Shop.objects.all()
    return Shop.objects.filter(pk__in=person.memberships.filter(left_at=None, manages=True).values("shop"))


def members_of(shop: Shop) -> QuerySet[Membership]:
    """Return who works at a shop now, with the people."""
    working = shop.memberships.filter(left_at=None).select_related("user")
    return working.order_by("user__last_name", "user__first_name", "user__email")


def invitations_to(shop: Shop) -> QuerySet[Invitation]:
    """Return the invitations to a shop that nobody has taken up, expired ones too, the newest first."""
    return shop.invitations.filter(used_at=None).select_related("invited_by").order_by("-pk")


def administrators() -> QuerySet[User]:
    """Return whoever looks after the installation: staff who are administrators or superusers."""
    return User.objects.filter(Q(role=Role.ADMIN) | Q(is_superuser=True), is_staff=True)


def users_found(users: QuerySet[User], text: str) -> QuerySet[User]:
    """Those whose email or names have each of these words in them."""
    for word in text.split():
        users = users.filter(
            Q(email__icontains=word) | Q(first_name__icontains=word) | Q(last_name__icontains=word)
        )
    return users
