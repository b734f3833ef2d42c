"""What a user is besides a user."""

from uuid import UUID

import structlog
from django.db.models import Q

from accounts.models import Encadrant, Role, Student, User

log = structlog.get_logger(__name__)


def profile_ensure(*, user: User) -> Student | Encadrant | None:
    """Return the profile that a user's role asks for, made if missing. That of a former role stays."""
    match user.role:
        case Role.STUDENT:
            return Student.objects.get_or_create(user=user)[0]
        case Role.ENCADRANT:
            return Encadrant.objects.get_or_create(user=user)[0]
        case _:
            return None


def profile_adopt(*, kind: type[Student] | type[Encadrant], user: User, external_id: UUID) -> bool:
    """Have a profile known by the id that another service gave it; made under that id if it is not there.

    An id that is somebody else's stays theirs.

    Returns:
        Whether the profile is the one of that id, and not one that was made here besides.
    """
    owners = kind.objects.filter(Q(pk=external_id) | Q(external_id=external_id)).exclude(user=user)
    if owners.exists():
        log.warning("profile_id_taken", kind=kind.__name__, user=str(user.pk))
        return True
    profile, _ = kind.objects.get_or_create(user=user, defaults={"pk": external_id})
    if profile.pk == external_id:
        return True
    kind.objects.filter(pk=profile.pk).update(external_id=external_id)
    return False
