"""What quiet hours hold back, what passes them, and what becomes of it meanwhile."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Shop, User
from accounts.services.users import user_update
from notifications.engine.fanout import alert_fan_out, sql
from notifications.engine.fanout.sql import Shape
from notifications.explanations import explain
from notifications.models import ContactPoint, Delivery, Outgoing, Preference
from notifications.services.contact_points import contact_point_remove, contact_point_update
from notifications.services.preferences import subscription_remove, subscription_set
from tests.factories import AlertFactory, ContactPointFactory, PreferenceFactory, UserFactory
from tests.notifications.preferences.conftest import Tell, fan_out, told_of

# 23:30 in Paris, in the night in which the clock is put back; the quiet hours end at 07:00, which is 06:00.
NIGHT = datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
MORNING = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
NOON = datetime(2026, 10, 25, 11, 0, tzinfo=UTC)
A_DAY = timedelta(days=1)


@pytest.fixture
def is_quiet(owner: User) -> Preference:
    """It is the owner's quiet hours right now."""
    now = timezone.now()
    return PreferenceFactory(
        user=owner,
        quiet_from=(now - timedelta(hours=2)).time().replace(second=0, microsecond=0),
        quiet_until=(now + timedelta(hours=2)).time().replace(second=0, microsecond=0),
    )


def test_what_is_told_at_night_is_held_until_the_morning(
    owner: User, by_email: Any, quiet_nights: Any, tell: Tell
) -> None:
    (held,) = tell(owner, now=NIGHT)
    assert (held.status, held.reason) == ("pending", "quiet_hours")
    assert held.due_at == MORNING
    assert held.expires_at == MORNING + A_DAY


def test_what_is_told_by_day_is_not(owner: User, by_email: Any, quiet_nights: Any, tell: Tell) -> None:
    (made,) = tell(owner, now=NOON)
    assert (made.status, made.reason, made.due_at, made.expires_at) == ("pending", "", NOON, NOON + A_DAY)


def test_what_is_critical_passes(owner: User, by_email: Any, quiet_nights: Any, tell: Tell) -> None:
    (made,) = tell(owner, now=NIGHT, severity="critical")
    assert (made.status, made.reason, made.due_at) == ("pending", "", NIGHT)


def test_an_inbox_is_filled_at_once(owner: User, by_email: Any, quiet_nights: Any, tell: Tell) -> None:
    made = {each.channel: each for each in tell(owner, now=NIGHT, inbox=True)}
    assert (made["inbox"].status, made["inbox"].reason, made["inbox"].sent_at) == ("sent", "", NIGHT)
    assert (made["email"].status, made["email"].due_at) == ("pending", MORNING)


def test_who_has_no_contact_point_is_held_by_the_default_channel(
    owner: User, quiet_nights: Any, tell: Tell
) -> None:
    (held,) = tell(owner, "alert", now=NIGHT)
    assert (held.channel, held.reason, held.due_at) == ("third_party", "quiet_hours", MORNING)


def test_what_is_not_to_be_told_is_not_held(
    owner: User, by_email: ContactPoint, quiet_nights: Preference, tell: Tell
) -> None:
    Preference.objects.update(level="CRITICAL")
    (made,) = tell(owner, now=NIGHT)
    assert (made.status, made.reason, made.due_at) == ("suppressed", "level", NIGHT)


