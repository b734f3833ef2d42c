"""Evenings go some time after they were over, with all that hangs on them, in slices; others stay whole."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone

from config import slices
from config.slices import Run
from dating.models import Date, Event, Group, LogEntry, Reaction, Registration, Room, Round, Seat
from dating.retention import evenings_expire
from notifications.models import Delivery, Notification
from notifications.services import notices
from tests.factories import NotificationFactory, SentToInboxFactory, UserFactory

pytestmark = pytest.mark.django_db
PARTS = (Registration, Group, Round, Date, Seat, Room, Reaction, LogEntry)


def evening(title: str, *, days: float, step: str = "finished", pairs: int = 2) -> Event:
    """Make an evening that was so many days ago, with a row or more in each table."""
    at = timezone.now() - timedelta(days=days)
    is_over = step in ("finished", "skipped")
    event = Event.objects.create(
        title=title,
        starts_at=at,
        step=step,
        state={"finished": 4, "skipped": 5, "open": 0}[step],
        deadline_at=None if is_over else at,
        over_at=at if is_over else None,
    )
    group = Group.objects.create(event=event, number=1)
    round_ = Round.objects.create(event=event, number=1)
    LogEntry.objects.create(event=event, what="finished", due_at=at, done_at=at)
    for number in range(pairs):
        first, second = (
            Registration.objects.create(event=event, user=UserFactory(), state="confirmed", group=group)
            for _ in range(2)
        )
        room = Room.objects.create(event=event, group=group, number=number, provider="jitsi")
        date = Date.objects.create(group=group, first=first, second=second, round=round_, room=room)
        for each in (first, second):
            Seat.objects.create(date=date, round=round_, registration=each)
        Reaction.objects.create(event=event, by=first, about=second, kind="like")
    return event


def of(event: Event) -> dict[str, int]:
    return {
        "seats": Seat.objects.filter(round__event=event).count(),
        "dates": Date.objects.filter(group__event=event).count(),
        **{
            model.__name__: model.objects.filter(event=event).count()
            for model in (Registration, Group, Round, Room, Reaction, LogEntry)
        },
    }


def test_the_parts_are_all_tables_that_refer_to_an_evening() -> None:
    dating = set(apps.get_app_config("dating").get_models())
    reached, more = {Event}, True
    while more:
        referring = {
            model for model in dating for field in model._meta.fields if field.related_model in reached
        }
        more = bool(referring - reached)
        reached |= referring
    assert reached - {Event} == set(PARTS)


@pytest.mark.slow
def test_what_was_over_long_ago_goes_with_all_that_hangs_on_it() -> None:
    evening("old", days=401), evening("skipped", days=500, step="skipped")
    young, open_ = evening("young", days=399), evening("open", days=900, step="open")
    whole = of(young)
    assert min(whole.values()) > 0
    assert evenings_expire(Run(now=timezone.now())) == 2
    assert set(Event.objects.all()) == {young, open_}
    assert (of(young), of(open_)) == (whole, whole)
    assert sum(model.objects.count() for model in PARTS) == 2 * sum(whole.values())


def told_of(event: Event) -> set[object]:
    """Store what is told of an evening, its rounds and its breaks, with a delivery of each."""
    (round_,) = event.rounds.all()
    sources = [("dating_event", event.pk), ("dating_round", round_.pk), ("dating_break", round_.pk)]
    told = [
        NotificationFactory(source_type=of, source_id=str(pk), dedup_key=f"{of}:{pk}") for of, pk in sources
    ]
    for each in told:
        SentToInboxFactory(notification=each)
    return {each.pk for each in told}


@pytest.mark.slow
def test_what_was_told_of_it_goes_too_since_it_names_partners_and_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notices, "AT_ONCE", 2)
    old, young = evening("old", days=401), evening("young", days=399)
    told_of(old)
    kept = told_of(young) | {NotificationFactory(source_type="alert", source_id=str(old.pk)).pk}
    assert evenings_expire(Run(now=timezone.now(), for_s=0)) == 0  # the time is over between two slices
    assert Event.objects.filter(pk=old.pk).exists()
    assert evenings_expire(Run(now=timezone.now())) == 1
    assert set(Notification.objects.values_list("pk", flat=True)) == kept
    assert Delivery.objects.count() == 3


def test_the_newest_stays_however_old_so_that_no_number_is_given_twice() -> None:
    evening("older", days=500)
    newest = evening("newest", days=450)
    evenings_expire(Run(now=timezone.now()))
    assert Event.objects.get() == newest
    assert evening("next", days=0).number == newest.number + 1


@pytest.mark.slow
def test_a_run_that_is_cut_in_the_middle_of_one_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST", 3)
    old, _ = evening("old", days=500, pairs=5), evening("next", days=1)
    seats = []
    while Event.objects.filter(pk=old.pk).exists() and len(seats) < 50:
        evenings_expire(Run(now=timezone.now(), for_s=0))
        seats.append(Seat.objects.filter(round__event=old).count())
    assert seats[:4] == [7, 4, 1, 0]
    assert 9 < len(seats) < 30
    assert not Registration.objects.filter(event=old).exists()
