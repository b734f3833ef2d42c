"""Escalations that a person was told of, and their turns on call (accounts.personal_data)."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import F, Model, Q

from accounts.models import User
from accounts.personal_data import Row, Section, paged
from escalation.groups.selectors import groups_telling
from escalation.models import (
    AlertGroup,
    AlertOccurrence,
    CalendarSpell,
    CoverRequest,
    Drill,
    DrillAnswer,
    Entry,
    EscalationProcess,
    GroupedAlert,
    HangUp,
    Heartbeat,
    HeartbeatPing,
    HeartbeatWatch,
    Hole,
    LayerCalendar,
    LayerMember,
    PingKey,
    PolicyVersion,
    RoundRobin,
    ScheduleOverride,
    Silence,
)
from escalation.selectors import processes_telling

_PROCESS: Final = (
    "id", "process_id", "state", "started_at", "ended_at", "acknowledged_at", "ended_by", "ended_via",
    "last_resort_at",
)  # fmt: skip
_GROUP: Final = (
    "id", "title", "state", "opened_at", "acknowledged_at", "resolved_at", "ended_by", "ended_via",
)  # fmt: skip


_COVER: Final = (
    "starts_at", "ends_at", "return_starts_at", "return_ends_at", "note", "state", "created_at",
    "answered_at",
)  # fmt: skip


def _ended(user: User, rows: Iterator[Row]) -> Iterator[Row]:
    """Say who ended each, where it was this person."""
    own = {user.email, user.phone, f"{user.first_name} {user.last_name}".strip()}
    return (row | {"ended_by": row["ended_by"] if row["ended_by"] in own else ""} for row in rows)


def escalations(user: User) -> Iterator[Row]:
    return _ended(user, paged(processes_telling(user.pk), *_PROCESS))


def escalations_started(user: User) -> Iterator[Row]:
    """Those that they started, as staff."""
    theirs = EscalationProcess.objects.filter(started_by_person=user)
    return paged(theirs, "process_id", "started_at", "details")


def schedules(user: User) -> Iterator[Row]:
    """Their places in the order of layers."""
    theirs = LayerMember.objects.filter(user=user)
    return paged(theirs, "position", name=F("layer__schedule__name"), layer_position=F("layer__position"))


def schedule_overrides(user: User) -> Iterator[Row]:
    theirs = ScheduleOverride.objects.filter(user=user)
    return paged(theirs, "starts_at", "ends_at", "created_at", name=F("schedule__name"))


def calendar_spells(user: User) -> Iterator[Row]:
    """When external calendars have them on call."""
    theirs = CalendarSpell.objects.filter(user=user)
    return paged(theirs, "starts_at", "ends_at", name=F("calendar__layer__schedule__name"))


def cover_requests(user: User) -> Iterator[Row]:
    """What they asked others, and what they were asked."""
    theirs = CoverRequest.objects.filter(Q(asked_by=user) | Q(asked=user) | Q(answered_by=user))
    return paged(theirs, *_COVER, name=F("schedule__name"))


def drills(user: User) -> Iterator[Row]:
    """Those in which they were rung; how they answered is with their escalations."""
    theirs = DrillAnswer.objects.filter(user=user)
    return paged(theirs, "process_id", name=F("drill__schedule__name"), started_at=F("drill__started_at"))


def drills_started(user: User) -> Iterator[Row]:
    theirs = Drill.objects.filter(started_by=user)
    return paged(theirs, "started_at", "reported_at", name=F("schedule__name"))


def policies(user: User) -> Iterator[Row]:
    """Versions that they wrote, as staff."""
    theirs = PolicyVersion.objects.filter(created_by=user)
    return paged(theirs, "number", "created_at", name=F("policy__name"))


def alert_groups(user: User) -> Iterator[Row]:
    """Those of which they were told."""
    return _ended(user, paged(groups_telling(user.pk), *_GROUP))


def silences(user: User) -> Iterator[Row]:
    """Those that they made."""
    theirs = Silence.objects.filter(created_by=user)
    return paged(theirs, "reason", "starts_at", "ends_at", "created_at", "cancelled_at")


def notes(user: User) -> Iterator[Row]:
    """Those that they wrote on escalations and alert groups."""
    theirs = Entry.objects.filter(user=user, kind=Entry.Kind.NOTE)
    return paged(theirs, "at", "text", "process_id", "group_id")


SECTIONS: Final = (
    Section("escalations", [EscalationProcess], escalations),
    Section("escalations_started", [EscalationProcess], escalations_started),
    Section("schedules", [LayerMember], schedules),
    Section("schedule_overrides", [ScheduleOverride], schedule_overrides),
    Section("calendar_spells", [CalendarSpell], calendar_spells),
    Section("cover_requests", [CoverRequest], cover_requests),
    Section("drills", [DrillAnswer], drills),
    Section("drills_started", [Drill], drills_started),
    Section("policies", [PolicyVersion], policies),
    Section("alert_groups", [AlertGroup], alert_groups),
    Section("silences", [Silence], silences),
    Section("notes", [Entry], notes),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {
    HangUp: "The product's own work on a call, there for seconds.",
    GroupedAlert: "What another system said of itself; the group that somebody was told of is there.",
    AlertOccurrence: "What another system said of itself; the group that somebody was told of is there.",
    RoundRobin: "Whose turn it was last in a schedule; what they were told by it is there.",
    Heartbeat: "A job that operators have watched.",
    HeartbeatPing: "What such a job reported.",
    Hole: "What Tocsin finds of their turns and contact points, which are there; gone once it isn't so.",
    HeartbeatWatch: "When Tocsin last looked after such jobs.",
    LayerCalendar: "How reading such a calendar went; whoever is on call by it is in calendar_spells.",
    PingKey: "The secret by which such jobs report.",
}
