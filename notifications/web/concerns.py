"""What concerns whom: so that pages show nobody the parts of the product that are none of theirs."""

from collections.abc import Callable
from typing import Final

from accounts.models import Role, User

Asked = Callable[[User], bool]

STUDIES: Final = (Role.STUDENT.value, Role.ENCADRANT.value)


def works_at_a_shop(user: User) -> bool:
    return user.memberships.filter(left_at=None).exists()


def takes_part_in_studies(user: User) -> bool:
    return user.role in STUDIES


# By the first word of the kinds that tell of it. What is not here concerns whoever has been told of it.
_ASKED: Final[dict[str, Asked]] = {
    "alert": works_at_a_shop,
    "stage": takes_part_in_studies,
    "evaluation": takes_part_in_studies,
    "grade": takes_part_in_studies,
    "offer": takes_part_in_studies,
    "student": lambda user: user.role == Role.STUDENT,
    "encadrant": lambda user: user.role == Role.ENCADRANT,
}


def register(domain: str, *, concerns: Asked) -> None:
    """Say whom a domain concerns: for other apps, from their ``AppConfig.ready``."""
    _ASKED[domain] = concerns


def does_concern(domain: str, user: User) -> bool:
    asked = _ASKED.get(domain)
    return asked is not None and asked(user)
