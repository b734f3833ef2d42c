"""What accounts keep of a person, as they are given it (accounts.personal_data)."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import F, Model
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import ApiKey, Encadrant, EndedLogIn, Invitation, Membership, Student, User, Verification
from accounts.personal_data import Row, Section, paged


def account(user: User) -> Iterator[Row]:
    names = [field.attname for field in User._meta.concrete_fields if field.name != "password"]
    row = User.objects.filter(pk=user.pk).values(*names).get()
    permissions = sorted(user.user_permissions.values_list("codename", flat=True))
    groups = sorted(user.groups.values_list("name", flat=True))
    yield row | {"has_password": user.has_usable_password(), "permissions": permissions, "groups": groups}


def invitations(user: User) -> Iterator[Row]:
    """Those by which they came, and those that they made for others, whose address is not theirs to have."""
    fields = ("id", "role", "manages", "created_at", "expires_at", "used_at")
    to = F("shop__name")
    yield from paged(Invitation.objects.filter(email=user.email), *fields, "email", shop_name=to)
    theirs = Invitation.objects.filter(invited_by=user).exclude(email=user.email)
    yield from paged(theirs, *fields, shop_name=to)


def profiles(user: User) -> Iterator[Row]:
    yield from paged(Student.objects.filter(user=user), "id", "external_id", "created_at")
    yield from paged(Encadrant.objects.filter(user=user), "id", "external_id", "specialization", "created_at")


def verifications(user: User) -> Iterator[Row]:
    """No ids: codes and links are made of them."""
    theirs = Verification.objects.filter(user=user)
    return paged(theirs, "purpose", "address", "created_at", "expires_at", "used_at", "failures")


def memberships(user: User) -> Iterator[Row]:
    theirs = Membership.objects.filter(user=user)
    return paged(theirs, "joined_at", "left_at", "manages", shop_name=F("shop__name"))


def sessions(user: User) -> Iterator[Row]:
    """Ids are hashed: whoever has one is logged in."""
    for row in Session.objects.iterator(chunk_size=1000):
        if row.get_decoded().get(SESSION_KEY) == str(user.pk):
            yield {"session": _hash(row.session_key), "expires_at": row.expire_date}


def tokens(user: User) -> Iterator[Row]:
    theirs = OutstandingToken.objects.filter(user=user)
    for row in paged(
        theirs, "jti", "created_at", "expires_at", ended_at=F("blacklistedtoken__blacklisted_at")
    ):
        yield row | {"jti": _hash(row["jti"])}


def api_keys(user: User) -> Iterator[Row]:
    """Those that they made in the admin, without anything that opens them."""
    of_keys = ContentType.objects.get_for_model(ApiKey)
    made = LogEntry.objects.filter(user=user, content_type=of_keys, action_flag=ADDITION)
    keys = ApiKey.objects.filter(pk__in=list(made.values_list("object_id", flat=True)))
    return paged(keys, "name", "hint", "scopes", "created_at", "expires_at", "revoked_at")


def admin_log(user: User) -> Iterator[Row]:
    """What they did there, and what was done there to their account; nobody else's words or name."""
    fields = ("action_time", "action_flag", "object_id")
    for row in paged(LogEntry.objects.filter(user=user), *fields, what=F("content_type__model")):
        yield row | {"by_themselves": True}
    about = LogEntry.objects.filter(object_id=str(user.pk)).exclude(user=user)
    for row in paged(about, *fields, what=F("content_type__model")):
        yield row | {"by_themselves": False}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


SECTIONS: Final = (
    Section("account", [User, User.groups.through, User.user_permissions.through], account),
    Section("profiles", [Student, Encadrant], profiles),
    Section("invitations", [Invitation], invitations),
    Section("verifications", [Verification], verifications),
    Section("memberships", [Membership], memberships),
    Section("sessions", [Session], sessions),
    Section("tokens", [OutstandingToken, BlacklistedToken], tokens),
    Section("api_keys", [ApiKey], api_keys),
    Section("admin_log", [LogEntry], admin_log),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {
    EndedLogIn: "Ids of log-ins that are over, and nothing about anybody."
}
