"""What a user is besides a user."""

from accounts.models import Encadrant, Role, Student, User


def profile_ensure(*, user: User) -> Student | Encadrant | None:
    """Return the profile that goes with a user's role, made if it is not there; None for other roles.

    The profile of a former role stays, so that taking the role up again loses nothing.
    """
    match user.role:
        case Role.STUDENT:
            return Student.objects.get_or_create(user=user)[0]
        case Role.ENCADRANT:
            return Encadrant.objects.get_or_create(user=user)[0]
        case _:
            return None
