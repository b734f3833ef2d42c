"""The operator sees what was published, what its handlers made of it, and replays."""

import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from notifications.events import registry
from notifications.models import Event, HandlerRun
from tests.notifications.admin.desk import url

PAGES = ["notifications_event", "notifications_handlerrun"]


def make(key: str = "stage.accepted", status: str = "dead", **fields: object) -> HandlerRun:
    event = Event.objects.create(routing_key=key, source="stages", occurred_at=timezone.now(), **fields)
    return HandlerRun.objects.create(
        event=event, handler="a.handler", status=status, attempts=5, error="RuntimeError: no such stage"
    )


def dead() -> set[HandlerRun]:
    return set(HandlerRun.objects.filter(status="dead"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_list_takes_the_same_number_of_queries_for_any_number_of_rows_and_counts_none(
    desk: Client, page: str
) -> None:
    make()
    desk.get(url(f"{page}_changelist"))
    with CaptureQueriesContext(connection) as few:
        assert desk.get(url(f"{page}_changelist")).status_code == 200
    for _ in range(5):
        make()
    with CaptureQueriesContext(connection) as many:
        desk.get(url(f"{page}_changelist"))
    assert len(many) == len(few) <= 6
    assert not [query for query in many if "COUNT(*)" in query["sql"].upper()]


def test_an_events_page_shows_its_payload_and_what_its_handlers_made_of_it(desk: Client) -> None:
    run = make(payload={"title": "Cardiology"})
    page = desk.get(url("notifications_event_change", run.event_id)).content.decode()
    for text in ("stage.accepted", "Cardiology", "a.handler", "Dead letter", "RuntimeError: no such stage"):
        assert text in page, text


def test_a_runs_page_leads_to_its_event(desk: Client) -> None:
    run = make()
    page = desk.get(url("notifications_handlerrun_change", run.pk)).content.decode()
    assert url("notifications_event_change", run.event_id) in page
    assert "RuntimeError: no such stage" in page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_they_are_found_by_id_and_by_routing_key(desk: Client, page: str) -> None:
    one, other = make("stage.accepted"), make("grade.assigned")

    def found(term: str) -> set[Event]:
        answer = desk.get(url(f"{page}_changelist"), {"q": term})
        return {getattr(row, "event", row) for row in answer.context["cl"].result_list}

    assert found("stage.accepted") == found("stage.*") == found(str(one.event_id)) == {one.event}
    assert {one.event, other.event} <= found("#")
    assert found(str(uuid.uuid4())) == found("a..b") == found("nothing") == set()


def test_dead_letters_are_one_filter_away(desk: Client) -> None:
    run = make()
    make(status="done")
    answer = desk.get(url("notifications_handlerrun_changelist"), {"status__exact": "dead"})
    assert list(answer.context["cl"].result_list) == [run]
    answer = desk.get(url("notifications_handlerrun_changelist"), {"handler": registry.names()[0]})
    assert run not in answer.context["cl"].result_list


def test_the_chosen_dead_letters_are_replayed_and_nothing_else(desk: Client) -> None:
    chosen, left, done = make(), make(), make(status="done")
    data = {"action": "replay_chosen", "_selected_action": [str(chosen.pk), str(done.pk)]}
    answer = desk.post(url("notifications_handlerrun_changelist"), data, follow=True)
    assert "1 will run now." in answer.content.decode()
    assert dead() == {left}


def test_the_chosen_events_dead_letters_are_replayed(desk: Client) -> None:
    chosen, left = make(), make()
    data = {"action": "replay_chosen", "_selected_action": [str(chosen.event_id)]}
    answer = desk.post(url("notifications_event_changelist"), data, follow=True)
    chosen.refresh_from_db()
    assert (chosen.status, dead()) == ("pending", {left})
    assert "2 will run now." in answer.content.decode(), "the dead letter, and what is new to this event"


@pytest.mark.parametrize("page", PAGES)
def test_nobody_adds_changes_or_deletes_them_here(desk: Client, page: str) -> None:
    run = make()
    pk = run.pk if page == "notifications_handlerrun" else run.event_id
    assert desk.get(url(f"{page}_add")).status_code == 403
    assert desk.post(url(f"{page}_delete", pk), {"post": "yes"}).status_code == 403
    assert desk.post(url(f"{page}_change", pk), {"handler": "x", "routing_key": "x"}).status_code == 403


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_staff_without_permissions_see_them_and_people_do_not(
    owner: User, as_user: Callable[[User], Client], page: str
) -> None:
    staff = User.objects.create_user("desk@example.com", is_staff=True)
    assert as_user(staff).get(url(f"{page}_changelist")).status_code == 200
    assert as_user(owner).get(url(f"{page}_changelist")).status_code == 302
