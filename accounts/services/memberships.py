"""Who works at a shop, from when until when."""

from accounts.models import Membership, Shop, User
from config import clock


def membership_begin(*, shop: Shop, user: User, manages: bool = False) -> Membership:
    """Have somebody work at a shop from now on; whoever works there does so still, and may manage it now."""
    membership, is_new = Membership.objects.get_or_create(
        shop=shop, user=user, left_at=None, defaults={"joined_at": clock.now(), "manages": manages}
    )
    if manages and not is_new:
        membership_set_manager(membership=membership, manages=True)
    return membership


def membership_end(*, membership: Membership) -> bool:
    """Note that somebody no longer works at a shop; returns False if that was so before."""
    working = Membership.objects.filter(pk=membership.pk, left_at=None)
    return bool(working.update(left_at=clock.now()))


def membership_set_manager(*, membership: Membership, manages: bool) -> None:
    """Let somebody manage the shop where they work, or no longer."""
    membership.manages = manages
    membership.save(update_fields=["manages"])
