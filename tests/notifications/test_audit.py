"""The audit finds each kind of gap, and none where there is none."""

import uuid
from collections.abc import Callable
from datetime import datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Shop, User
from notifications.audit import EXPLANATIONS, Report, audit
from notifications.engine.digest import digests_send
from notifications.engine.fanout import alert_fan_out, alert_notification
from notifications.models import Alert, AttemptRow, Delivery, InboxItem, Notification, Outgoing, Subscription
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    PreferenceFactory,
    ShopFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(days=30)
AN_HOUR = timedelta(hours=1)


def member(shop: Shop, **fields: Any) -> User:
    user = UserFactory()
    MembershipFactory(shop=shop, user=user, **{"joined_at": LONG_AGO, **fields})
    return user


def contact_point(user: User, **fields: Any) -> Any:
    return ContactPointFactory(user=user, **{"created_at": LONG_AGO, **fields})


def told(shop: Shop, label: str = "theft") -> Alert:
    """An alert whose deliveries are made and sent."""
    alert = AlertFactory(shop=shop, label=label)
    alert_fan_out(alert.pk)
    for delivery in of(alert).filter(status="pending"):
        attempt(delivery, "sent", status="sent", sent_at=timezone.now())
    return alert


def of(alert: Alert) -> Any:
    return Delivery.objects.filter(notification__source_id=str(alert.pk))


def attempt(delivery: Delivery, outcome: str, **changes: Any) -> None:
    """Put the next attempt on record, and count it."""
    number = delivery.attempts + 1
    AttemptRow.objects.create(
        delivery=delivery, number=number, started_at=timezone.now(), duration_ms=3.0, outcome=outcome
    )
    change(delivery, attempts=number, **changes)


def change(delivery: Delivery, **changes: Any) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(**changes)
    if changes.get("status", "pending") != "pending":
        Outgoing.objects.filter(pk=delivery.pk).delete()
    delivery.refresh_from_db()


def queue_again(deliveries: Any, **queue: Any) -> None:
    deliveries.update(status="pending")
    for each in deliveries:
        fields = {"lane": "x", "due_at": each.due_at, "expires_at": each.expires_at, **queue}
        Outgoing.objects.create(delivery=each, **fields)


def found(**options: Any) -> dict[str, int]:
    return audit(now=timezone.now(), **options).totals


# --- Where all is well ----------------------------------------------------------------------------------


def test_empty_system_has_no_gap() -> None:
    assert audit(now=timezone.now()) == Report()


def test_healthy_system_has_no_gap(shop: Shop) -> None:
    member(shop)
    PreferenceFactory(user=member(shop), level="CRITICAL")
    both = member(shop)
    contact_point(both)
    contact_point(both, channel="inbox", address="")
    contact_point(member(shop), is_enabled=False)
    member(shop, left_at=LONG_AGO + AN_HOUR)
    for label in ("theft", "normal"):
        told(shop, label)
    report = audit(now=timezone.now(), settled=True)
    assert report.totals == {}
    assert (report.alerts, report.deliveries) == (2, 10)
    assert {(each.status, each.reason): each.count for each in report.counts} == {
        ("sent", ""): 7,
        ("suppressed", "disabled"): 2,
        ("suppressed", "level"): 1,
    }


def test_grouped_alerts_have_no_gap(shop: Shop) -> None:
    Shop.objects.update(group_alerts_s=60)
    member(shop)
    told(shop)
    told(shop)
    report = audit(now=timezone.now(), settled=True)
    assert report.totals == {}
    assert {(each.status, each.reason) for each in report.counts} == {("sent", ""), ("suppressed", "grouped")}


def test_alert_on_its_way_is_no_gap_yet(shop: Shop) -> None:
    AlertFactory(shop=shop)
    assert found() == {}


def test_alert_to_a_shop_where_nobody_works_has_no_gap(shop: Shop) -> None:
    told(shop)
    assert found(settled=True) == {}


