"""The audit finds every alert group that is forgotten, and none where all is well."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.ids import uuid7
from config import sql
from escalation.groups import audit
from escalation.groups.ending import group_acknowledge, group_resolve, group_snooze
from escalation.groups.silencing import silence_create
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, AlertOccurrence, Entry, GroupedAlert, Policy, Route
from escalation.services import resuming
from escalation.services.ending import processes_finish
from notifications.audited import Asked
from notifications.models import Notification
from tests.escalation.groups.conftest import NOON, Monitoring, policy_for
from tests.factories import UserFactory

STORM = [f"service {number:02}" for number in range(10)]


def gaps(now: datetime, **asked: Any) -> dict[str, str]:
    """The first gap's sentence of each kind; each kind has one gap only."""
    found = [gap for each in audit.look(Asked(now=now, limit=20, **asked)) for gap in each.gaps]
    assert len({gap.kind for gap in found}) == len(found)
    return {gap.kind: gap.about for gap in found}


def change(group: AlertGroup, assignments: str, **values: Any) -> None:
    """Break a group behind the product's back."""
    statement = f"UPDATE escalation_alertgroup SET {assignments} WHERE id = %(id)s"
    assert sql.execute(statement, {"id": group.pk, **values}) == 1


@pytest.fixture
def rung(monitoring: Monitoring) -> AlertGroup:
    """An open group, of which somebody was told."""
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    return monitoring.group("disk")


@pytest.fixture
def over(monitoring: Monitoring, rung: AlertGroup) -> AlertGroup:
    """One that is over, as whoever was told of it knows."""
    monitoring.resolve("disk")
    return monitoring.group("disk")


@pytest.fixture
def stormy(monitoring: Monitoring) -> AlertGroup:
    """One of many that were told in one summary."""
    monitoring.say(*(Occurrence(key, title=key.title()) for key in STORM))
    monitoring.later(seconds=1)
    monitoring.later(seconds=6)
    return monitoring.group(STORM[0])


# --- Where all is well ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_whatever_happens_to_groups_leaves_no_gap(
    monitoring: Monitoring, guard: Any, django_capture_on_commit_callbacks: Any
) -> None:
    integration, by = monitoring.integration, {"by": "Ana", "via": "web"}
    Route.objects.create(
        name="Net",
        position=1,
        matchers=[{"label": "net", "op": "=", "value": "1"}],
        policy=integration.policy,
        group_by=["net"],
        group_wait_s=30,
        repeat_interval_s=3600,
    )
    Route.objects.create(name="Tests", position=2, matchers=[{"label": "key", "op": "~", "value": "test*"}])

    def pass_time(**time: float) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            monitoring.later(**time)
        processes_finish(monitoring.now)
        assert gaps(monitoring.now) == {}

    for _ in range(4):
        monitoring.trigger("flapping")
        pass_time(seconds=1)
        monitoring.resolve("flapping")
    monitoring.trigger("flapping")
    monitoring.trigger("test 1")
    monitoring.trigger("a", labels={"net": "1"})
    monitoring.trigger("late", at=NOON)
    pass_time(seconds=1)
    assert monitoring.trigger("late", at=NOON).outcome == "repeated"
    monitoring.resolve("late")
    assert monitoring.trigger("late", at=NOON).outcome == "ignored"
    monitoring.say(Occurrence("nothing", Act.RESOLVE), Occurrence("nothing", Act.NOTE))
    pass_time(seconds=31)
    monitoring.trigger("b", labels={"net": "1"})
    matchers = [{"label": "key", "op": "=", "value": "quiet"}]
    ends_at = monitoring.now + timedelta(hours=1)
    silence_create(
        reason="Works", matchers=matchers, starts_at=monitoring.now, ends_at=ends_at, now=monitoring.now
    )
    for key in ("quiet", "taken", "closed", "put off"):
        monitoring.trigger(key)
    pass_time(minutes=6)
    assert group_acknowledge(group=monitoring.group("taken"), now=monitoring.now, **by)
    assert group_resolve(group=monitoring.group("closed"), now=monitoring.now, **by)
    assert group_snooze(group=monitoring.group("put off"), until=ends_at, now=monitoring.now, **by)
    pass_time(seconds=1)
    monitoring.say(*map(Occurrence, STORM))
    for _ in range(8):
        pass_time(minutes=20)
    monitoring.say(*(Occurrence(key, Act.RESOLVE) for key in (*STORM, "quiet", "a", "b", "late")))
    pass_time(seconds=1)
    states = set(AlertGroup.objects.values_list("state", "quiet").distinct())
    assert states >= {("open", ""), ("open", "unrouted"), ("acknowledged", ""), ("resolved", "storm")}


