"""SPEC 11.4: whoever deletes their account is found nowhere afterwards, and proofs hold without them."""

import json
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import django_rq
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from dating.models import DatingProfile
from dating.services import event_end
from escalation.models import AlertGroup, Entry, EscalationProcess
from notifications import audit
from notifications.brokers.messages import Message
from notifications.departures import going, steps
from notifications.events.outbox import event_publish
from notifications.models import (
    AttemptRow,
    ContactPoint,
    DeadMessage,
    Delivery,
    DeliveryAction,
    Departure,
    Event,
    InboxItem,
    Notification,
    OutgoingMessage,
)
from tests.dating.cast import EIGHT, Evening, event, person
from tests.factories import AlertFactory, ContactPointFactory, MembershipFactory, NotificationFactory
from tests.leaving import (
    EMAIL,
    HOOK,
    NAMES,
    PASSWORD,
    PHONE,
    WORDS,
    client_of,
    erase,
    found_in_logs,
    found_in_redis,
    found_in_tables,
    handle_events,
)
from tests.notifications.events.test_envelopes import CREATED, DELETED, command, take
from tests.queued import stored

ME = "/api/v1/users/me/"
FULL_NAME = " ".join(NAMES)


def leave(user: User) -> None:
    answer = client_of(user).delete(ME)
    assert answer.status_code == 204, answer.content
    handle_events()


def told(user: User | None, **fields: Any) -> Delivery:
    now = clock.now()
    notification = fields.pop("notification", None) or NotificationFactory(
        source_type="event", kind="stage.accepted", title=f"Well done, {NAMES[0]}", data={"to": EMAIL}
    )
    values = {"channel": "email", "address": EMAIL, "status": "failed", "attempts": 1, **fields}
    delivery = Delivery(notification=notification, user=user, due_at=now, expires_at=now, **values)
    (made,) = stored([delivery])
    if made.attempts:
        said = f"550 {EMAIL} has no mailbox here, {PHONE}"
        AttemptRow.objects.create(
            delivery=made, number=1, started_at=now, duration_ms=1.0, outcome="rejected", error=said
        )
    return made


# --- Everything at once -------------------------------------------------------------------------------


def an_evening(leaver: User) -> User:
    """Somebody who was told the leaver's name, as a partner's."""
    partner = person("Ana")
    DatingProfile.objects.create(user=leaver, birthday=date(1999, 5, 1), city="Paris")
    evening = Evening(event()).registered(leaver, partner).confirmed()
    evening.at(EIGHT - timedelta(hours=1))
    evening.at(EIGHT - timedelta(minutes=5))
    assert NAMES[0] in json.dumps(list(Notification.objects.filter(kind="dating.link").values("data")))
    return partner


def a_past(leaver: User, teammate: User, operator: User) -> None:
    """Traces of a person wherever they can be."""
    told(leaver)
    told(None)  # an escalation that named the address itself
    both = {"user_ids": [str(leaver.pk), str(teammate.pk)], "about": f"{FULL_NAME} <{EMAIL}>"}
    event_publish(routing_key="stage.accepted", payload=both, source="school")
    event_publish(routing_key="unknown.thing", payload={"who": EMAIL.upper()}, source="school")
    handle_events()
    process = {"state": "acknowledged", "ended_at": clock.now(), "look_at": clock.now()}
    EscalationProcess.objects.create(process_id="fire", ended_by=PHONE, ended_via="phone", **process)
    flood = EscalationProcess.objects.create(
        process_id="flood", ended_by=FULL_NAME, told_users=[leaver.pk], **process
    )
    # Told by another escalation since: only what was stored of the first one leads to the group.
    group = AlertGroup.objects.create(key="flood", title="Flood", opened_at=clock.now(), last_at=clock.now())
    Entry.objects.create(kind="told", group=group, process=flood)
    for about in ({"process": flood}, {"group": group}):
        Entry.objects.create(kind="note", text=f"{FULL_NAME} was there.", by=FULL_NAME, user=leaver, **about)
    DeliveryAction.objects.create(action="replay", via="admin", by=EMAIL, count=1, deliveries=[])
    LogEntry.objects.create(
        user=operator,
        object_id=str(leaver.pk),
        object_repr=FULL_NAME,
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"name": "contact point", "object": EMAIL}}]),
    )
    dead = {"source": "rabbit", "reason": f"No such stage for {EMAIL}", "delivered_at": clock.now()}
    DeadMessage.objects.create(body=f'{{"email": "{EMAIL}"}}'.encode(), size=9, key="a", **dead)
    DeadMessage.objects.create(
        body=b"{}", size=2, key="b", headers={"user": str(leaver.pk), "name": FULL_NAME}, **dead
    )
    OutgoingMessage.objects.create(
        broker="rabbit",
        routing_key="student.updated",
        body={"payload": {"user_id": str(leaver.pk), "first_name": NAMES[0]}},
    )
    client = Client()
    client.force_login(leaver)
    django_rq.get_queue().enqueue("notifications.events.jobs.event_handle", EMAIL)
    django_rq.get_worker("default", worker_class="rq.worker.SimpleWorker").work(burst=True)


