"""The last resort: whoever is told of an escalation that ended, and that nobody took."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks

from escalation.models import EscalationProcess
from escalation.policies.parsing import targets_of
from escalation.selectors import deliveries_of
from escalation.services import ending, last_resorts, resuming
from escalation.services.processes import process_acknowledge, process_start, process_stop
from notifications import metrics
from notifications.channels.transport.twilio import Report
from notifications.engine import replay
from notifications.engine.recipients import Recipient
from notifications.models import ContactPoint, Delivery, Outgoing
from notifications.services.provider_reports import delivery_report_record
from tests.escalation.test_policies import start, version_of
from tests.factories import ContactPointFactory
from tests.queued import end_all

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}
CHIEF = {"type": "address", "channel": "phone", "address": "+33612345679"}
OWNER = {"type": "address", "channel": "sms", "address": "+33612345670"}


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def with_last_resort(*targets, **more):
    return version_of({"after_s": 0, "targets": [PHONE]}, last_resort=targets_of(list(targets)), **more)


def look(seconds):
    ending.look(at(seconds))
    last_resorts.look(at(seconds))


def resort_of(process):
    rows = deliveries_of(process).filter(notification__data__has_key="last_resort")
    return [(each.channel, each.address, each.status) for each in rows.order_by("due_at", "address")]


def errors(caplog):
    return [r.msg["event"] for r in caplog.records if r.levelname == "ERROR" and isinstance(r.msg, dict)]


def counted(as_machine, outcome):
    metrics.flush()
    said = as_machine("metrics:read").get("/metrics").content.decode()
    found = re.search(rf'tocsin_escalation_last_resorts_total{{outcome="{outcome}"}} (\S+)', said)
    return float(found[1]) if found else 0.0


@pytest.fixture
def ran_out(db):
    """A process that nobody answered, of which the last resort is told now."""
    process = start(with_last_resort(CHIEF))
    end_all(status="sent")
    look(1)
    process.refresh_from_db()
    return process


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize(("became", "state"), [("sent", "unanswered"), ("failed", "reached_nobody")])
def test_it_is_told_once_where_nobody_took_it(became, state):
    process = start(with_last_resort(CHIEF, OWNER))
    end_all(status=became)
    look(1)
    told = [("sms", "+33612345670", "pending"), ("phone", "+33612345679", "pending")]
    assert resort_of(process) == told
    process.refresh_from_db()
    assert (process.state, process.last_resort_at) == (state, at(1))
    for seconds in (2, 3, 60):
        look(seconds)
    assert resort_of(process) == told


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "said"), [("sent", "Nobody answered restaurant"), ("failed", "restaurant reached nobody")]
)
def test_it_says_how_the_escalation_ended(state, said):
    process = start(with_last_resort(CHIEF))
    end_all(status=state)
    look(1)
    (delivery,) = deliveries_of(process).filter(notification__data__has_key="last_resort")
    assert delivery.notification.title == said
    assert "You are its last resort." in delivery.notification.body


@pytest.mark.django_db
def test_the_installations_own_is_told_where_the_policy_has_none(settings):
    settings.LAST_RESORT = [OWNER]
    process = process_start(
        process_id="order", notifications=[Recipient("phone", NOW, "+33612345678")], now=NOW
    ).process
    end_all(status="sent")
    look(1)
    assert resort_of(process) == [("sms", "+33612345670", "pending")]


@pytest.mark.django_db
def test_and_where_the_policys_own_reaches_nobody(settings, owner):
    settings.LAST_RESORT = [OWNER]
    point = ContactPointFactory(user=owner, channel="phone", address="+33612345671")
    process = start(with_last_resort({"type": "user", "user_id": str(owner.pk), "channels": ["phone"]}))
    ContactPoint.objects.filter(pk=point.pk).update(is_enabled=False)
    end_all(status="sent")
    look(1)
    assert resort_of(process) == [
        ("sms", "+33612345670", "pending"),
        ("phone", "+33612345671", "suppressed"),
    ]


@pytest.mark.django_db
def test_without_a_last_resort_the_error_is_all(caplog):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}))
    end_all(status="sent")
    look(1)
    look(2)
    process.refresh_from_db()
    assert (process.last_resort_at, process.last_resort_look_at, resort_of(process)) == (None, None, [])
    assert errors(caplog) == ["escalation_unanswered"]


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("became", ["sent", "failed"])
def test_one_that_fails_is_an_error_and_counted(
    ran_out, became, caplog, as_machine, django_capture_on_commit_callbacks
):
    before = counted(as_machine, "failed")
    look(2)
    assert ran_out.state == "unanswered"
    Delivery.objects.filter(status="pending").update(status=became, reason="")
    Outgoing.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        for seconds in (3, 4, 60):
            look(seconds)
    failed = became == "failed"
    assert errors(caplog).count("escalation_last_resort_failed") == failed
    assert counted(as_machine, "failed") == before + failed
    ran_out.refresh_from_db()
    assert ran_out.last_resort_look_at is None
    assert replay.replay(deliveries_of(ran_out)) == 0, "it is over"


@pytest.mark.django_db
def test_one_that_was_taken_by_a_worker_of_an_earlier_version_is_not_told():
    process = start(with_last_resort(CHIEF))
    end_all(status="sent")
    ending.look(at(1))
    EscalationProcess.objects.update(state="acknowledged", ended_by="Ana")
    last_resorts.look(at(2))
    assert resort_of(process) == []
    assert not EscalationProcess.objects.filter(last_resort_look_at__isnull=False).exists()


@pytest.mark.django_db
def test_one_that_would_tell_nobody_has_failed(owner, caplog, django_capture_on_commit_callbacks):
    point = ContactPointFactory(user=owner, channel="phone", address="+33612345671")
    process = start(with_last_resort({"type": "user", "user_id": str(owner.pk), "channels": ["phone"]}))
    point.delete()
    end_all(status="sent")
    with django_capture_on_commit_callbacks(execute=True):
        look(1)
    assert errors(caplog)[-1] == "escalation_last_resort_failed"
    process.refresh_from_db()
    assert process.last_resort_look_at is None


@pytest.mark.slow
@pytest.mark.django_db
def test_a_call_to_it_that_nobody_took_is_reported(ran_out, caplog):
    end_all(status="sent", attempts=1)
    look(2)
    assert "escalation_last_resort_failed" not in errors(caplog)
    call = deliveries_of(ran_out).get(notification__data__has_key="last_resort")
    report = Report(arrived=False, detail="busy")
    assert delivery_report_record(delivery=call, attempt=1, report=report)
    assert errors(caplog)[-1] == "escalation_last_resort_failed"
    ran_out.refresh_from_db()
    assert ran_out.state == "unanswered", "of those in the steps, somebody was told"


@pytest.mark.django_db
def test_what_its_last_resort_was_told_does_not_make_it_reach_anybody():
    process = start(with_last_resort(CHIEF))
    end_all(status="sent", attempts=1)
    look(1)
    resort = deliveries_of(process).filter(notification__data__has_key="last_resort")
    resort.update(status="sent")
    Outgoing.objects.all().delete()
    call = deliveries_of(process).exclude(pk__in=resort.values("pk")).get()
    assert delivery_report_record(delivery=call, attempt=1, report=Report(arrived=False, detail="busy"))
    process.refresh_from_db()
    assert process.state == "reached_nobody"


@pytest.mark.slow
@pytest.mark.django_db
def test_whoever_takes_it_ends_the_last_resort(ran_out):
    assert process_acknowledge(process=ran_out, by="Chief", via="phone", now=at(5))
    assert resort_of(ran_out) == [("phone", "+33612345679", "cancelled")]
    assert (ran_out.state, ran_out.last_resort_look_at) == ("acknowledged", None)


@pytest.mark.django_db
def test_a_stop_ends_the_last_resort_too(ran_out):
    stopped = process_stop(process_id="restaurant", by="Ana", now=at(5))
    assert (stopped, stopped.state) == (ran_out, "stopped")
    assert resort_of(ran_out) == [("phone", "+33612345679", "cancelled")]


@pytest.mark.django_db
def test_a_stop_before_it_is_told_keeps_it_silent():
    process = start(with_last_resort(CHIEF))
    end_all(status="sent")
    ending.look(at(1))
    assert process_stop(process_id="restaurant", by="Ana", now=at(1)) is None
    last_resorts.look(at(2))
    assert resort_of(process) == []


@pytest.mark.slow
@pytest.mark.django_db
def test_a_process_that_goes_on_and_runs_out_again_tells_it_no_second_time(
    caplog, django_capture_on_commit_callbacks
):
    process = start(with_last_resort(CHIEF, acknowledge_timeout_s=600))
    end_all(status="sent")
    look(1)
    process_acknowledge(process=process, by="Chief", via="phone", now=at(5))
    resuming.look(at(605))
    Delivery.objects.filter(status="pending").update(status="sent")
    Outgoing.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        for seconds in (606, 607, 700):
            look(seconds)
    process.refresh_from_db()
    assert (process.state, process.last_resort_at) == ("unanswered", at(1))
    assert len(resort_of(process)) == 1
    assert errors(caplog) == ["escalation_unanswered"] * 2


@pytest.mark.slow
@pytest.mark.django_db
def test_one_that_cannot_be_told_is_tried_for_some_minutes_and_then_has_failed(settings, caplog):
    process = start(version_of({"after_s": 0, "targets": [PHONE]}))
    end_all(status="sent")
    settings.LAST_RESORT = [{"type": "pigeon"}]
    for seconds in range(1, 600, 10):
        look(seconds)
    process.refresh_from_db()
    assert process.last_resort_look_at is None
    assert errors(caplog).count("escalation_last_resort_failed") == 1
    assert 4 <= errors(caplog).count("escalation_last_resort_put_off") <= 7


def test_a_setting_that_is_no_list_of_targets_is_refused_at_start(settings):
    settings.LAST_RESORT = [{"type": "pigeon"}]
    found = [each for each in run_checks(tags=["tocsin"]) if each.id == "escalation.E001"]
    assert [each.msg for each in found] == [
        "LAST_RESORT: target 1: type: Expected one of: user, schedule, rotation, address."
    ]


@pytest.mark.django_db
def test_a_person_who_is_the_last_resort_sees_it_and_may_take_it(as_user, owner):
    ContactPointFactory(user=owner, channel="phone", address="+33612345671")
    process = start(with_last_resort({"type": "user", "user_id": str(owner.pk), "channels": ["phone"]}))
    assert as_user(owner).get(f"/api/v1/escalations/{process.pk}/").status_code == 404
    end_all(status="sent")
    look(1)
    shown = as_user(owner).get(f"/api/v1/escalations/{process.pk}/").json()
    assert (shown["state"], shown["last_resort_at"]) == ("unanswered", "2026-03-02T12:00:01Z")
    taken = as_user(owner).post(f"/api/v1/escalations/{process.pk}/acknowledge/")
    assert taken.json()["state"] == "acknowledged"


@pytest.mark.django_db
def test_who_filters_by_finished_finds_what_ran_out(as_machine):
    for name, state in (("a", "unanswered"), ("b", "reached_nobody"), ("c", "finished"), ("d", "stopped")):
        EscalationProcess.objects.create(process_id=name, state=state, look_at=NOW, ended_at=NOW)
    machine = as_machine("escalations:read")

    def found(query):
        rows = machine.get(f"/api/v1/escalations/?{query}").json()["results"]
        return sorted(each["process_id"] for each in rows)

    assert found("state=finished") == ["a", "b", "c"]
    assert found("state=unanswered&state=stopped") == ["a", "d"]
    assert found("state=reached_nobody") == ["b"]
    assert found("") == ["a", "b", "c", "d"]


@pytest.mark.slow
@pytest.mark.django_db
def test_the_pages_say_how_it_ended(client, operator, ran_out):
    client.force_login(operator)
    page = client.get(f"/escalations/{ran_out.pk}/").content.decode()
    assert "Nobody answered. It ended at" in page
    assert "Its last resort was told at" in page
    assert 'id="esc-acknowledge"' in page, "it can be taken while the last resort is told"
    assert "restaurant" in client.get("/escalations/?state=unanswered").content.decode()
    assert "restaurant" not in client.get("/escalations/?state=reached_nobody").content.decode()
    admin = client.get(f"/admin/escalation/escalationprocess/{ran_out.pk}/change/").content.decode()
    assert "Unanswered" in admin
