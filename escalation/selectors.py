"""Who sees which escalations, and what was sent for them."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from django.db.models import Exists, IntegerField, OuterRef, Prefetch, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from accounts.models import User
from escalation.models import CalendarSpell, EscalationProcess, LayerMember
from notifications.models import Attempt, Delivery
from notifications.selectors import Principal, deliveries_visible_to, sees_all

MAX_ID: Final = 200


def processes_visible_to(principal: Principal) -> QuerySet[EscalationProcess]:
    """All processes, or those in which a person is told something."""
    processes = EscalationProcess.objects.select_related("policy_version__policy", "started_by_person")
    return processes if sees_all(principal) else processes.filter(told_users__contains=[principal.pk])


def in_states(processes: QuerySet[EscalationProcess], states: Iterable[str]) -> QuerySet[EscalationProcess]:
    """Return those in these states; ``finished`` finds all that ran out, whatever their state."""
    wanted = set(states)
    if EscalationProcess.State.FINISHED in wanted:
        wanted.update(EscalationProcess.RAN_OUT)
    return processes.filter(state__in=wanted)


def runs_of(processes: QuerySet[EscalationProcess], process_id: str) -> QuerySet[EscalationProcess]:
    """Return the runs of a process id, newest first; a run's own id stands for that run alone."""
    if "\x00" in process_id or len(process_id) > MAX_ID:
        return processes.none()
    runs = processes.filter(process_id=process_id)
    try:
        own = UUID(process_id)
    except ValueError:
        return runs
    return runs if runs.exists() else processes.filter(pk=own)


def deliveries_of(*processes: EscalationProcess | UUID) -> QuerySet[Delivery]:
    """Everything that was or is to be sent for processes, or for those of these ids."""
    ids = [str(process.pk if isinstance(process, EscalationProcess) else process) for process in processes]
    return Delivery.objects.filter(
        notification__source_type=EscalationProcess.SOURCE, notification__source_id__in=ids
    )


def processes_telling(person: UUID) -> QuerySet[EscalationProcess]:
    """Return those in which a person was to be told something."""
    return EscalationProcess.objects.filter(told_users__contains=[person])


def has_to_do_with(user: User) -> bool:
    """Whether somebody takes turns in a schedule or is in its calendar, or was to be told something."""
    takes_turns = Exists(LayerMember.objects.filter(user=OuterRef("pk"))) | Exists(
        CalendarSpell.objects.filter(user=OuterRef("pk"))
    )
    return User.objects.filter(takes_turns | Exists(processes_telling(user.pk)), pk=user.pk).exists()


def sources_of(user: User) -> Iterator[tuple[str, str]]:
    """Yield what notifications of escalations that told a person name as their source."""
    for pk in processes_telling(user.pk).values_list("pk", flat=True):
        yield EscalationProcess.SOURCE, str(pk)


def left_of(process: EscalationProcess) -> QuerySet[Delivery]:
    """What is still to be sent for it, or being sent."""
    return deliveries_of(process).filter(status=Delivery.Status.PENDING)


def history_of(process: EscalationProcess, principal: Principal) -> QuerySet[Delivery]:
    """Who was to be told, when, and what happened, in due order; a person sees what was for them."""
    return (
        deliveries_visible_to(principal)
        .filter(pk__in=deliveries_of(process).order_by().values("pk"))
        .annotate(place=Cast(KeyTextTransform("number", "notification__data"), IntegerField()))
        .prefetch_related(Prefetch("attempt_set", Attempt.objects.order_by("number")))
        .order_by("place", "pk")
    )
