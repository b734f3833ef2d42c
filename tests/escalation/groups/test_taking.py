"""A key is one group while it is open: told once, counted, and closed by the same key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from escalation.groups import taking
from escalation.groups.taking import occurrences_take
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, AlertOccurrence, GroupedAlert, Integration, Route
from escalation.services.processes import process_acknowledge
from notifications.models import Delivery, Notification
from tests.escalation.groups.conftest import NOON, Monitoring, policy_for, ringing_now
from tests.factories import ShopFactory, UserFactory


def test_a_key_opens_a_group_that_is_told_once_and_counted(monitoring: Monitoring) -> None:
    assert monitoring.trigger("disk").outcome == "opened"
    monitoring.later(seconds=1)
    assert ringing_now() == ["Disk"]
    assert [monitoring.trigger("disk").outcome for _ in range(3)] == ["counted"] * 3
    monitoring.later(seconds=1)
    assert ringing_now() == ["Disk"]
    group = monitoring.group("disk")
    assert (group.state, group.occurrences, group.alerts.get().occurrences) == ("open", 4, 4)
    assert AlertOccurrence.objects.filter(alert__group=group).count() == 4


def test_resolve_by_the_key_alone_ends_it_and_tells_those_who_were_told(
    monitoring: Monitoring, guard: Any
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    assert monitoring.resolve("disk").outcome == "resolved"
    group = monitoring.group("disk")
    assert (group.state, group.process.state, group.ended_by) == ("resolved", "stopped", "Prometheus")
    assert not Delivery.objects.filter(status="pending", notification__kind="escalation").exists()
    told = Notification.objects.get(kind="escalation.resolved")
    assert told.title == "Resolved: Disk"
    assert {each.user_id for each in Delivery.objects.filter(notification=told)} == {guard.pk}


def test_what_nobody_was_told_of_is_over_without_a_word(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.resolve("disk")
    monitoring.later(seconds=5)
    assert ringing_now() == []
    assert not Notification.objects.exists()


def test_after_a_resolve_the_same_key_is_a_new_group(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.resolve("disk")
    assert monitoring.trigger("disk").outcome == "opened"
    assert AlertGroup.objects.filter(key="disk").count() == 2


def test_a_late_or_repeated_message_of_before_opens_nothing(monitoring: Monitoring) -> None:
    """As two replicas of a monitoring system send them, and whoever tries again after a time-out."""
    assert monitoring.trigger("disk", at=NOON).outcome == "opened"
    assert monitoring.trigger("disk", at=NOON).outcome == "repeated"
    assert monitoring.group("disk").occurrences == 1
    assert monitoring.resolve("disk", at=NOON).outcome == "resolved"
    assert monitoring.trigger("disk", at=NOON).outcome == "ignored"
    assert monitoring.group("disk").state == "resolved"
    later = NOON + timedelta(minutes=5)
    assert monitoring.trigger("disk", at=later).outcome == "opened"
    assert monitoring.resolve("disk", at=NOON).outcome == "ignored"
    assert monitoring.group("disk").state == "open"


def test_what_is_not_open_can_not_be_closed_and_is_kept_all_the_same(monitoring: Monitoring) -> None:
    assert [monitoring.resolve("disk"), *monitoring.say(Occurrence("cpu", Act.ACKNOWLEDGE))] == [
        ("disk", "resolve", "ignored", None),
        ("cpu", "acknowledge", "ignored", None),
    ]
    assert AlertOccurrence.objects.filter(alert=None).count() == 2
    assert not AlertGroup.objects.exists()


def test_an_acknowledgement_by_the_source_stops_the_ringing(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    (made,) = monitoring.say(Occurrence("disk", Act.ACKNOWLEDGE, by="Ana"))
    group = monitoring.group("disk")
    assert (made.outcome, group.state, group.ended_by) == ("acknowledged", "acknowledged", "Ana")
    assert group.process.state == "acknowledged"
    monitoring.later(minutes=10)
    assert ringing_now() == []


def test_who_takes_it_by_phone_has_the_group(
    monitoring: Monitoring, django_capture_on_commit_callbacks: Any
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    with django_capture_on_commit_callbacks(execute=True):
        process_acknowledge(
            process=monitoring.group("disk").process, by="Ana", via="phone", now=monitoring.now
        )
    group = monitoring.group("disk")
    assert (group.state, group.ended_by, group.ended_via) == ("acknowledged", "Ana", "phone")


def test_one_body_may_open_count_and_close(monitoring: Monitoring) -> None:
    made = monitoring.say(
        Occurrence("disk"), Occurrence("disk"), Occurrence("cpu"), Occurrence("disk", Act.RESOLVE),
        Occurrence("disk"), Occurrence("cpu", Act.NOTE, details="looks like a loop"),
    )  # fmt: skip
    assert [each.outcome for each in made] == ["opened", "counted", "opened", "resolved", "joined", "noted"]
    assert monitoring.group("disk").state == "open"
    assert [each.ended_at is None for each in GroupedAlert.objects.filter(key="disk")] == [False, True]


def test_a_key_that_comes_back_in_the_same_body_may_lead_elsewhere(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    Route.objects.create(name="r", position=1, policy=monitoring.integration.policy, group_by=["cluster"])
    made = monitoring.say(Occurrence("disk", Act.RESOLVE), Occurrence("disk", labels={"cluster": "eu"}))
    assert [each.outcome for each in made] == ["resolved", "opened"]
    assert AlertGroup.objects.exclude(state="resolved").get().key.startswith("group:")


def test_two_integrations_and_two_shops_keep_their_keys_apart(monitoring: Monitoring, guard: Any) -> None:
    other = Monitoring(
        Integration.objects.create(
            name="Grafana", format="grafana", policy=policy_for(guard, name="Other"), shop=ShopFactory()
        )
    )
    monitoring.trigger("disk")
    other.trigger("disk")
    assert other.resolve("disk").outcome == "resolved"
    assert AlertGroup.objects.get(integration=monitoring.integration).state == "open"


def test_without_a_route_and_a_policy_it_is_kept_and_says_so(db: None) -> None:
    lonely = Monitoring(Integration.objects.create(name="Lonely", format="generic"))
    lonely.trigger("disk")
    lonely.later(seconds=1)
    group = lonely.group("disk")
    assert (group.quiet, group.state) == ("unrouted", "open")
    assert group.why == ["No route matches, and the integration's policy is empty: nobody is told."]


def test_the_first_route_that_matches_counts_and_shadows_only_show(monitoring: Monitoring) -> None:
    ops, web = policy_for(UserFactory(), name="Ops"), policy_for(UserFactory(), name="Web")
    is_web = {"label": "team", "op": "~", "value": "web*"}
    Route.objects.create(name="try", position=1, policy=ops, is_shadow=True)
    Route.objects.create(
        name="db", position=2, policy=ops, matchers=[{"label": "team", "op": "=", "value": "db"}]
    )
    Route.objects.create(name="web", position=3, policy=web, matchers=[is_web])
    Route.objects.create(name="all", position=4, policy=ops)
    monitoring.trigger("shop is down", labels={"team": "web-shop"})
    group = monitoring.group("shop is down")
    assert (group.route.name, group.policy) == ("web", web)
    assert group.why == [
        "The route “try” matches, and would tell by “Ops”: it only shows what it would do.",
        "The route “db” does not match.",
        "The route “web” matches: its policy is “Web”.",
    ]


def test_alerts_with_the_same_labels_are_one_group_that_ends_with_its_last(monitoring: Monitoring) -> None:
    Route.objects.create(
        name="by cluster",
        position=1,
        policy=monitoring.integration.policy,
        group_by=["cluster"],
        group_wait_s=30,
    )
    labels = {"cluster": "eu-1"}
    made = monitoring.say(*(Occurrence(f"node{n}", title=f"Node {n}", labels=labels) for n in range(3)))
    assert [each.outcome for each in made] == ["opened", "joined", "joined"]
    monitoring.trigger("node9", labels={"cluster": "us-1"})
    monitoring.later(seconds=29)
    assert ringing_now() == []
    monitoring.later(seconds=1)
    assert sorted(ringing_now()) == ["Node 0", "Node9"]
    monitoring.resolve("node0")
    monitoring.resolve("node1")
    assert AlertGroup.objects.get(pk=made[0].group).state == "open"
    monitoring.resolve("node2")
    assert AlertGroup.objects.get(pk=made[0].group).state == "resolved"


@pytest.mark.slow
def test_something_new_in_a_group_that_was_taken_is_told_after_the_interval(monitoring: Monitoring) -> None:
    Route.objects.create(
        name="r", position=1, policy=monitoring.integration.policy, group_by=["cluster"], group_interval_s=60
    )
    monitoring.trigger("node1", labels={"cluster": "eu"})
    monitoring.later(seconds=1)
    monitoring.say(Occurrence("node1", Act.ACKNOWLEDGE, by="Ana"))
    monitoring.trigger("node2", labels={"cluster": "eu"})
    monitoring.later(seconds=58)
    assert ringing_now() == []
    monitoring.later(seconds=2)
    assert ringing_now() == ["Node1"]


def test_a_group_that_nobody_takes_is_told_again_where_its_route_says_so(monitoring: Monitoring) -> None:
    Route.objects.create(name="r", position=1, policy=monitoring.integration.policy, repeat_interval_s=3600)
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    first = monitoring.group("disk").process
    first.state, first.ended_at = "finished", monitoring.now
    first.save()
    monitoring.later(minutes=59)
    assert ringing_now() == []
    monitoring.later(minutes=2)
    assert ringing_now() == ["Disk"]
    assert monitoring.group("disk").process != first


def test_hundreds_of_keys_of_one_body_are_taken_by_few_statements(
    monitoring: Monitoring, asked: list[str]
) -> None:
    occurrences = [Occurrence(f"key{number}") for number in range(300)]
    asked.clear()
    assert {each.outcome for each in monitoring.say(*occurrences)} == {"opened"}
    assert 5 < len(asked) <= 10
    asked.clear()
    monitoring.say(*occurrences)
    assert 5 < len(asked) <= 10
    assert AlertGroup.objects.filter(occurrences=2).count() == 300


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_group_of_a_key(monitoring: Monitoring) -> None:
    def say(number: int) -> list[str]:
        try:
            keys = [f"key{(number * 7 + each) % 10}" for each in range(10)]
            made = occurrences_take(
                integration=monitoring.integration, occurrences=[Occurrence(key) for key in keys], now=NOON
            )
            return [each.outcome for each in made]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        outcomes = [outcome for made in threads.map(say, range(24)) for outcome in made]
    assert outcomes.count("opened") == 10
    assert outcomes.count("counted") == 230
    assert set(AlertGroup.objects.values_list("occurrences", flat=True)) == {24}
    assert AlertOccurrence.objects.count() == 240


@pytest.mark.django_db(transaction=True)
def test_what_another_has_opened_and_closed_meanwhile_stays_closed(
    monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = taking.rows_insert

    def other() -> None:
        try:
            monitoring.trigger("disk", at=NOON)
            monitoring.resolve("disk", at=NOON)
        finally:
            connection.close()

    def late(*tables: Any) -> list[int]:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(other).result()
        return insert(*tables)

    monkeypatch.setattr(taking, "rows_insert", late)
    assert monitoring.trigger("disk", at=NOON).outcome == "ignored"
    assert [each.state for each in AlertGroup.objects.all()] == ["resolved"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_opening_and_closing_at_once_loses_nothing(monitoring: Monitoring) -> None:
    def say(number: int) -> int:
        try:
            act = Act.RESOLVE if number % 2 else Act.TRIGGER
            keys = [f"key{(number + each) % 5}" for each in range(5)]
            return len(
                occurrences_take(
                    integration=monitoring.integration,
                    occurrences=[Occurrence(key, act) for key in keys],
                    now=NOON,
                )
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(say, range(40))) == 200
    assert AlertOccurrence.objects.count() == 200
    open_groups = AlertGroup.objects.exclude(state="resolved")
    firing = GroupedAlert.objects.filter(ended_at=None)
    assert {each.pk for each in open_groups} == {each.group_id for each in firing}
