"""What a person did in tracing, as staff (accounts.personal_data).

Devices are no account's: by nothing here does the number that a phone has lead to a person.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import Model

from accounts.models import User
from accounts.personal_data import Row, Section, paged
from tracing.models import CaseReading, StatusMark


def status_marks(user: User) -> Iterator[Row]:
    """When they marked a device; which, and as what, is about its owner."""
    return paged(StatusMark.objects.filter(user=user), "marked_at")


def case_readings(user: User) -> Iterator[Row]:
    return paged(CaseReading.objects.filter(user=user), "what", "read_at")


SECTIONS: Final = (
    Section("status_marks", [StatusMark], status_marks),
    Section("case_readings", [CaseReading], case_readings),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {}