def test_who_came_or_went_around_an_alert_may_be_told_or_not(shop: Shop) -> None:
    alert = told(shop)
    member(shop, joined_at=alert.received_at + AN_HOUR)
    member(shop, left_at=alert.received_at)
    assert found() == {}


def test_change_after_an_alert_does_not_accuse_what_was_right(shop: Shop) -> None:
    user = member(shop)
    told(shop, "normal")
    PreferenceFactory(user=user, level="CRITICAL")
    contact_point(user, created_at=timezone.now() + AN_HOUR)
    assert found(settled=True) == {}


def test_removed_contact_point_keeps_its_deliveries(shop: Shop) -> None:
    point = contact_point(member(shop))
    told(shop)
    point.deleted_at = timezone.now() + AN_HOUR
    point.save()
    assert found(settled=True) == {}


def test_retries_and_replays_add_up(shop: Shop) -> None:
    member(shop)
    delivery = of(told(shop)).get()
    change(delivery, status="failed", reason="exhausted")
    attempt(delivery, "unavailable", replays=1, status="failed", reason="exhausted")
    assert found(settled=True) == {}
    attempt(delivery, "lost")
    attempt(delivery, "sent", status="sent", reason="")
    assert found(settled=True) == {}


def test_who_was_given_up_after_losing_workers_is_explained(shop: Shop) -> None:
    member(shop)
    delivery = of(told(shop)).get()
    attempt(delivery, "lost", status="failed", reason="workers_lost")
    assert found(settled=True) == {}


def test_rules_quiet_hours_and_digests_are_no_gap(shop: Shop) -> None:
    now = timezone.now()
    for in_one in (True, False):
        user = member(shop)
        contact_point(user, channel="email", address="a@example.com")
        contact_point(user)
        Subscription.objects.create(user=user, channel="webhook", kind="alert", is_enabled=False)
        Subscription.objects.create(user=user, channel="email", kind="stage.*", is_enabled=False)
        PreferenceFactory(
            user=user,
            digest=in_one,
            quiet_from=_clock(now - 2 * AN_HOUR),
            quiet_until=_clock(now + 2 * AN_HOUR),
        )
    Subscription.objects.update(updated_at=LONG_AGO)
    for label in ("normal", "suspicious", "theft"):
        alert_fan_out(AlertFactory(shop=shop, label=label).pk)
    for delivery in Delivery.objects.filter(status="pending", reason=""):
        attempt(delivery, "sent", status="sent", sent_at=timezone.now())
    assert set(Delivery.objects.values_list("status", "reason")) == {
        ("pending", "quiet_hours"),
        ("pending", "digest"),
        ("suppressed", "unsubscribed"),
        ("sent", ""),
    }
    assert found(settled=True) == {}
    digests_send(now + 3 * AN_HOUR)
    Delivery.objects.filter(reason="quiet_hours").update(due_at=now)
    for delivery in Delivery.objects.filter(status="pending"):
        attempt(delivery, "sent", status="sent", sent_at=timezone.now())
    assert Delivery.objects.filter(status="suppressed", reason="digest").count() == 2
    assert found(settled=True) == {}


def test_what_is_held_is_settled_only_until_its_time(shop: Shop) -> None:
    member(shop)
    held = of(told(shop, "normal"))
    held.update(status="pending", reason="quiet_hours", due_at=timezone.now() + AN_HOUR, attempts=0)
    queue_again(held)
    AttemptRow.objects.all().delete()
    assert found(settled=True) == {}
    Outgoing.objects.update(due_at=timezone.now() - timedelta(seconds=5))
    assert found(settled=True) == {"unsettled": 1}


def _clock(moment: datetime) -> time:
    return moment.time().replace(second=0, microsecond=0)


# --- Each kind of gap -----------------------------------------------------------------------------------

Fault = Callable[[Shop], object]


def not_fanned_out(shop: Shop) -> None:
    AlertFactory(shop=shop, received_at=timezone.now() - AN_HOUR)


def member_without_delivery(shop: Shop) -> None:
    member(shop)
    of(told(shop)).delete()


