"""The steps by which a person is erased, each in slices; notifications.departures.going takes them."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import F, Model, Q, QuerySet
from rq.registry import FailedJobRegistry

from config import clock
from notifications import queue
from notifications.departures import abouts, tables, told
from notifications.departures.words import Words
from notifications.engine.erasing import kept_from
from notifications.events import people
from notifications.models import DeadMessage, Delivery, Departure, Event, Notification, OutgoingMessage

MOST: Final = 500
# What is read, and seldom written.
MOST_READ: Final = 2000
_NONE: Final = UUID(int=0)
# Nobody else publishes these.
_OF_ACCOUNTS: Final = (people.USER_CREATED, people.USER_UPDATED)

#: Does one slice from a place on, and returns the next place; None: the step is over.
Step = Callable[[Departure, Words, Any], Any]


def former_words(departure: Departure, words: Words, place: Any) -> Any:
    """What they were known by before: events say so that will not any more."""
    known = words

    def act(rows: QuerySet[Any]) -> None:
        nonlocal known
        about = rows.filter(payload__user_id=str(departure.pk), routing_key__in=_OF_ACCOUNTS)
        for payload in about.values_list("payload", flat=True):
            known = known.with_former(payload)

    following = _slice(Event, place, act)
    departure.words = departure.words | known.as_json()
    return following


def deliveries(departure: Departure, words: Words, place: Any) -> Any:
    """What they were told."""
    theirs = Delivery.objects.filter(user_id=departure.pk, pk__gt=UUID(place) if place else _NONE)
    ids = list(theirs.order_by("pk").values_list("pk", flat=True)[:MOST])
    if ids:
        told.deliveries_erase(ids, words)
    return str(ids[-1]) if len(ids) == MOST else None


def facts(departure: Departure, words: Words, place: Any) -> Any:
    """What others were told of what they had part in."""
    number = place or 0
    about = departure.words.get("about", [])
    chosen = about[number : number + MOST]
    for source_type in {source_type for source_type, _ in chosen}:
        ids = [source_id for of, source_id in chosen if of == source_type]
        of_facts = Notification.objects.filter(source_type=source_type, source_id__in=ids)
        told.notifications_erase(list(of_facts.values_list("pk", flat=True)), words)
    return number + MOST if number + MOST < len(about) else None


def parts(departure: Departure, words: Words, place: Any) -> Any:
    """What the domains keep of what they had part in."""
    for rows, fields in abouts.rows_of(departure.pk):
        for row in tables.mentioning(rows, words, fields=fields).iterator(chunk_size=MOST):
            tables.mask(row, words, fields=fields)
    return None


def events(departure: Departure, words: Words, place: Any) -> Any:
    """Events about them keep ids and nothing else; those about others too lose their words."""

    def act(rows: QuerySet[Any]) -> None:
        for event in tables.mentioning(rows, _with_ids(words)):
            event_erase(event, words)

    return _slice(Event, place, act)


def event_erase(event: Event, words: Words) -> None:
    payload = event.payload
    if any(payload.get(name) in words.ids for name in ("user_id", "student_id", "encadrant_id")):
        event.payload = {name: value for name, value in payload.items() if name.endswith(("_id", "_ids"))}
        event.save(update_fields=["payload"])
    else:
        tables.mask(event, words)
    of_event = Notification.objects.filter(source_type="event", source_id=str(event.pk))
    told.notifications_erase(list(of_event.values_list("pk", flat=True)), words)


def messages(departure: Departure, words: Words, place: Any) -> Any:
    """What is to be published of them, but for their deletion itself: that others are to hear of."""

    def act(rows: QuerySet[Any]) -> None:
        others = rows.exclude(routing_key=people.USER_DELETED)
        for message in tables.mentioning(others, _with_ids(words)):
            tables.mask(message, words)
            rows.filter(pk=message.pk).update(wire_headers=None)

    return _slice(OutgoingMessage, place, act)


def dead_messages(departure: Departure, words: Words, place: Any) -> Any:
    """What could not take effect, and says something of them, is emptied: a replay would bring them back."""

    def act(rows: QuerySet[Any]) -> None:
        wanted = _with_ids(words)
        for message in rows:
            body = bytes(message.body).decode(errors="replace")
            if wanted.are_in(body) or tables.mentioning(rows.filter(pk=message.pk), wanted).exists():
                message.body, message.headers, message.wire_headers = b"", {}, None
                message.is_cut = True
                message.message_id = message.group = ""
                message.reason = "Erased with the person that it was about."
                if message.state == DeadMessage.State.DEAD:
                    message.state, message.ended_at = DeadMessage.State.DISCARDED, clock.now()
                message.save()

    return _slice(DeadMessage, place, act, most=MOST // 5)


def log_entries(departure: Departure, words: Words, place: Any) -> Any:
    """What the admin's log says of what was done to them."""

    def act(rows: QuerySet[Any]) -> None:
        for entry in tables.mentioning(rows.filter(object_id__in=words.ids), words):
            tables.mask(entry, words)

    return _slice(LogEntry, place, act)


