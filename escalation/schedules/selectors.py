"""Schedules with all that says who is on call."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from accounts.models import User
from config.zones import zone_of
from escalation.calendars.facts import Spell
from escalation.calendars.kept import spells_by_layer
from escalation.models.calendar import CalendarSpell
from escalation.models.schedule import Layer, LayerMember, Schedule, ScheduleOverride
from escalation.schedules.hours import hours_of
from escalation.schedules.restrictions import restrictions_of
from escalation.schedules.row import Roster, StandIn
from escalation.schedules.spells import Spells
from escalation.schedules.turns import Turns
from notifications.selectors import sees_all

EARLIEST = datetime.min.replace(tzinfo=UTC)


def schedules_visible_to(principal: Any) -> QuerySet[Schedule]:
    """All schedules, or those in which somebody takes turns or stands in, or that a calendar has them in.

    See ``with_layers``.
    """
    if sees_all(principal):
        return with_layers(Schedule.objects.filter(deleted_at=None))
    return schedules_with(principal)


def schedules_with(user: User) -> QuerySet[Schedule]:
    """Those in which somebody takes turns or stands in, or that a calendar has them in.

    See ``with_layers``.
    """
    takes_turns = LayerMember.objects.filter(user=user).values("layer__schedule")
    stands_in = ScheduleOverride.objects.filter(user=user).values("schedule")
    by_calendar = of_calendars().filter(user=user).values("calendar__layer__schedule")
    theirs = takes_turns.union(stands_in, by_calendar)
    return with_layers(Schedule.objects.filter(deleted_at=None, pk__in=theirs))


def of_calendars() -> QuerySet[CalendarSpell]:
    """Return who is on call by external calendars; not by what was read at an address that a layer had."""
    return CalendarSpell.objects.filter(calendar__url=F("calendar__layer__ical_url"))


def plain(schedules: QuerySet[Schedule]) -> QuerySet[Schedule]:
    """Return those that were made as rotations, or could be: one layer, always on call, one person a turn."""
    layers = Layer.objects.filter(schedule=OuterRef("pk"))
    another = Layer.objects.filter(schedule=OuterRef("schedule"), pk__lt=OuterRef("pk"))
    more = layers.filter(Exists(another) | Q(per_turn__gt=1) | ~Q(restrictions=[]) | ~Q(ical_url=""))
    return schedules.filter(Exists(layers), ~Exists(more))


def with_layers(schedules: QuerySet[Schedule], *, since: datetime = EARLIEST) -> QuerySet[Schedule]:
    """Add ``in_layers``, each of which has its places as ``in_order``, and ``standing_in``: three queries.

    What external calendars say is read for those schedules alone of which somebody asks who is on call.
    """
    places = LayerMember.objects.select_related("user").order_by("position", "pk")
    layers = (
        Layer.objects.select_related("calendar")
        .order_by("position", "pk")
        .prefetch_related(Prefetch("places", places, to_attr="in_order"))
    )
    # The order in which they were made decides between those that overlap.
    overrides = ScheduleOverride.objects.filter(ends_at__gt=since).order_by("pk")
    return schedules.prefetch_related(
        Prefetch("layers", layers, to_attr="in_layers"),
        Prefetch("overrides", overrides.select_related("user", "instead_of"), to_attr="standing_in"),
    )


def roster_of(schedule: Any) -> Roster:
    """Return the roster of a schedule that was read by ``with_layers``."""
    return Roster(
        layers=tuple(
            Spells(_by_calendar(schedule).spells.get(layer.pk, ())) if layer.ical_url else _turns_of(layer)
            for layer in schedule.in_layers
        ),
        stand_ins=tuple(
            StandIn(
                override.pk, override.user_id, override.starts_at, override.ends_at, override.instead_of_id
            )
            for override in schedule.standing_in
        ),
        away=frozenset(user.pk for user in people_by_id(schedule).values() if not user.is_active),
    )


def people_by_id(schedule: Any) -> dict[UUID, User]:
    """Return everybody who takes turns, stands in or is in a calendar; read by ``with_layers``."""
    places = (place for layer in schedule.in_layers for place in layer.in_order)
    people = {entry.user_id: entry.user for entry in (*places, *schedule.standing_in) if entry.user}
    return people | _by_calendar(schedule).people


class _ByCalendar(NamedTuple):
    """What external calendars say: spells by layer, and everybody who is in them."""

    spells: dict[int, tuple[Spell, ...]]
    people: dict[UUID, User]


def _by_calendar(schedule: Any) -> _ByCalendar:
    """Return what the calendars of a schedule's layers say: two queries, the first time, if it has any."""
    found: _ByCalendar | None = getattr(schedule, "by_calendar", None)
    if found is None:
        layers = [layer.pk for layer in schedule.in_layers if layer.ical_url]
        spells = spells_by_layer(layers) if layers else {}
        ids = {each.user_id for some in spells.values() for each in some}
        people = User.objects.in_bulk(ids) if ids else {}
        found = schedule.by_calendar = _ByCalendar(spells, people)
    return found


def _turns_of(layer: Any) -> Turns:
    return Turns(
        zone=zone_of(layer.time_zone),
        begins=datetime.combine(layer.starts_on, layer.handoff_at),
        shift=timedelta(hours=layer.shift_h),
        people=tuple(member.user_id for member in layer.in_order),
        per_turn=layer.per_turn,
        hours=hours_of(restrictions_of(layer.restrictions)),
    )