def test_somebody_who_left_or_will_be_told_later_is_no_gap(monitoring: Monitoring, guard: Any) -> None:
    other = UserFactory()
    monitoring.integration.policy = policy_for(guard, other, name="Both")
    monitoring.integration.save()
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    type(guard).objects.filter(pk=other.pk).update(is_active=False)
    monitoring.resolve("disk")
    assert gaps(monitoring.now) == {}


def test_a_group_whose_policy_is_deleted_before_anybody_is_told_is_no_gap(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    Policy.objects.update(deleted_at=monitoring.now)
    monitoring.later(seconds=1)
    assert monitoring.group("disk").quiet == "unrouted"
    assert gaps(monitoring.now) == {}


@pytest.mark.slow
def test_an_escalation_that_goes_on_after_it_was_acknowledged_is_no_gap(
    monitoring: Monitoring, guard: Any
) -> None:
    monitoring.integration.policy = policy_for(guard, name="Insistent", acknowledge_timeout_s=600)
    monitoring.integration.save()
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    group_acknowledge(group=monitoring.group("disk"), by="Ana", via="web", now=monitoring.now)
    monitoring.later(minutes=11)
    resuming.look(monitoring.now)
    group = monitoring.group("disk")
    assert group.process is not None
    assert (group.state, group.process.state) == ("acknowledged", "active")
    assert gaps(monitoring.now) == {}


@pytest.mark.slow
def test_what_is_left_of_a_group_that_ended_long_ago_is_no_gap(
    monitoring: Monitoring, over: AlertGroup
) -> None:
    """Occurrences go by their own age: one that came late stays a while longer."""
    AlertOccurrence.objects.filter(act=Act.RESOLVE).delete()
    Entry.objects.all().delete()
    for table in ("groupedalert", "alertgroup"):
        assert sql.execute(f"DELETE FROM escalation_{table}") == 1
    assert [*gaps(NOON + timedelta(days=399))] == ["occurrence_ungrouped"]
    assert gaps(NOON + timedelta(days=401)) == {}
    AlertOccurrence.objects.update(at=NOON, received_at=NOON + timedelta(days=2))
    assert gaps(NOON + timedelta(days=401)) == {}


@pytest.mark.slow
def test_days_are_asked_one_by_one_and_counted(monitoring: Monitoring) -> None:
    for day in range(3):
        monitoring.now = NOON + timedelta(days=day)
        monitoring.trigger(f"disk {day}")
        monitoring.later(seconds=1)
        monitoring.resolve(f"disk {day}")
        change(monitoring.group(f"disk {day}"), "occurrences = 2")
    found = list(audit.look(Asked(now=monitoring.now, limit=2)))
    assert [each.counts for each in found] == [{"alert groups": 1, "occurrences": 2}] * 3 + [{}]
    since, until = NOON.date() + timedelta(days=1), NOON.date() + timedelta(days=2)
    (about,) = gaps(monitoring.now, since=since, until=until).values()
    assert "“Disk 1”" in about


# --- Where something is wrong ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_group_that_is_due_and_not_looked_at_is_found(monitoring: Monitoring, rung: AlertGroup) -> None:
    monitoring.trigger("cpu")
    group = monitoring.group("cpu")
    assert gaps(monitoring.now + timedelta(minutes=1)) == {}
    assert gaps(monitoring.now + timedelta(minutes=3))["group_overdue"] == (
        f"The group “Cpu” ({group.pk}, of 2026-03-02 12:00:01 UTC)"
        " was due more than two minutes ago, and nobody has looked at it."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("group_forgotten", "process_id = NULL"),
        ("group_forgotten", "quiet = 'waiting'"),
        ("group_forgotten", "quiet = 'silenced'"),
        ("group_forgotten", "quiet = 'snoozed'"),
        ("group_forgotten", "quiet = 'flapping'"),
        ("group_forgotten", "quiet = 'nobody'"),
        ("group_with_policy", "quiet = 'unrouted'"),
        ("storm_unlisted", "quiet = 'storm'"),
        ("storm_unlisted", "quiet = 'storm', storm_id = id"),
        ("group_held", "quiet = 'flapping', rings_at = '2026-03-02 14:00+00'"),
        ("group_held", "quiet = 'nobody', rings_at = '2026-03-02 14:00+00'"),
        ("rings_on", "state = 'resolved', resolved_at = now()"),
        ("rings_on", "state = 'acknowledged'"),
        ("rings_on", "quiet = 'silenced', rings_at = '2026-03-02 13:00+00'"),
        ("rings_on", "quiet = 'snoozed', rings_at = '2026-03-02 13:00+00'"),
        ("occurrences_miscounted", "occurrences = 2"),
    ],
)
def test_an_open_group_that_is_not_as_it_should_be_is_found(
    monitoring: Monitoring, rung: AlertGroup, kind: str, broken: str
) -> None:
    assert gaps(monitoring.now) == {}
    change(rung, broken)
    found = gaps(monitoring.now)
    assert found[kind].startswith(f"The group “Disk” ({rung.pk}, of 2026-03-02 12:00:00 UTC) ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "ended", ["cancelled_at = '2026-03-02 11:00+00'", "ends_at = '2026-03-02 12:00:01+00'"]
)
def test_what_a_silence_holds_back_though_it_is_over_is_found(monitoring: Monitoring, ended: str) -> None:
    silence_create(
        reason="Works",
        matchers=[],
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=9),
        now=NOON,
    )
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    assert gaps(monitoring.now) == {}
    assert sql.execute(f"UPDATE escalation_silence SET {ended}") == 1
    assert [*gaps(monitoring.now)] == ["group_held"]