def no_notification(shop: Shop) -> None:
    member(shop)
    told(shop)
    Notification.objects.all().delete()


def contact_point_without_delivery(shop: Shop) -> None:
    user = member(shop)
    contact_point(user)
    forgotten = contact_point(user)
    of(told(shop)).filter(contact_point=forgotten).delete()


def second_notification(shop: Shop) -> None:
    alert = told(shop)
    again = alert_notification(alert)
    again.dedup_key += ":again"
    again.save()


def alert_gone(shop: Shop) -> None:
    member(shop)
    told(shop).delete()


def stranger_told(shop: Shop) -> None:
    member(shop)
    delivery = of(told(shop)).get()
    stranger = UserFactory()
    MembershipFactory(user=stranger)
    _copy(delivery, user=stranger)


def contact_point_of_another(shop: Shop) -> None:
    member(shop)
    other = UserFactory()
    delivery = of(told(shop)).get()
    _copy(delivery, contact_point=contact_point(other), channel="webhook")


def contact_point_of_later(shop: Shop) -> None:
    user = member(shop)
    delivery = of(told(shop)).get()
    later = contact_point(user, created_at=timezone.now() + AN_HOUR)
    _copy(delivery, contact_point=later, channel="webhook")


def contact_point_removed_before(shop: Shop) -> None:
    user = member(shop)
    gone = contact_point(user, deleted_at=LONG_AGO + AN_HOUR)
    _copy(of(told(shop)).get(), contact_point=gone, channel="webhook")


def default_beside_contact_point(shop: Shop) -> None:
    contact_point(member(shop))
    _copy(of(told(shop)).get(), contact_point=None, channel="third_party")


def level_ignored(shop: Shop) -> None:
    preference = PreferenceFactory(user=member(shop))
    told(shop, "normal")
    type(preference).objects.update(level="CRITICAL", updated_at=LONG_AGO)


def suppressed_at_standard(shop: Shop) -> None:
    preference = PreferenceFactory(user=member(shop), level="CRITICAL")
    told(shop, "normal")
    type(preference).objects.update(level="STANDARD", updated_at=LONG_AGO)


def critical_suppressed_by_level(shop: Shop) -> None:
    PreferenceFactory(user=member(shop), level="CRITICAL")
    _as_suppressed(told(shop), "level")


def suppressed_with_no_preference(shop: Shop) -> None:
    member(shop)
    _as_suppressed(told(shop, "normal"), "level")


def sent_with_no_attempt(shop: Shop) -> None:
    member(shop)
    AttemptRow.objects.filter(delivery__in=of(told(shop))).delete()


def sent_after_failure(shop: Shop) -> None:
    member(shop)
    AttemptRow.objects.filter(delivery__in=of(told(shop))).update(outcome="unavailable")


