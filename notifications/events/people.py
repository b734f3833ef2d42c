"""The payloads of events about people, as docs/events.md has them."""

from datetime import UTC
from typing import Any, Final

from accounts.models import Encadrant, Student, User

USER_CREATED: Final = "auth.user.created"
USER_UPDATED: Final = "auth.user.updated"
USER_DELETED: Final = "auth.user.deleted"
STUDENT_CREATED: Final = "student.created"
STUDENT_UPDATED: Final = "student.updated"
ENCADRANT_CREATED: Final = "encadrant.created"
ENCADRANT_UPDATED: Final = "encadrant.updated"


def user_payload(user: User) -> dict[str, Any]:
    return {
        "user_id": str(user.pk),
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": user.role,
        "language": user.language,
    }


def created_user_payload(user: User) -> dict[str, Any]:
    created_at = user.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {**user_payload(user), "created_at": created_at}


def student_payload(student: Student) -> dict[str, Any]:
    user = student.user
    return {
        "student_id": str(student.pk),
        "user_id": str(user.pk),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
    }


def encadrant_payload(encadrant: Encadrant) -> dict[str, Any]:
    user = encadrant.user
    return {
        "encadrant_id": str(encadrant.pk),
        "user_id": str(user.pk),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "specialization": encadrant.specialization,
    }