@pytest.mark.slow
def test_a_process_that_did_not_end_or_go_on_in_time_is_found(
    monitoring: Monitoring, rung: AlertGroup
) -> None:
    """The second of its steps was due two minutes after the first."""
    assert gaps(monitoring.now + timedelta(minutes=3)) == {}
    assert [*gaps(monitoring.now + timedelta(minutes=5))] == ["process_overdue"]
    group_acknowledge(group=rung, by="Ana", via="web", now=monitoring.now)
    assert gaps(monitoring.now + timedelta(minutes=5)) == {}
    assert sql.execute("UPDATE escalation_escalationprocess SET resume_at = %s", [monitoring.now]) == 1
    assert [*gaps(monitoring.now + timedelta(minutes=5))] == ["process_overdue"]


@pytest.mark.slow
def test_what_is_over_and_would_go_on_after_its_acknowledgement_is_found(
    monitoring: Monitoring, rung: AlertGroup
) -> None:
    group_acknowledge(group=rung, by="Ana", via="web", now=monitoring.now)
    monitoring.resolve("disk")
    assert gaps(monitoring.now) == {}
    resume_at = monitoring.now + timedelta(hours=1)
    assert sql.execute("UPDATE escalation_escalationprocess SET resume_at = %s", [resume_at]) == 1
    assert [*gaps(monitoring.now)] == ["rings_on"]


@pytest.mark.slow
def test_an_acknowledgement_that_never_reached_its_group_is_found(
    monitoring: Monitoring, rung: AlertGroup
) -> None:
    group_acknowledge(group=rung, by="Ana", via="web", now=monitoring.now)
    change(rung, "state = 'open'")
    assert gaps(monitoring.now + timedelta(minutes=1)) == {}
    assert [*gaps(monitoring.now + timedelta(minutes=3))] == ["acknowledgement_lost"]


@pytest.mark.slow
def test_what_is_over_and_still_fires_is_found_and_the_other_way_round(
    monitoring: Monitoring, rung: AlertGroup
) -> None:
    alerts = GroupedAlert.objects.filter(group=rung)
    alerts.update(ended_at=monitoring.now)
    assert [*gaps(monitoring.now)] == ["nothing_fires"]
    alerts.update(ended_at=None)
    monitoring.resolve("disk")
    assert gaps(monitoring.now) == {}
    alerts.update(ended_at=None)
    assert [*gaps(monitoring.now)] == ["fires_on"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE notifications_delivery SET user_id = NULL WHERE notification_id = %s",
        "UPDATE notifications_notification SET dedup_key = 'another' WHERE id = %s",
    ],
)
def test_whoever_was_not_told_that_it_is_over_is_found(
    monitoring: Monitoring, over: AlertGroup, lost: str
) -> None:
    end = Notification.objects.get(kind="escalation.resolved")
    assert gaps(monitoring.now) == {}
    assert sql.execute(lost, [end.pk])
    assert [*gaps(monitoring.now)] == ["end_untold"]
    # It has left the history by then.
    assert gaps(monitoring.now + timedelta(days=401)) == {}


