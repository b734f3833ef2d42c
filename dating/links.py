"""Addresses in messages and calendars: signed, so that they work without logging in, but for pages."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from dating.models import Event, Registration

_JOIN: Final = "dating.join"
_INVITATION: Final = "dating.invitation"
_CALENDAR: Final = "dating.calendar"


def join_url(round_id: UUID, registration_id: UUID, version: int = 0) -> str:
    """Return where a person enters their call of that round; ``version`` is that of their links now."""
    return f"{settings.PUBLIC_URL}/dating/join/{join_token(round_id, registration_id, version)}/"


def join_token(round_id: UUID, registration_id: UUID, version: int = 0) -> str:
    value = f"{round_id.hex}{registration_id.hex}"
    # Links of the first version say none.
    suffix = f"-{version}" if version else ""
    signature = salted_hmac(_JOIN, f"{value}{suffix}", algorithm="sha256").hexdigest()[:32]
    return f"{value}{signature}{suffix}"


def join_of(token: str) -> tuple[UUID, UUID] | None:
    """Return the round and the registration that a token is for, or None if it is none of ours."""
    try:
        round_id, registration_id = UUID(hex=token[:32]), UUID(hex=token[32:64])
    except ValueError:
        return None
    if not constant_time_compare(token, join_token(round_id, registration_id, version_of(token))):
        return None
    return round_id, registration_id


def version_of(token: str) -> int:
    """Return of which version of the person's links a token says that it is."""
    version = token.partition("-")[2]
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def page_url(event: Event) -> str:
    return f"{_base()}/dating/{event.pk}/"


def invitation_url(registration: Registration) -> str:
    """Return where somebody's invitation is, as it is when they look, without logging in."""
    return f"{_base()}/dating/invitations/{_token(_INVITATION, registration.pk, registration.user)}.ics"


def calendar_url(user: User) -> str:
    """Return where somebody's calendar is, for a program that can't log in."""
    return f"{_base()}/dating/calendars/{_token(_CALENDAR, user.pk, user)}.ics"


def invited(token: str) -> Registration | None:
    """Return whose invitation a link leads to; None where they are locked out, or have renewed it."""
    meant = _meant(_INVITATION, token)
    if meant is None:
        return None
    theirs = Registration.objects.filter(pk=meant[0], user__is_active=True, user__links_version=meant[1])
    return theirs.select_related("event", "user").first()


def subscriber(token: str) -> User | None:
    """Return whose calendar a link leads to; None as above."""
    meant = _meant(_CALENDAR, token)
    if meant is None:
        return None
    return User.objects.filter(pk=meant[0], is_active=True, links_version=meant[1]).first()


# No end but by renewing them, since calendars keep them for years.
def _token(purpose: str, key: UUID, user: User) -> str:
    # Links of the first version say none.
    version = f"-{user.links_version}" if user.links_version else ""
    return signing.Signer(salt=purpose).sign(f"{key.hex}{version}")


def _meant(purpose: str, token: str) -> tuple[UUID, int] | None:
    """Return what a link is of, and of which version of the person's links it is."""
    try:
        key, _, version = signing.Signer(salt=purpose).unsign(token).partition("-")
        return UUID(key), int(version or 0)
    except (signing.BadSignature, ValueError):
        return None


def _base() -> str:
    return str(settings.PUBLIC_URL).rstrip("/")
