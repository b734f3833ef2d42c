"""The door: who may make an account by themselves, and invitations for those who may not."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy

from accounts import signals
from accounts.models import Door, Invitation, User
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
            raise ValidationError({"role": OTHER_ROLE.format(role=invitation.role)})
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
    now = clock.now()
    lasts = timedelta(days=settings.INVITATION_DAYS)
    invitation = Invitation(email=email, role=role, invited_by=by, created_at=now, expires_at=now + lasts)
    invitation.full_clean(exclude=["invited_by"])
    if User.objects.filter(email=invitation.email).exists():
        raise Conflict(HAS_ACCOUNT)
    with transaction.atomic():
        invitation.save(force_insert=True)
        answers = signals.invitation_made.send(Invitation, invitation=invitation)
        if not any(taken for _, taken in answers):
            raise Conflict(NO_CHANNEL)
    return invitation