def failed_after_success(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(status="failed", reason="rejected")


def failed_without_attempt(shop: Shop) -> None:
    member(shop)
    alert = told(shop)
    AttemptRow.objects.filter(delivery__in=of(alert)).delete()
    of(alert).update(status="failed", reason="exhausted", attempts=0)


def suppressed_for_nothing(shop: Shop) -> None:
    member(shop)
    _as_suppressed(told(shop), "")


def suppressed_after_attempt(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(status="suppressed", reason="disabled")


def cancelled_for_nothing(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(status="cancelled", reason="")


def expired_for_nothing(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(status="expired", reason="")


def pending_for_long(shop: Shop) -> None:
    member(shop)
    queue_again(of(told(shop)), due_at=timezone.now() - AN_HOUR)


def in_the_queue_and_sent(shop: Shop) -> None:
    member(shop)
    queue_again(of(told(shop)))
    Delivery.objects.update(status="sent")


def pending_and_not_in_the_queue(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(status="pending")


def lease_lost_for_long(shop: Shop) -> None:
    member(shop)
    queue_again(of(told(shop)), lease_until=timezone.now() - AN_HOUR)


def more_attempts_than_counted(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(attempts=0)


def fewer_attempts_than_counted(shop: Shop) -> None:
    member(shop)
    of(told(shop)).update(attempts=2)


def attempt_beyond_the_count(shop: Shop) -> None:
    member(shop)
    AttemptRow.objects.filter(delivery__in=of(told(shop))).update(number=2)


def rule_ignored(shop: Shop) -> None:
    _with_rule(told_at_an_email_address(shop, "normal"), is_enabled=False)


def rule_for_critical_ignored(shop: Shop) -> None:
    _with_rule(told_at_an_email_address(shop, "theft"), is_enabled=False)


def rule_misread(shop: Shop) -> None:
    alert = told_at_an_email_address(shop, "normal")
    _with_rule(alert, is_enabled=True)
    _as_suppressed(alert, "unsubscribed")


def grouped_with_none(shop: Shop) -> None:
    member(shop)
    _as_suppressed(told(shop), "grouped")


def grouped_with_itself(shop: Shop) -> None:
    member(shop)
    alert = told(shop)
    Alert.objects.update(grouped_with=alert.pk)
    _as_suppressed(alert, "grouped")


def told_though_grouped(shop: Shop) -> None:
    member(shop)
    told(shop)
    Alert.objects.update(grouped_with=uuid.uuid4())


def critical_held(shop: Shop) -> None:
    member(shop)
    _as_held(told(shop, "theft"), "quiet_hours")


def held_too_long(shop: Shop) -> None:
    member(shop)
    alert = told(shop, "normal")
    _as_held(alert, "quiet_hours")
    of(alert).update(due_at=timezone.now() + 26 * AN_HOUR)


def digest_missing(shop: Shop) -> None:
    member(shop)
    _as_suppressed(told(shop, "normal"), "digest")


def digest_gone(shop: Shop) -> None:
    alert = told_at_an_email_address(shop, "normal")
    _as_suppressed(alert, "digest")
    of(alert).update(digest=uuid.uuid4())


def digest_elsewhere(shop: Shop) -> None:
    alert = told_at_an_email_address(shop, "normal")
    other = told_at_an_email_address(ShopFactory(), "normal")
    _as_suppressed(alert, "digest")
    of(alert).update(digest=of(other).get())


def item_missing(shop: Shop) -> None:
    InboxItem.objects.filter(delivery__in=of(told_in_the_inbox(shop))).delete()


def item_unsent(shop: Shop) -> None:
    of(told_in_the_inbox(shop)).update(status="cancelled", reason="revoked")


def told_in_the_inbox(shop: Shop) -> Alert:
    contact_point(member(shop), channel="inbox", address="")
    return told(shop)


def told_at_an_email_address(shop: Shop, label: str) -> Alert:
    contact_point(member(shop), channel="email", address="a@example.com")
    return told(shop, label)


def _with_rule(alert: Alert, **fields: Any) -> None:
    rule = Subscription.objects.create(user=of(alert).get().user, channel="email", kind="alert", **fields)
    Subscription.objects.filter(pk=rule.pk).update(updated_at=LONG_AGO)


def _as_held(alert: Alert, reason: str) -> None:
    AttemptRow.objects.filter(delivery__in=of(alert)).delete()
    due_at = timezone.now() + AN_HOUR
    of(alert).update(status="pending", reason=reason, attempts=0, sent_at=None, due_at=due_at)
    queue_again(of(alert))


def _copy(delivery: Delivery, **changes: Any) -> None:
    """Make another delivery of the same notification, as sent as this one."""
    attempts = list(delivery.attempt_set.all())
    delivery.pk = uuid.uuid4()
    for name, value in changes.items():
        setattr(delivery, name, value)
    delivery.attempts = 0
    delivery.save(force_insert=True)
    for each in attempts:
        attempt(delivery, each.outcome)


def _as_suppressed(alert: Alert, reason: str) -> None:
    AttemptRow.objects.filter(delivery__in=of(alert)).delete()
    of(alert).update(status="suppressed", reason=reason, attempts=0, sent_at=None)


FAULTS: list[tuple[Fault, str]] = [
    (not_fanned_out, "not_fanned_out"),
    (member_without_delivery, "missing"),
    (no_notification, "missing"),
    (contact_point_without_delivery, "missing"),
    (second_notification, "told_twice"),
    (alert_gone, "no_alert"),
    (stranger_told, "stranger"),
    (contact_point_of_another, "wrong_contact_point"),
    (contact_point_of_later, "contact_point_not_there"),
    (contact_point_removed_before, "contact_point_not_there"),
    (default_beside_contact_point, "default_despite_contact_point"),
    (level_ignored, "level_ignored"),
    (suppressed_at_standard, "level_misread"),
    (critical_suppressed_by_level, "level_misread"),
    (suppressed_with_no_preference, "level_misread"),
    (rule_ignored, "rule_ignored"),
    (rule_for_critical_ignored, "rule_ignored"),
    (rule_misread, "rule_misread"),
    (grouped_with_none, "grouped_misread"),
    (grouped_with_itself, "grouped_misread"),
    (told_though_grouped, "group_ignored"),
    (critical_held, "critical_held"),
    (held_too_long, "held_too_long"),
    (digest_missing, "digest_missing"),
    (digest_gone, "digest_missing"),
    (digest_elsewhere, "digest_missing"),
    (item_missing, "item_missing"),
    (item_unsent, "item_unsent"),
    (sent_with_no_attempt, "sent_without_attempt"),
    (sent_after_failure, "sent_without_attempt"),
    (failed_after_success, "failed_without_reason"),
    (failed_without_attempt, "failed_without_reason"),
    (suppressed_for_nothing, "suppressed_without_reason"),
    (suppressed_after_attempt, "suppressed_without_reason"),
    (cancelled_for_nothing, "ended_without_reason"),
    (expired_for_nothing, "ended_without_reason"),
    (pending_for_long, "overdue"),
    (lease_lost_for_long, "overdue"),
    (in_the_queue_and_sent, "queue_disagrees"),
    (pending_and_not_in_the_queue, "queue_disagrees"),
    (more_attempts_than_counted, "attempts_miscounted"),
    (fewer_attempts_than_counted, "attempts_miscounted"),
    (attempt_beyond_the_count, "attempts_miscounted"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_gap_is_found(shop: Shop, fault: Fault, kind: str) -> None:
    told(ShopFactory())
    fault(shop)
    report = audit(now=timezone.now())
    assert set(report.totals) == {kind}
    assert {gap.kind for gap in report.gaps} == {kind}
    assert all(gap.alert_uuid for gap in report.gaps)


def test_every_kind_of_gap_has_a_test() -> None:
    assert {kind for _, kind in FAULTS} | {"unsettled", "archive_disagrees"} == set(EXPLANATIONS)


def test_what_is_under_way_is_a_gap_only_where_all_is_to_be_settled(shop: Shop) -> None:
    member(shop)
    queue_again(of(told(shop)), due_at=timezone.now() + AN_HOUR)
    AlertFactory(shop=shop)
    assert found() == {}
    assert found(settled=True) == {"not_fanned_out": 1, "unsettled": 1}


# --- The command ----------------------------------------------------------------------------------------


def test_command_counts_every_gap_and_shows_the_first(shop: Shop) -> None:
    for _ in range(3):
        member(shop)
    of(told(shop)).update(attempts=5)
    output = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("audit_deliveries", limit=2, stdout=output)
    assert failure.value.returncode == 1
    lines = output.getvalue().splitlines()
    assert sum(", delivery " in line for line in lines) == 2
    assert any(line.startswith("attempts_miscounted: ") and line.endswith("(3)") for line in lines)
    assert "1 alerts, 3 deliveries, 3 gaps" in lines[-1]


def test_command_is_content_where_there_is_no_gap(shop: Shop) -> None:
    member(shop)
    told(shop)
    output = StringIO()
    call_command("audit_deliveries", settled=True, stdout=output)
    assert "sent" in output.getvalue()
    assert "0 gaps" in output.getvalue()