def test_each_is_held_by_their_own_clock_and_hours(tell: Tell) -> None:
    expected = {}
    for zone, begin, end, due_at in [
        ("Europe/Paris", time(22), time(7), MORNING),
        ("Europe/Paris", time(22), time(5), datetime(2026, 10, 25, 4, tzinfo=UTC)),
        ("Europe/Paris", time(0), time(5), NIGHT),
        ("America/New_York", time(17), time(18), datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("America/New_York", time(22), time(7), NIGHT),
        ("Asia/Tokyo", time(22), time(7), datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("UTC", None, None, NIGHT),
    ]:
        user = UserFactory(time_zone=zone)
        PreferenceFactory(user=user, quiet_from=begin, quiet_until=end)
        expected[user] = due_at
    without = UserFactory(time_zone="Europe/Paris")
    expected[without] = NIGHT
    fan_out(told_of("alert"), *expected, now=NIGHT)
    assert {each.user: each.due_at for each in Delivery.objects.select_related("user")} == expected


def test_only_what_is_due_now_counts_as_waiting_to_be_sent(
    owner: User, teammate: User, by_email: Any, quiet_nights: Any
) -> None:
    assert fan_out(told_of(), owner, teammate, now=NIGHT).pending == 1
    assert fan_out(told_of(), owner, teammate, now=NOON).pending == 2


def test_an_alert_is_held_or_not_in_earnest(owner: User, shop: Shop, by_email: Any, is_quiet: Any) -> None:
    for label in ("normal", "theft"):
        alert_fan_out(AlertFactory(shop=shop, label=label).pk)
    found = Delivery.objects.values_list("notification__data__label", "reason")
    assert set(found) == {("normal", "quiet_hours"), ("theft", "")}
    held = Delivery.objects.get(reason="quiet_hours")
    assert timedelta(hours=1) < held.due_at - timezone.now() <= timedelta(hours=2)


def test_an_alert_obeys_rules(owner: User, shop: Shop, by_email: Any) -> None:
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    for label in ("normal", "theft"):
        alert_fan_out(AlertFactory(shop=shop, label=label).pk)
    found = Delivery.objects.values_list("notification__data__label", "status", "reason")
    assert set(found) == {("normal", "suppressed", "unsubscribed"), ("theft", "pending", "")}


PLAIN = Shape(inbox=False, rules=False, quiet=False, alerts=True)
READ = "reads who has quiet hours"


@pytest.mark.parametrize("label", ["normal", "theft"])
def test_nobody_pays_for_what_nobody_has(
    owner: User, shop: Shop, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    PreferenceFactory(user=owner)
    subscription_set(user=owner, channel="email", kind="stage.*", is_enabled=False)  # never for an alert
    plain = PLAIN._replace(unless_quiet=label == "normal")
    assert statements_of_an_alert(shop, label, monkeypatch) == [plain]
    subscription_set(user=owner, channel="email", kind="", is_enabled=True)
    assert statements_of_an_alert(shop, label, monkeypatch) == [plain._replace(rules=True)]


def test_what_is_critical_does_not_pay_for_quiet_hours(
    owner: User, shop: Shop, is_quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert statements_of_an_alert(shop, "theft", monkeypatch) == [PLAIN]
    assert statements_of_an_alert(shop, "normal", monkeypatch) == [READ, PLAIN._replace(quiet=True)]


def test_by_day_quiet_hours_cost_no_more_than_to_ask(
    owner: User, shop: Shop, is_quiet: Preference, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_quiet.quiet_from, is_quiet.quiet_until = is_quiet.quiet_until, is_quiet.quiet_from
    is_quiet.save()
    assert statements_of_an_alert(shop, "normal", monkeypatch) == [READ, PLAIN]


def statements_of_an_alert(shop: Shop, label: str, monkeypatch: pytest.MonkeyPatch) -> list[Shape | str]:
    """Fan an alert out and return what was asked of the database, besides taking and finishing it."""
    seen: list[Shape | str] = []
    fan_out_of, quiet_hours_of = sql.fan_out, sql.quiet_hours

    def fan_out_heard(audience: str, shape: Shape, *, repeats: bool) -> str:
        seen.append(shape)
        return fan_out_of(audience, shape, repeats=repeats)

    def quiet_hours_heard(audience: str) -> str:
        seen.append(READ)
        return quiet_hours_of(audience)

    with monkeypatch.context() as patch:
        patch.setattr(sql, "fan_out", fan_out_heard)
        patch.setattr(sql, "quiet_hours", quiet_hours_heard)
        alert_fan_out(AlertFactory(shop=shop, label=label).pk)
    return seen


# --- What happens while it is held ---------------------------------------------------------------------


@pytest.fixture
def held(owner: User, by_email: ContactPoint, quiet_nights: Any, tell: Tell) -> Delivery:
    (delivery,) = tell(owner, now=NIGHT)
    return delivery


def state(delivery: Delivery) -> tuple[str, str]:
    found = Delivery.objects.select_related("outgoing").get(pk=delivery.pk)
    return found.state, found.reason


def test_unsubscribing_stops_what_is_held(owner: User, held: Delivery, tell: Tell) -> None:
    (other,) = tell(owner, "offer.created", now=NIGHT)
    subscription_set(user=owner, channel="email", kind="stage.*", is_enabled=False)
    assert state(held) == ("suppressed", "unsubscribed")
    assert state(other) == ("pending", "quiet_hours")


def test_a_narrower_rule_keeps_what_is_held(owner: User, held: Delivery) -> None:
    subscription_set(user=owner, channel="email", kind="stage.accepted", is_enabled=True)
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    assert state(held) == ("pending", "quiet_hours")


def test_unsubscribing_does_not_touch_what_is_only_to_be_tried_again(owner: User, held: Delivery) -> None:
    Delivery.objects.update(reason="retry")
    Outgoing.objects.update(held_for=None)
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    assert state(held) == ("pending", "retry")


def test_what_is_being_sent_already_is_not_stopped(owner: User, held: Delivery) -> None:
    Outgoing.objects.update(lease_until=timezone.now())
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    assert state(held) == ("sending", "quiet_hours")


def test_subscribing_again_brings_nothing_back(owner: User, held: Delivery) -> None:
    subscription_set(user=owner, channel="email", kind="", is_enabled=False)
    assert subscription_remove(user=owner, channel="email", kind="")
    assert not subscription_remove(user=owner, channel="email", kind="")
    assert state(held) == ("suppressed", "unsubscribed")


def test_switching_a_contact_point_off_stops_what_is_held_for_it(
    owner: User, held: Delivery, by_email: ContactPoint, tell: Tell
) -> None:
    ContactPointFactory(user=owner, created_at=by_email.created_at)
    _, elsewhere = sorted(tell(owner, now=NIGHT), key=lambda each: each.channel)
    contact_point_update(contact_point=by_email, is_enabled=False)
    assert state(held) == ("suppressed", "disabled")
    assert state(elsewhere) == ("pending", "quiet_hours")


def test_a_removed_contact_point_takes_what_is_held_with_it(held: Delivery, by_email: ContactPoint) -> None:
    contact_point_remove(contact_point=by_email)
    assert state(held) == ("cancelled", "contact_point_removed")


def test_a_new_address_gets_what_is_held(held: Delivery, by_email: ContactPoint) -> None:
    contact_point_update(contact_point=by_email, address="new@example.com", vouched=True)
    held.refresh_from_db()
    assert held.address == "new@example.com"


def test_nothing_more_is_sent_to_whoever_is_locked_out(
    owner: User, teammate: User, held: Delivery, tell: Tell
) -> None:
    (due,) = tell(owner, now=NOON)
    (others,) = tell(teammate, now=NOON)
    user_update(user=owner, first_name="Eva")
    assert state(held) == ("pending", "quiet_hours")
    user_update(user=owner, is_active=False)
    assert state(held) == state(due) == ("cancelled", "locked_out")
    assert state(others) == ("pending", "")
    assert list(Outgoing.objects.values_list("pk", flat=True)) == [others.pk]
    due.refresh_from_db()
    assert explain(due) == "Stopped: the person's account was locked."


def test_what_is_being_sent_to_whoever_is_locked_out_is_not_tried_again(owner: User, held: Delivery) -> None:
    Outgoing.objects.update(lease_until=timezone.now())
    user_update(user=owner, is_active=False)
    assert state(held) == ("sending", "quiet_hours")
    assert Outgoing.objects.get().revoked_at