def sessions(departure: Departure, words: Words, place: Any) -> Any:
    """Sessions of theirs, which open nothing any more."""

    def act(rows: QuerySet[Any]) -> None:
        theirs = [row.pk for row in rows if row.get_decoded().get(SESSION_KEY) == str(departure.pk)]
        Session.objects.filter(pk__in=theirs).delete()

    return _slice(Session, place, act)


def failed_jobs(departure: Departure, words: Words, place: Any) -> Any:
    """Jobs that failed, and quote them."""
    for name in settings.RQ_QUEUES:
        registry = FailedJobRegistry(name, connection=queue.redis())
        for job_id in registry.get_job_ids():
            job = registry.job_class.fetch_many([job_id], connection=queue.redis())[0]
            if job is None:
                continue
            result = job.latest_result()
            if words.are_in(f"{job.description} {(result.exc_string or '') if result else ''}"):
                registry.remove(job, delete_job=True)
    return None


def history(departure: Departure, words: Words, place: Any) -> Any:
    """What was sent to their addresses by themselves; older deliveries have no addresses any more."""
    addresses = words.without_others()
    if not addresses.pattern:
        return None
    after = UUID(place) if place else kept_from(clock.now()) or _NONE
    younger = Delivery.objects.filter(pk__gt=after).order_by("pk")
    ids = list(younger.values_list("pk", flat=True)[:MOST_READ])
    if ids:
        told.addresses_erase(after, ids[-1], addresses, words)
    return str(ids[-1]) if len(ids) == MOST_READ else None


def everything(departure: Departure, words: Words, place: Any) -> Any:
    """Their addresses, wherever else they may be: every table but those that tables.LEFT_ALONE names."""
    words = words.without_others()
    others = [
        model
        for model in tables.looked_through()
        if model._meta.label not in ("notifications.Delivery", "notifications.AttemptRow")
    ]
    number, of_table = place or (0, None)
    if not words.pattern or number >= len(others):
        return None

    def act(rows: QuerySet[Any]) -> None:
        for row in tables.mentioning(rows, words):
            tables.mask(row, words)

    following = _slice(others[number], of_table, act)
    return [number, following] if following is not None else [number + 1, None]


def _slice(
    model: type[Model], place: Any, act: Callable[[QuerySet[Any]], None], *, most: int = MOST_READ
) -> Any:
    """Act on the next rows of a table in the order of their keys; returns the last of them, if it goes on."""
    key = model._meta.pk
    assert key is not None
    rows = model._base_manager.order_by(F(key.name))
    if place is not None:
        rows = rows.filter(Q(**{f"{key.name}__gt": key.to_python(place)}))
    keys = list(rows.values_list(key.name, flat=True)[:most])
    if not keys:
        return None
    act(model._base_manager.filter(**{f"{key.name}__in": keys}))
    return (keys[-1] if isinstance(keys[-1], int | str) else str(keys[-1])) if len(keys) == most else None


def _with_ids(words: Words) -> Words:
    return Words(words.person, addresses=[*words.addresses, *words.ids], names=[], ids=words.ids)


#: In this order: what a person was told tells which events and facts they had part in.
STEPS: Final[tuple[Step, ...]] = (
    former_words, deliveries, facts, parts, events, messages, dead_messages, log_entries, sessions,
    failed_jobs, history, everything,
)  # fmt: skip