@pytest.mark.slow
def test_nothing_is_left_of_whoever_leaves(
    leaver: User, teammate: User, operator: User, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    partner = an_evening(leaver)
    a_past(leaver, teammate, operator)
    assert {name.rpartition(" ")[2] for name in found_in_tables(WORDS)} == set(WORDS)
    leave(leaver)
    erase()
    assert found_in_tables(WORDS) == []
    assert found_in_redis(redis, WORDS) == []
    assert found_in_logs(WORDS) == []
    # What is others' is there as before.
    links = Notification.objects.filter(kind="dating.link", deliveries__user=partner).distinct()
    assert all(f"erased-{leaver.pk}" in json.dumps(each.data) for each in links)
    assert links
    shared = Notification.objects.get(
        deliveries__user=teammate, kind="stage.accepted", deliveries__channel="inbox"
    )
    assert shared.title != "Erased"
    assert Session.objects.count() == 0


@pytest.mark.slow
def test_nothing_is_left_of_whoever_was_to_meet_others_in_rounds_that_were_not_held(leaver: User) -> None:
    DatingProfile.objects.create(user=leaver, birthday=date(1999, 5, 1), city="Paris")
    evening = (
        Evening(event()).registered(leaver, *(person(name) for name in ("Ana", "Bob", "Eve"))).confirmed()
    )
    for moment in (EIGHT - timedelta(hours=1), EIGHT - timedelta(minutes=5), EIGHT):
        evening.at(moment)
    laid_ahead = Notification.objects.filter(kind="dating.link", data__round=2)
    assert NAMES[0] in json.dumps(list(laid_ahead.values("data")))
    event_end(event=evening.event, now=EIGHT + timedelta(minutes=2))
    evening.at(EIGHT + timedelta(minutes=10))
    evening.at(EIGHT + timedelta(minutes=20))
    assert evening.step == "finished"
    leave(leaver)
    erase()
    assert found_in_tables(WORDS) == []


@pytest.mark.slow
def test_deliveries_stay_as_proof_under_the_id_alone(leaver: User, operator: User) -> None:
    made = told(leaver)
    path = "/api/v1/deliveries/"
    before = client_of(operator).get(path, {"user": str(leaver.pk)}).json()["results"]
    leave(leaver)
    erase()
    after = client_of(operator).get(path, {"user": str(leaver.pk)}).json()["results"]
    assert {each["id"] for each in after} == {each["id"] for each in before}
    delivery = client_of(operator).get(f"{path}{made.pk}/").json()
    assert (delivery["status"], delivery["address"]) == ("failed", "")
    assert delivery["notification"]["title"] == "Erased"
    assert [each["error"][:4] for each in delivery["attempt_list"]] == ["550 "]
    assert client_of(operator).post(f"{path}{made.pk}/replay/").status_code == 409
    assert not InboxItem.objects.filter(user_id=leaver.pk).exists()


@pytest.mark.slow
def test_what_was_still_to_be_sent_is_stopped_with_the_deletion(leaver: User) -> None:
    waiting = told(leaver, status="pending", attempts=0)
    assert client_of(leaver).delete(ME).status_code == 204
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("cancelled", "person_left")


@pytest.mark.slow
def test_the_audit_stays_green(leaver: User, teammate: User, shop: Any) -> None:
    alert = AlertFactory(shop=shop, fanned_out_at=clock.now())
    MembershipFactory(user=leaver, shop=shop, joined_at=alert.received_at - timedelta(days=1))
    of_alert = NotificationFactory(source_id=str(alert.pk), shop=shop)
    for each in (leaver, teammate):
        told(
            each,
            notification=of_alert,
            status="suppressed",
            reason="level",
            attempts=0,
            channel="third_party",
        )
    leave(leaver)
    erase()
    assert [
        gap.kind for gap in audit.audit(now=clock.now(), settled=True).gaps if gap.user_id != teammate.pk
    ] == []
    of_alert.refresh_from_db()
    assert of_alert.title == "Theft at Auchan"


@pytest.mark.slow
def test_former_names_and_addresses_are_erased_too(leaver: User, teammate: User) -> None:
    former = ("Ludovica", "former@leaver.example")
    leaver.first_name, leaver.email = former
    leaver.save()
    both = {"user_ids": [str(leaver.pk), str(teammate.pk)], "about": "Ludovica and others"}
    event_publish(routing_key="stage.accepted", payload=both, source="school")
    dead = {"source": "rabbit", "reason": "?", "delivered_at": clock.now()}
    DeadMessage.objects.create(body=former[1].encode(), size=9, key="a", **dead)
    leaver.first_name, leaver.email = NAMES[0], EMAIL
    leaver.save()
    handle_events()
    leave(leaver)
    erase()
    assert found_in_tables((*former, *WORDS)) == []
    assert Event.objects.get(routing_key="stage.accepted").payload["about"].endswith(" and others")


@pytest.mark.slow
def test_a_name_that_is_a_word_of_what_happened_changes_none_of_it(leaver: User, teammate: User) -> None:
    User.objects.filter(pk=leaver.pk).update(first_name="Fire")
    ended = {"state": "acknowledged", "ended_at": clock.now(), "look_at": clock.now()}
    process = EscalationProcess.objects.create(
        process_id="Fire", told_users=[leaver.pk], ended_by=FULL_NAME, **ended
    )
    now = clock.now()
    group = AlertGroup.objects.create(
        key="fire", title="Fire", opened_at=now, last_at=now, process=process, ended_by=FULL_NAME
    )
    fire = NotificationFactory(source_type="escalation", source_id=str(process.pk), title="Fire", kind="e")
    over = NotificationFactory(
        source_type="alert_group",
        source_id=str(group.pk),
        title="Fire",
        kind="e",
        body=f"Put out by {EMAIL}.",
    )
    told(leaver, notification=fire), told(teammate, notification=fire), told(teammate, notification=over)
    leave(User.objects.get(pk=leaver.pk))
    erase()
    for row in (process, group, fire, over):
        row.refresh_from_db()
    assert (process.process_id, group.title, fire.title, over.title) == ("Fire",) * 4
    assert NAMES[1] not in process.ended_by + group.ended_by
    assert EMAIL not in over.body


# --- By whatever way ----------------------------------------------------------------------------------


def by_themselves(user: User, operator: User) -> None:
    assert client_of(user).delete(ME).status_code == 204


def by_the_staff(user: User, operator: User) -> None:
    assert client_of(operator).delete(f"/api/v1/users/{user.pk}/").status_code == 204


def in_the_admin(user: User, operator: User) -> None:
    desk = Client()
    desk.force_login(operator)
    path = reverse("admin:accounts_user_delete", args=[user.pk])
    assert desk.post(path, {"post": "yes"}).status_code == 302


def in_the_admins_list(user: User, operator: User) -> None:
    desk = Client()
    desk.force_login(operator)
    chosen = {"action": "delete_selected", "_selected_action": [str(user.pk)], "post": "yes"}
    assert desk.post(reverse("admin:accounts_user_changelist"), chosen).status_code == 302


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_themselves, by_the_staff, in_the_admin, in_the_admins_list])
def test_every_way_of_leaving_erases_as_much(leaver: User, operator: User, way: Any) -> None:
    told(leaver)
    way(leaver, operator)
    handle_events()
    erase()
    assert found_in_tables(WORDS) == []
    assert Delivery.objects.filter(user_id=leaver.pk).exists()


