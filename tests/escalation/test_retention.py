"""What is over goes after its time; what is active or may resume stays, with its addresses."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config.slices import Run
from escalation import retention
from escalation.models import (
    AlertGroup,
    AlertOccurrence,
    Entry,
    EscalationProcess,
    GroupedAlert,
    Heartbeat,
    IntakeRequest,
    Integration,
    Layer,
    LayerMember,
    Policy,
    PolicyVersion,
    Route,
    Schedule,
    ScheduleOverride,
)
from escalation.selectors import deliveries_of
from escalation.services.processes import process_acknowledge, process_stop
from escalation.services.resuming import look
from notifications.engine.erasing import addresses_erase
from notifications.models import Delivery
from tests.escalation.test_policies import PHONE, start, version_of
from tests.factories import UserFactory, schedule_of

pytestmark = pytest.mark.django_db


def run(days: float = 0) -> Run:
    """A run so many days from now."""
    return Run(now=timezone.now() + timedelta(days=days))


def days_ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


def process(name: str, *, started: float, ended: float | None, **fields: Any) -> EscalationProcess:
    ended_at = None if ended is None else days_ago(ended)
    return EscalationProcess.objects.create(
        process_id=name,
        started_at=days_ago(started),
        ended_at=ended_at,
        look_at=days_ago(started),
        **{"state": "active" if ended is None else "stopped", "silent_at": ended_at, **fields},
    )


def test_processes_go_after_they_ended_long_ago_and_not_before() -> None:
    process("old", started=402, ended=401)
    process("young", started=399, ended=398)
    process("long", started=900, ended=399)
    process("active", started=900, ended=None)
    process("resumes", started=900, ended=800, state="acknowledged", resume_at=timezone.now())
    process("loud", started=900, ended=800, silent_at=None)
    assert retention.processes_expire(run()) == 1
    left = set(EscalationProcess.objects.values_list("process_id", flat=True))
    assert left == {"young", "long", "active", "resumes", "loud"}


def test_a_deleted_policy_goes_with_its_versions_once_no_process_names_one() -> None:
    named, _, living = (version_of({"after_s": 0, "targets": [PHONE]}) for _ in range(3))
    Policy.objects.update(created_at=days_ago(500))
    Policy.objects.exclude(pk=living.policy_id).update(deleted_at=days_ago(401))
    of_it = process("of it", started=10, ended=9, policy_version=named)
    assert retention.policies_expire(run()) == 1
    assert set(PolicyVersion.objects.all()) == {named, living}
    of_it.delete()
    assert retention.policies_expire(run()) == 1
    assert set(Policy.objects.all()) == {living.policy}


NAMES_A_POLICY = {
    "heartbeat": lambda policy: Heartbeat(name="Back-up", slug="back-up", policy=policy),
    "integration": lambda policy: Integration(name="Prometheus", format="alertmanager", policy=policy),
    "route": lambda policy: Route(name="All", position=1, policy=policy),
    "group": lambda policy: AlertGroup(
        key="disk", title="Disk", opened_at=timezone.now(), last_at=timezone.now(), policy=policy
    ),
}


@pytest.mark.parametrize("what", NAMES_A_POLICY)
def test_a_deleted_policy_stays_for_as_long_as_something_names_it(what: str) -> None:
    policy = Policy.objects.create(name="gone", created_at=days_ago(500), deleted_at=days_ago(401))
    named = NAMES_A_POLICY[what](policy)
    named.save()
    assert retention.policies_expire(run()) == 0
    named.delete()
    assert retention.policies_expire(run()) == 1


def test_groups_go_with_all_that_was_said_long_after_they_were_resolved(db: None) -> None:
    def group(key: str, *, opened: float, resolved: float | None) -> None:
        ended = None if resolved is None else days_ago(resolved)
        made = AlertGroup.objects.create(
            key=key,
            title=key,
            opened_at=days_ago(opened),
            last_at=days_ago(opened),
            state="open" if resolved is None else "resolved",
            resolved_at=ended,
            process=process(key, started=opened, ended=opened),
        )
        alert = GroupedAlert.objects.create(
            group=made, key=key, title=key, first_at=made.opened_at, last_at=made.opened_at, ended_at=ended
        )
        AlertOccurrence.objects.create(alert=alert, key=key, act="trigger", received_at=made.opened_at)

    group("old", opened=402, resolved=401)
    group("young", opened=402, resolved=399)
    group("open", opened=900, resolved=None)
    AlertOccurrence.objects.create(key="of nothing", act="resolve", received_at=days_ago(401))
    # Its process stays with a group, whose foreign key would stop a whole slice.
    assert retention.processes_expire(run()) == 0
    assert retention.groups_expire(run()) == 3
    assert retention.processes_expire(run()) == 1
    for model in (AlertGroup, GroupedAlert, AlertOccurrence):
        assert set(model.objects.values_list("key", flat=True)) == {"young", "open"}


def test_a_storm_goes_after_the_last_of_its_groups(db: None) -> None:
    """Its foreign keys would stop a whole slice."""

    def group(key: str, *, resolved: float, **fields: Any) -> AlertGroup:
        at = days_ago(resolved)
        ended = {"opened_at": at, "last_at": at, "resolved_at": at, "state": "resolved"}
        return AlertGroup.objects.create(key=key, title=key, **ended, **fields)

    storm = group("storm", resolved=401, is_storm=True)
    group("old", resolved=401, storm=storm)
    group("young", resolved=399, storm=storm)
    assert retention.groups_expire(run()) == 1
    assert retention.groups_expire(run(days=2)) == 1
    assert retention.groups_expire(run(days=2)) == 1
    assert not AlertGroup.objects.exists()


def test_what_integrations_were_sent_is_forgotten_sooner(settings: Any) -> None:
    settings.INTAKE_RETENTION_DAYS = 30
    integration = Integration.objects.create(name="Prometheus", format="alertmanager")
    for days in (29, 31):
        IntakeRequest.objects.create(integration=integration, received_at=days_ago(days), status=200)
    assert retention.requests_expire(run()) == 1
    assert IntakeRequest.objects.count() == 1


def test_deleted_schedules_go_and_of_living_ones_whoever_stood_in_long_ago() -> None:
    user = UserFactory()

    def schedule(name: str, deleted_at: Any) -> Schedule:
        made = schedule_of(user, name=name)
        Schedule.objects.filter(pk=made.pk).update(created_at=days_ago(900), deleted_at=deleted_at)
        for ended in (401, 399):
            ScheduleOverride.objects.create(
                schedule=made,
                user=user,
                starts_at=days_ago(ended + 1),
                ends_at=days_ago(ended),
                created_at=days_ago(500),
            )
        return made

    living, lately = schedule("living", None), schedule("lately", days_ago(399))
    schedule("long ago", days_ago(401))
    assert retention.schedules_expire(run()) == 1
    assert set(Schedule.objects.all()) == {living, lately}
    for rows in (Layer.objects.values_list("schedule"), LayerMember.objects.values_list("layer__schedule")):
        assert sorted(rows) == sorted([(living.pk,), (lately.pk,)])
    assert ScheduleOverride.objects.count() == 4
    assert retention.overrides_expire(run()) == 2
    assert all(each.ends_at > days_ago(400) for each in ScheduleOverride.objects.all())


@pytest.mark.slow
def test_addresses_of_one_that_may_resume_are_kept_until_it_has_or_has_not() -> None:
    """It tells again where it was to tell before."""
    now = timezone.now()
    version = version_of({"after_s": 60, "targets": [PHONE]}, acknowledge_timeout_s=600_000)
    escalation = start(version, at=now)
    process_acknowledge(process=escalation, by="Ana", via="api", now=now)
    assert addresses_erase(run(days=91)) == 0
    assert Delivery.objects.get().address == PHONE["address"]

    look(now + timedelta(days=100))
    again = deliveries_of(escalation).get(status="pending")
    assert again.address == PHONE["address"]
    process_stop(process_id="restaurant", now=now + timedelta(days=100))
    assert addresses_erase(run(days=200)) == 2
    assert set(Delivery.objects.values_list("address", flat=True)) == {""}


def test_entries_of_timelines_go_with_what_they_are_about() -> None:
    old, young = (process(name, started=500, ended=ended) for name, ended in (("old", 401), ("young", 399)))
    ended = {"opened_at": days_ago(500), "last_at": days_ago(500), "state": "resolved"}
    group = AlertGroup.objects.create(key="old", title="Old", resolved_at=days_ago(401), **ended)
    for about in ({"process": old}, {"process": young}, {"group": group}, {"group": group, "process": young}):
        Entry.objects.create(kind="note", text=str(sorted(about)), **about)
    assert retention.processes_expire(run()) == 1
    assert Entry.objects.filter(process=young).count() == 2
    assert Entry.objects.count() == 3
    assert retention.groups_expire(run()) == 1
    assert Entry.objects.get().process == young