def test_what_is_to_be_sent_of_a_process_that_has_ended_is_found(
    monitoring: Monitoring, rung: AlertGroup
) -> None:
    assert rung.process is not None
    sql.execute("UPDATE escalation_escalationprocess SET state = 'stopped', ended_at = now()")
    assert [*gaps(monitoring.now)] == ["still_sending"]
    assert "“Disk”" in gaps(monitoring.now, since=NOON.date())["still_sending"]
    assert gaps(monitoring.now, until=NOON.date()) == {}
    sql.execute("UPDATE notifications_outgoing SET lease_until = now()")  # their sends have begun
    assert gaps(monitoring.now) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("storm_unlisted", "storm_id = NULL"),
        ("storm_unlisted", "policy_id = NULL"),
        ("group_forgotten", "quiet = ''"),
    ],
)
def test_a_group_that_no_summary_lists_is_found(
    monitoring: Monitoring, stormy: AlertGroup, kind: str, broken: str
) -> None:
    assert gaps(monitoring.now) == {}
    change(stormy, broken)
    assert gaps(monitoring.now)[kind].startswith("The group “Service 00” (")


@pytest.mark.slow
def test_a_storm_that_is_over_before_its_groups_is_found_unless_somebody_closed_it(
    monitoring: Monitoring, stormy: AlertGroup
) -> None:
    monitoring.say(*(Occurrence(key, Act.RESOLVE) for key in STORM[1:]))
    assert stormy.storm is not None
    assert group_resolve(group=stormy.storm, by="Ana", via="web", now=monitoring.now)
    assert gaps(monitoring.now) == {}
    change(stormy.storm, "ended_via = 'intake'")
    assert [*gaps(monitoring.now)] == ["storm_over"]
    change(stormy.storm, "ended_via = 'web', process_id = NULL")
    assert [*gaps(monitoring.now)] == ["storm_over"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "broken"),
    [
        ({"occurrences_miscounted"}, "DELETE FROM escalation_alertoccurrence"),
        ({"occurrences_miscounted"}, "UPDATE escalation_groupedalert SET occurrences = 2"),
        (
            {"occurrences_miscounted", "occurrence_ungrouped"},
            "UPDATE escalation_alertoccurrence SET alert_id = NULL",
        ),
        (
            {"occurrences_miscounted", "occurrence_ungrouped"},
            "UPDATE escalation_alertoccurrence SET alert_id = id",
        ),
        ({"occurrence_misplaced"}, "UPDATE escalation_alertoccurrence SET key = 'cpu'"),
        ({"occurrence_misplaced"}, "UPDATE escalation_alertoccurrence SET integration_id = NULL"),
    ],
)
def test_an_occurrence_that_was_lost_or_has_no_group_is_found(
    monitoring: Monitoring, rung: AlertGroup, kinds: set[str], broken: str
) -> None:
    assert sql.execute(broken) == 1
    found = gaps(monitoring.now)
    assert found.keys() == kinds
    assert all("“Disk”" in about or "“disk”" in about or "“cpu”" in about for about in found.values())


def test_what_was_kept_and_not_counted_is_found(monitoring: Monitoring, rung: AlertGroup) -> None:
    said = AlertOccurrence.objects.get()
    said.pk = uuid7()
    said.save(force_insert=True)
    assert [*gaps(monitoring.now)] == ["occurrences_miscounted"]


@pytest.mark.slow
@pytest.mark.parametrize("act", [Act.RESOLVE, Act.ACKNOWLEDGE, Act.NOTE])
def test_what_was_ignored_though_its_alert_fires_is_found(monitoring: Monitoring, act: Act) -> None:
    monitoring.trigger("disk", at=NOON)
    monitoring.later(seconds=1)
    monitoring.say(Occurrence("cpu", act))
    monitoring.resolve("disk", at=NOON - timedelta(hours=1))  # it says what was over before
    kept = AlertOccurrence.objects.filter(key="cpu")
    assert gaps(monitoring.now) == {}
    kept.update(key="disk")
    assert gaps(monitoring.now) == {}  # it may have come before
    GroupedAlert.objects.update(first_at=NOON - timedelta(minutes=2))
    assert [*gaps(monitoring.now)] == ["occurrence_ignored"]


def test_the_command_names_each_gap_and_exits_with_1(
    monitoring: Monitoring, rung: AlertGroup, monkeypatch: Any
) -> None:
    monkeypatch.setattr("config.clock.now", lambda: monitoring.now)
    change(rung, "process_id = NULL")
    out = StringIO()
    with pytest.raises(CommandError, match="1 gaps"):
        call_command("audit_deliveries", stdout=out)
    said = out.getvalue()
    assert "group_forgotten: An alert group is open, nobody is told of it, and" in said
    assert f"  The group “Disk” ({rung.pk}, of 2026-03-02 12:00:00 UTC) is open, nobody is told of it" in said
    assert ", 1 alert groups, 1 occurrences, 1 gaps; " in said