@pytest.mark.slow
def test_so_does_the_message_of_the_service_that_made_the_account(db: None) -> None:
    who = {"user_id": str(uuid4()), "email": EMAIL}
    take(command(CREATED, {**who, "first_name": NAMES[0], "last_name": NAMES[1], "role": "student"}))
    handle_events()
    told(User.objects.get(pk=who["user_id"]))
    take(command(DELETED, who))
    handle_events()
    erase()
    assert found_in_tables(WORDS) == []
    assert Delivery.objects.filter(user_id=who["user_id"]).exists()


# --- What is others' ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_address_that_somebody_else_has_too_stays_theirs(leaver: User, teammate: User) -> None:
    shared = ContactPointFactory(user=teammate, channel="webhook", address=HOOK)
    theirs = told(None, channel="webhook", address=HOOK)
    leave(leaver)
    erase()
    shared.refresh_from_db(), theirs.refresh_from_db()
    assert (shared.address, theirs.address) == (HOOK, HOOK)


@pytest.mark.slow
def test_what_others_are_still_to_be_sent_keeps_its_address(leaver: User) -> None:
    waiting = told(None, status="pending", attempts=0)
    leave(leaver)
    erase()
    waiting.refresh_from_db()
    assert waiting.address == EMAIL


@pytest.mark.slow
@pytest.mark.parametrize("source_type", ["user", "verification", "contact_point"])
def test_what_others_were_told_of_their_account_names_them_no_more(
    leaver: User, teammate: User, source_type: str
) -> None:
    theirs = {
        "user": leaver.pk,
        "verification": leaver.verifications.values_list("pk", flat=True)[0],
        "contact_point": leaver.contact_points.values_list("pk", flat=True)[0],
    }
    notification = NotificationFactory(
        source_type=source_type, source_id=str(theirs[source_type]), title=f"News of {FULL_NAME}", kind="e"
    )
    told(teammate, notification=notification)
    leave(leaver)
    erase()
    notification.refresh_from_db()
    assert notification.title.startswith("News of ")
    assert found_in_tables(NAMES) == []


