"""Escalations that a person was told of, and their turns on call (accounts.personal_data)."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import F, Model

from accounts.models import User
from accounts.personal_data import Row, Section, paged
from escalation.models import EscalationProcess, HangUp, PolicyVersion, RotationMember, RotationOverride
from escalation.selectors import processes_telling

_PROCESS: Final = (
    "id", "process_id", "state", "started_at", "ended_at", "acknowledged_at", "ended_by", "ended_via",
)  # fmt: skip


def escalations(user: User) -> Iterator[Row]:
    """Who ended one is said where it was they."""
    fields = (
        "id",
        "process_id",
        "state",
        "started_at",
        "ended_at",
        "acknowledged_at",
        "ended_by",
        "ended_via",
    )
    own = {user.email, user.phone, f"{user.first_name} {user.last_name}".strip()}
    for row in paged(processes_telling(user.pk), *fields):
        yield row | {"ended_by": row["ended_by"] if row["ended_by"] in own else ""}


def rotations(user: User) -> Iterator[Row]:
    return paged(RotationMember.objects.filter(user=user), "position", name=F("rotation__name"))


def rotation_overrides(user: User) -> Iterator[Row]:
    theirs = RotationOverride.objects.filter(user=user)
    return paged(theirs, "starts_at", "ends_at", "created_at", name=F("rotation__name"))


def policies(user: User) -> Iterator[Row]:
    """Versions that they wrote, as staff."""
    theirs = PolicyVersion.objects.filter(created_by=user)
    return paged(theirs, "number", "created_at", name=F("policy__name"))


SECTIONS: Final = (
    Section("escalations", [EscalationProcess], escalations),
    Section("rotations", [RotationMember], rotations),
    Section("rotation_overrides", [RotationOverride], rotation_overrides),
    Section("policies", [PolicyVersion], policies),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {
    HangUp: "The product's own work on a call, there for seconds.",
}
