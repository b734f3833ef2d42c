"""What holds a group back: silences, maintenance, snoozing, flapping, and storms."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from escalation.groups import ringing
from escalation.groups.ending import group_acknowledge, group_resolve, group_snooze
from escalation.groups.silencing import silence_cancel, silence_create
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import AlertGroup, Route, Silence
from escalation.services import ending, last_resorts
from notifications.models import Delivery
from tests.escalation.groups.conftest import NOON, Monitoring, policy_for, ringing_now
from tests.queued import end_all

DISK = [{"label": "key", "op": "=", "value": "disk"}]


def silence(monitoring: Monitoring, matchers: list[dict[str, str]] = DISK, **more: Any) -> Silence:
    given = {
        "starts_at": monitoring.now,
        "ends_at": monitoring.now + timedelta(hours=1),
        "reason": "Moving house",
        **more,
    }
    return silence_create(matchers=matchers, now=monitoring.now, **given)


# --- Silences --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_silenced_is_kept_shown_and_told_when_that_is_over(monitoring: Monitoring) -> None:
    quiet = silence(monitoring)
    monitoring.trigger("disk")
    monitoring.trigger("cpu")
    monitoring.later(seconds=1)
    assert ringing_now() == ["Cpu"]
    group = monitoring.group("disk")
    assert (group.quiet, group.silence, group.state) == ("silenced", quiet, "open")
    monitoring.later(minutes=59, seconds=58)
    assert ringing_now() == ["Cpu"]
    monitoring.later(seconds=2)
    assert ringing_now() == ["Cpu", "Disk"]


def test_what_is_over_before_its_silence_is_told_to_nobody(monitoring: Monitoring) -> None:
    silence(monitoring)
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    monitoring.resolve("disk")
    monitoring.later(hours=2)
    assert ringing_now() == []
    assert not Delivery.objects.exists()


@pytest.mark.slow
def test_once_a_silence_is_there_no_call_of_it_begins(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    assert Delivery.objects.filter(status="pending").count() == 2
    silence(monitoring)
    assert not Delivery.objects.filter(status="pending").exists()
    assert monitoring.group("disk").quiet == "silenced"
    monitoring.later(minutes=30)
    assert ringing_now() == []
    monitoring.later(minutes=31)
    assert ringing_now() == ["Disk"]


def test_a_window_that_has_begun_since_ends_what_rings_when_that_is_due_again(
    monitoring: Monitoring, guard: Any
) -> None:
    policy = policy_for(guard, name="All day", repeats=3, repeat_every_s=3600)
    Route.objects.create(name="All", position=1, policy=policy, repeat_interval_s=1800)
    begins = monitoring.now + timedelta(minutes=20)
    silence(monitoring, starts_at=begins, ends_at=begins + timedelta(hours=9))
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    assert ringing_now() == ["Disk"]
    monitoring.later(minutes=30)
    assert monitoring.group("disk").quiet == "silenced"
    assert ringing_now() == []
    assert not Delivery.objects.filter(status="pending").exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_comes_while_a_silence_is_being_stored_does_not_ring_after_it(monitoring: Monitoring) -> None:
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            silence(monitoring)
            # By a connection of its own: it is there before the silence is, for everybody else.
            threads.submit(in_a_thread, lambda: monitoring.trigger("disk")).result()
            telling = threads.submit(in_a_thread, lambda: ringing.look(monitoring.now))
            with pytest.raises(TimeoutError):
                telling.result(timeout=1)
        telling.result(timeout=10)
    assert monitoring.group("disk").quiet == "silenced"
    assert not Delivery.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_is_decided_while_a_silence_is_being_cancelled_is_not_held_back(monitoring: Monitoring) -> None:
    quiet = silence(monitoring)
    monitoring.trigger("disk")
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            ringing.look(monitoring.now)
            cancelling = threads.submit(
                in_a_thread, lambda: silence_cancel(silence=quiet, now=monitoring.now)
            )
            with pytest.raises(TimeoutError):
                cancelling.result(timeout=1)
        cancelling.result(timeout=10)
    monitoring.later(seconds=1)
    assert ringing_now() == ["Disk"]


def in_a_thread(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connection.close()


def test_a_silence_that_is_taken_back_lets_ring_what_it_held(monitoring: Monitoring) -> None:
    quiet = silence(monitoring)
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    silence_cancel(silence=quiet, now=monitoring.now)
    monitoring.later(seconds=1)
    assert ringing_now() == ["Disk"]


@pytest.mark.slow
def test_a_maintenance_window_comes_again_by_its_rule_and_zone(monitoring: Monitoring) -> None:
    """Noon in UTC is 13:00 in Paris in winter, 14:00 in summer; the window is at 13:30 there."""
    silence(
        monitoring,
        starts_at=NOON + timedelta(minutes=30),
        ends_at=NOON + timedelta(minutes=90),
        rule="FREQ=DAILY",
        time_zone="Europe/Paris",
    )
    summer = NOON.replace(month=7, day=6)
    for at, is_quiet in (
        (NOON, False),
        (NOON + timedelta(minutes=30), True),
        (NOON + timedelta(days=3, minutes=89), True),
        (NOON + timedelta(days=3, minutes=90), False),
        (summer - timedelta(minutes=30), True),
        (summer + timedelta(minutes=30), False),
    ):
        monitoring.now = at
        monitoring.trigger("disk")
        monitoring.later(seconds=0)
        assert (monitoring.group("disk").quiet == "silenced") is is_quiet, at
        monitoring.resolve("disk")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("matchers", {"matchers": [{"label": "key", "op": "=~", "value": ".*"}]}),
        ("matchers", {"matchers": [{"label": "key"}]}),
        ("rule", {"rule": "FREQ=SECONDLY"}),
        ("rule", {"rule": "every day"}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("__all__", {"ends_at": NOON - timedelta(seconds=1)}),
    ],
)
def test_a_silence_that_says_nothing_is_refused(monitoring: Monitoring, field: str, given: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        silence(monitoring, **given)
    assert list(refused.value.message_dict) == [field]
    assert not Silence.objects.exists()


# --- By people -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_snoozed_it_rings_again_at_that_time_unless_it_is_over(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.trigger("cpu")
    monitoring.later(seconds=1)
    until = monitoring.now + timedelta(hours=1)
    for key in ("disk", "cpu"):
        assert group_snooze(group=monitoring.group(key), until=until, by="Ana", via="web", now=monitoring.now)
    assert ringing_now() == []
    assert monitoring.group("disk").quiet == "snoozed"
    monitoring.resolve("cpu")
    monitoring.later(hours=1)
    assert ringing_now() == ["Disk"]


def test_people_take_and_close_groups(monitoring: Monitoring) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    group = monitoring.group("disk")
    assert group_acknowledge(group=group, by="Ana", via="web", now=monitoring.now)
    assert monitoring.group("disk").state == "acknowledged"
    assert group_resolve(group=group, by="Ana", via="web", now=monitoring.now)
    assert not group_resolve(group=group, by="Bob", via="web", now=monitoring.now)
    assert not group_acknowledge(group=group, by="Bob", via="web", now=monitoring.now)
    closed = monitoring.group("disk")
    assert (closed.state, closed.ended_by) == ("resolved", "Ana")
    assert monitoring.trigger("disk").outcome == "opened"


# --- Flapping --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_opens_and_closes_again_and_again_is_told_only_once_it_stays(monitoring: Monitoring) -> None:
    for _ in range(3):
        monitoring.trigger("disk")
        monitoring.later(seconds=1)
        assert ringing_now() == ["Disk"]
        monitoring.resolve("disk")
        monitoring.later(seconds=59)
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    assert ringing_now() == []
    assert monitoring.group("disk").quiet == "flapping"
    monitoring.later(minutes=14)
    assert ringing_now() == []
    monitoring.later(minutes=2)
    assert ringing_now() == ["Disk"]


# --- Storms ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_forty_at_once_are_one_call_that_ends_with_the_last_of_them(
    monitoring: Monitoring, django_capture_on_commit_callbacks: Any
) -> None:
    keys = [f"service {number:02}" for number in range(40)]
    monitoring.say(*(Occurrence(key, title=key.title()) for key in keys))
    monitoring.later(seconds=1)
    assert ringing_now() == []
    monitoring.later(seconds=5)
    assert ringing_now() == ["40 alerts at once: Service 00, Service 01, Service 02"]
    storm = AlertGroup.objects.get(is_storm=True)
    assert storm.stormed.count() == 40
    assert {each.quiet for each in storm.stormed.all()} == {"storm"}
    with django_capture_on_commit_callbacks(execute=True):
        monitoring.say(*(Occurrence(key, Act.RESOLVE) for key in keys[:39]))
    assert len(ringing_now()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        monitoring.resolve(keys[39])
    assert ringing_now() == []
    assert AlertGroup.objects.exclude(state="resolved").count() == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_storm_that_takes_a_group_in_while_its_others_end_goes_on(monitoring: Monitoring) -> None:
    keys = [f"service {number}" for number in range(10)]
    monitoring.say(*map(Occurrence, keys))
    monitoring.later(seconds=1)
    monitoring.later(seconds=5)
    monitoring.trigger("disk")
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            ringing.look(monitoring.now)
            ends = [Occurrence(key, Act.RESOLVE) for key in keys]
            ending = threads.submit(in_a_thread, lambda: monitoring.say(*ends))
            with pytest.raises(TimeoutError):
                ending.result(timeout=1)
        ending.result(timeout=10)
    storm = monitoring.group("disk").storm
    assert storm is not None
    assert storm.state == "open"
    monitoring.resolve("disk")
    storm.refresh_from_db()
    assert storm.state == "resolved"


def test_a_storm_whose_end_was_lost_is_closed_by_the_next_look(monitoring: Monitoring) -> None:
    """Without what was to be done after the commit, as where the process dies right behind it."""
    keys = [f"service {number}" for number in range(10)]
    monitoring.say(*map(Occurrence, keys))
    monitoring.later(seconds=1)
    monitoring.later(seconds=5)
    monitoring.say(*(Occurrence(key, Act.RESOLVE) for key in keys))
    assert len(ringing_now()) == 1
    monitoring.later(minutes=1)
    assert ringing_now() == []


@pytest.mark.slow
def test_each_policy_has_its_own_storms_and_what_rang_before_counts(
    monitoring: Monitoring, guard: Any
) -> None:
    other = Monitoring(
        type(monitoring.integration).objects.create(
            name="Other", format="generic", policy=policy_for(guard, name="Day shift")
        )
    )
    for number in range(5):
        monitoring.trigger(f"one {number}")
        monitoring.later(seconds=1)
    assert len(ringing_now()) == 5
    monitoring.trigger("one more")
    other.now = monitoring.now
    other.trigger("alone")
    monitoring.later(seconds=1)
    assert [each for each in ringing_now() if "One" not in each] == ["Alone"]
    assert monitoring.group("one more").quiet == "storm"
    monitoring.later(seconds=5)
    assert ringing_now()[-1] == "1 alerts at once: One More"


@pytest.mark.slow
def test_a_storm_that_has_calmed_takes_nothing_more_in(monitoring: Monitoring) -> None:
    monitoring.say(*(Occurrence(f"key {number}") for number in range(10)))
    monitoring.later(seconds=6)
    monitoring.later(minutes=9)
    monitoring.trigger("in")
    monitoring.later(seconds=1)
    assert monitoring.group("in").quiet == "storm"
    monitoring.later(minutes=11)
    monitoring.trigger("out")
    monitoring.later(seconds=1)
    assert "Out" in ringing_now()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("became", "state", "said"),
    [("sent", "unanswered", "Nobody answered."), ("failed", "reached_nobody", "They were not reached.")],
)
def test_a_group_whose_process_ended_by_itself_says_so(
    monitoring: Monitoring, client: Any, operator: Any, as_user: Any, became: str, state: str, said: str
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    page = f"/groups/{monitoring.group('disk').pk}/"
    client.force_login(operator)
    shown = as_user(operator).get(f"/api/v1{page}").json()
    assert (shown["state"], shown["process_state"]) == ("open", "active")
    assert said not in client.get(page).content.decode()
    end_all(status=became)
    ending.look(monitoring.now + timedelta(seconds=121))
    shown = as_user(operator).get(f"/api/v1{page}").json()
    assert (shown["state"], shown["process_state"]) == ("open", state)
    assert said in client.get(page).content.decode()
    assert f'<span class="esc-state {state}">' in client.get("/groups/").content.decode()
    admin = f"/admin/escalation/alertgroup/{monitoring.group('disk').pk}/change/"
    assert state.replace("_", " ") in client.get(admin).content.decode()


@pytest.mark.slow
def test_resolving_a_group_ends_the_last_resort_of_its_process(monitoring: Monitoring, settings: Any) -> None:
    settings.LAST_RESORT = [{"type": "address", "channel": "sms", "address": "+33612345670"}]
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    end_all(status="sent")
    now = monitoring.now + timedelta(seconds=121)
    ending.look(now)
    last_resorts.look(now)
    resort = Delivery.objects.filter(address="+33612345670")
    assert resort.get().status == "pending"
    monitoring.resolve("disk")
    assert resort.get().status == "cancelled"