@pytest.mark.slow
def test_words_that_only_begin_alike_are_left(leaver: User, teammate: User) -> None:
    longer = {"who": f"not.{EMAIL}", "name": f"{NAMES[0]}ia"}
    event_publish(routing_key="unknown.thing", payload=longer, source="school")
    leave(leaver)
    erase()
    assert Event.objects.get(routing_key="unknown.thing").payload == longer


@pytest.mark.slow
def test_a_dead_message_about_them_cannot_bring_them_back(leaver: User) -> None:
    body = json.dumps({"user_id": str(leaver.pk)}).encode()
    message = Message(source="rabbit", body=body, delivered_at=clock.now())
    dead = DeadMessage.objects.create(
        source=message.source, body=body, size=len(body), key="k", reason="?", delivered_at=clock.now()
    )
    leave(leaver)
    erase()
    dead.refresh_from_db()
    assert (bytes(dead.body), dead.state) == (b"", "discarded")


# --- In slices ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_goes_on_where_it_was_killed(leaver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        told(leaver)
    monkeypatch.setattr(steps, "MOST", 2)
    monkeypatch.setattr(steps, "MOST_READ", 3)
    leave(leaver)
    slices = 1
    while going.departures_go_on(clock.now(), budget_s=0):
        slices += 1
    assert slices > 10
    assert found_in_tables(WORDS) == []


@pytest.mark.slow
def test_after_each_slice_it_leaves_the_database_to_others_for_as_long(
    leaver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(going.time, "sleep", pauses.append)
    leave(leaver)
    going.departures_go_on(clock.now(), budget_s=60)
    assert len(pauses) >= len(steps.STEPS)
    assert all(0 < pause <= going.PAUSE_S for pause in pauses)


@pytest.mark.slow
def test_a_fault_is_tried_again_and_leaves_others_theirs(
    leaver: User, teammate: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(departure: Departure, *_: Any) -> None:
        if departure.pk == leaver.pk:
            raise ValueError("no")

    leave(leaver), leave(teammate)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "STEPS", (fails, *steps.STEPS[1:]))
        going.departures_go_on(clock.now(), budget_s=60)
    assert Departure.objects.get(pk=leaver.pk).due_at > clock.now()
    assert Departure.objects.get(pk=teammate.pk).words == {}
    erase()


@pytest.mark.slow
def test_what_a_fan_out_made_at_the_same_time_is_found_by_the_second_look(leaver: User) -> None:
    leave(leaver)
    going.departures_go_on(clock.now(), budget_s=60)
    late = told(leaver, attempts=0)
    going.departures_go_on(clock.now() + going.SECOND_LOOK, budget_s=60)
    late.refresh_from_db()
    assert (late.address, late.notification.title) == ("", "Erased")


def test_a_deletion_that_is_undone_erases_nothing(leaver: User, anonymous: APIClient) -> None:
    assert anonymous.delete(ME).status_code == 401
    assert client_of(leaver).delete(ME, {"password": "wrong horse"}).status_code == 400
    assert not Departure.objects.exists()
    assert ContactPoint.objects.filter(user=leaver, address=HOOK).exists()
    assert client_of(leaver).delete(ME, {"password": PASSWORD}).status_code == 204
