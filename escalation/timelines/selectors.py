"""What a timeline is built of, as far as somebody may see it: a few statements, however long it is."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from escalation.models import AlertGroup, AlertOccurrence, Entry, EscalationProcess, GroupedAlert
from escalation.selectors import deliveries_of, processes_telling
from escalation.timelines.lines import MOST, Run, Timeline, group_timeline, process_timeline
from notifications.models import Delivery
from notifications.selectors import Principal, deliveries_visible_to, sees_all, with_attempts

Kind, Act = Entry.Kind, AlertOccurrence.Act
# Rows of each kind: more than a timeline shows, so that it says that some are left out.
_MOST: Final = 2 * MOST
_MOST_ALERTS: Final = 200
_MOST_RUNS: Final = 50


def run_of(process: EscalationProcess, principal: Principal) -> Run:
    """Return a run that somebody may see, for its timeline; people see the messages to themselves."""
    return _runs([process], principal)[0]


def timeline_of_process(process: EscalationProcess, principal: Principal) -> Timeline:
    return process_timeline(run_of(process, principal))


def timeline_of_group(group: AlertGroup, principal: Principal) -> Timeline:
    """Return the timeline of a group that somebody may see."""
    entries = list(Entry.objects.filter(group=group)[:_MOST])
    told = {each.process_id for each in entries if each.kind == Kind.TOLD} | {group.process_id}
    ids = [pk for pk in told if pk is not None]
    processes = EscalationProcess.objects.select_related(
        "policy_version__policy", "started_by", "started_by_person"
    )
    last = processes.filter(pk__in=ids).order_by("-started_at", "-pk")[:_MOST_RUNS]
    said = AlertOccurrence.objects.filter(alert__group=group, act__in=(Act.ACKNOWLEDGE, Act.NOTE))
    return group_timeline(
        group,
        alerts=list(GroupedAlert.objects.filter(group=group)[:_MOST_ALERTS]),
        said=list(said.order_by("-pk")[:_MOST]),
        entries=entries,
        runs=_runs(list(reversed(last)), principal),
    )


def entries_telling(person: UUID) -> QuerySet[Entry]:
    """Return the entries of what somebody was told of."""
    told = processes_telling(person).values("pk")
    groups = Entry.objects.filter(kind=Kind.TOLD, process__in=told).values("group")
    return Entry.objects.filter(Q(process__in=told) | Q(group__in=groups))


def _visible(entries: QuerySet[Entry], principal: Principal) -> QuerySet[Entry]:
    """Leave out who else was not told: people see the messages to themselves."""
    if sees_all(principal):
        return entries
    of_others = Q(kind=Kind.LEFT_OUT, user__isnull=False) & ~Q(user=principal.pk)
    return entries.exclude(of_others)


def _runs(processes: Sequence[EscalationProcess], principal: Principal) -> list[Run]:
    """Return these with what of each somebody may see."""
    theirs = deliveries_of(*processes).order_by().values("pk")
    visible = with_attempts(deliveries_visible_to(principal).filter(pk__in=theirs))
    deliveries: dict[str, list[Delivery]] = defaultdict(list)
    for each in visible.order_by("due_at", "pk")[:_MOST]:
        deliveries[each.notification.source_id].append(each)
    entries: dict[UUID | None, list[Entry]] = defaultdict(list)
    said = Entry.objects.filter(process__in=processes).select_related("group", "user")
    for entry in _visible(said, principal)[:_MOST]:
        entries[entry.process_id].append(entry)
    return [Run(each, deliveries[str(each.pk)], entries[each.pk]) for each in processes]
