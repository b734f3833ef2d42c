"""The door: who may make an account by themselves, and invitations for those who may not."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy

from accounts import signals
from accounts.models import Door, Invitation, Membership, User
from accounts.services.memberships import membership_begin
from accounts.verification import id_of_token
from config import clock
from config.rest.exceptions import Conflict

CLOSED: Final = gettext_lazy("Registration is closed. Ask the people who run this service for an account.")
INVITED_ONLY: Final = gettext_lazy(
    "You need an invitation to register. Ask the people who run this service for one."
)
DEAD: Final = gettext_lazy(
    "This invitation was used, has expired, or is for another address. Ask for a new one."
)
WRONG_DOMAIN: Final = gettext_lazy(
    "To register, you need an invitation or an address at one of these domains: {domains}."
)
OTHER_ROLE: Final = gettext_lazy("This invitation is for another role: {role}.")
SHOP_ONLY: Final = gettext_lazy("This invitation is to a shop, and goes with no role: register by its link.")
NO_CHANNEL: Final = gettext_lazy("No channel for email is set up.")
HAS_ACCOUNT: Final = gettext_lazy("There is already an account with this address.")


class NotAdmitted(PermissionDenied):
    """Whoever registers may not; says why, and at which field."""

    def __init__(self, reason: str, field: str = "detail") -> None:
        super().__init__(reason)
        self.field = field


def anybody_may_register() -> bool:
    """Whether somebody can register without being invited."""
    return settings.REGISTRATION in (Door.OPEN, Door.DOMAINS)


def invitation_of(token: str) -> Invitation | None:
    """Return the invitation of a mailed link, if it is good still."""
    pk = id_of_token(token)
    return Invitation.objects.filter(pk=pk, used_at=None, expires_at__gt=clock.now()).first() if pk else None


def admitted(*, email: str, role: str, token: str, by: User | None) -> Invitation | None:
    """Let somebody in who wants to register; returns the invitation that they have, used or not.

    The staff register whom they like. Nothing here depends on whether there is an account.

    Raises:
        NotAdmitted: they may not.
        ValidationError: their invitation is for another role.
    """
    if by is not None and by.is_active and by.is_staff:
        return None
    door = settings.REGISTRATION
    if door == Door.CLOSED:
        raise NotAdmitted(str(CLOSED))
    if token:
        pk = id_of_token(token)
        invitation = Invitation.objects.filter(pk=pk, expires_at__gt=clock.now()).first() if pk else None
        if invitation is None or invitation.email != email:
            raise NotAdmitted(str(DEAD), "invitation")
        if invitation.role != role:
            said = OTHER_ROLE.format(role=invitation.role) if invitation.role else SHOP_ONLY
            raise ValidationError({"role": said})
        return invitation
    if door == Door.INVITATION:
        raise NotAdmitted(str(INVITED_ONLY))
    if door == Door.DOMAINS and email.rpartition("@")[2] not in settings.REGISTRATION_DOMAINS:
        domains = ", ".join(settings.REGISTRATION_DOMAINS)
        raise NotAdmitted(str(WRONG_DOMAIN).format(domains=domains), "email")
    return None


def invitation_use(invitation: Invitation) -> None:
    """Note that an account is made by it; part of the transaction that makes it.

    Raises:
        NotAdmitted: one was made by it before.
    """
    unused = Invitation.objects.filter(pk=invitation.pk, used_at=None)
    if not unused.update(used_at=clock.now()):
        raise NotAdmitted(str(DEAD), "invitation")


def invitation_make(*, email: str, role: str, by: User) -> Invitation:
    """Have somebody invited by mail. Inviting them again sends another link; both are good.

    Raises:
        ValidationError: a value is not acceptable, by field.
        Conflict: they have an account, or no mail can be sent.
    """
    invitation = Invitation(email=email, role=role, invited_by=by, expires_at=good_until())
    invitation.full_clean(exclude=["invited_by"])
    if User.objects.filter(email=invitation.email).exists():
        raise Conflict(HAS_ACCOUNT)
    with transaction.atomic():
        invitation.save(force_insert=True)
        invitations_send([invitation])
    return invitation


def invitations_send(invitations: list[Invitation]) -> None:
    """Have the links of invitations mailed; part of the transaction that stores these.

    Raises:
        Conflict: no mail can be sent.
    """
    answers = signals.invitations_made.send(Invitation, invitations=invitations)
    if invitations and not any(taken for _, taken in answers):
        raise Conflict(NO_CHANNEL)


def invitation_send_again(*, invitation: Invitation) -> None:
    """Mail the same link once more, and let it be good for as long as a new one.

    Raises:
        Conflict: it was used meanwhile, or no mail can be sent.
    """
    with transaction.atomic():
        open_ = Invitation.objects.select_for_update().filter(pk=invitation.pk, used_at=None).first()
        if open_ is None:
            raise Conflict(DEAD)
        open_.expires_at = good_until()
        open_.save(update_fields=["expires_at"])
        invitations_send([open_])


def invitation_take(*, invitation: Invitation, user: User) -> Membership:
    """Let somebody who has an account come to the shop that they are invited to.

    Raises:
        Conflict: the invitation is not theirs, to no shop, or was used before.
    """
    if invitation.email != user.email or invitation.shop is None:
        raise Conflict(DEAD)
    with transaction.atomic():
        try:
            invitation_use(invitation)
        except NotAdmitted as error:
            raise Conflict(str(error)) from error
        _email_verify(user)
        return shop_join(invitation, user)


def _email_verify(user: User) -> None:
    """Note that somebody has read what was mailed to the address of their account."""
    now = clock.now()
    unverified = User.objects.filter(pk=user.pk, email=user.email, email_verified_at=None)
    if unverified.update(email_verified_at=now):
        user.email_verified_at = now
        signals.address_verified.send(User, user=user, field="email", address=user.email, now=now)


def shop_join(invitation: Invitation, user: User) -> Membership:
    """Have somebody work at the shop of an invitation; part of the transaction that uses it."""
    assert invitation.shop is not None
    membership = membership_begin(shop=invitation.shop, user=user, manages=invitation.manages)
    signals.invitation_taken.send(Invitation, user=user)
    return membership


def good_until() -> datetime:
    """Return until when an invitation is good that is sent now."""
    return clock.now() + timedelta(days=settings.INVITATION_DAYS)
