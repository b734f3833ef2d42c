"""The timeline of an alert group: all escalations that told it, and what was done meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from escalation.groups.ending import group_acknowledge, group_resolve, group_snooze
from escalation.groups.silencing import silence_cancel, silence_create
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import Entry
from escalation.services.processes import process_acknowledge
from tests.escalation.groups.conftest import NOON, Monitoring


def shown(client: APIClient, monitoring: Monitoring, key: str = "disk") -> list[tuple[float, str, str]]:
    lines = client.get(f"/api/v1/groups/{monitoring.group(key).pk}/timeline/").json()["lines"]
    return [(each["after_s"], each["kind"], each["text"]) for each in lines if each["kind"] != "message"]


@pytest.fixture
def machine(as_machine: Any) -> APIClient:
    client: APIClient = as_machine("escalations:read", "escalations:write")
    return client


STARTED = "Escalation started by the policy Night shift (version 1)."


@pytest.mark.slow
def test_it_has_every_turn_from_opening_to_the_end(monitoring: Monitoring, machine: APIClient) -> None:
    monitoring.trigger("disk", title="Disk full")
    monitoring.later(seconds=1)
    monitoring.later(seconds=59)
    by = {"group": monitoring.group("disk"), "by": "Ana", "via": "web"}
    assert group_snooze(**by, until=NOON + timedelta(minutes=5), now=monitoring.now)
    monitoring.later(minutes=4, seconds=1)
    process_acknowledge(process=monitoring.group("disk").process, by="Ben", via="phone", now=monitoring.now)
    monitoring.later(minutes=1)
    assert group_acknowledge(group=monitoring.group("disk"), by="Cleo", via="api", now=monitoring.now)
    monitoring.later(seconds=30)
    monitoring.say(Occurrence("disk", Act.NOTE, details="98 %", by="probe"))
    monitoring.later(seconds=30)
    monitoring.resolve("disk")
    assert shown(machine, monitoring) == [
        (0, "started", "Opened by Prometheus: Disk full"),
        (1, "started", STARTED),
        (60, "snoozed", "Snoozed until 2026-03-02 12:05:00 UTC by Ana on its page."),
        (301, "started", STARTED),
        (301, "acknowledged", "Acknowledged by Ben by a key on the phone, 0 s after the start."),
        (361, "acknowledged", "Acknowledged by Cleo through the API, 6 min 1 s after the start."),
        (391, "note", "Note from its source by probe:"),
        (421, "resolved", "Resolved by Prometheus by its source, 7 min 1 s after it was opened."),
    ]
    facts = machine.get(f"/api/v1/groups/{by['group'].pk}/timeline/").json()["facts"]
    assert {"name": "Acknowledged after", "value": "5 min 1 s"} in facts
    assert {"name": "Resolved after", "value": "7 min 1 s"} in facts


@pytest.mark.slow
def test_an_act_on_a_group_is_told_once_though_it_ends_its_escalation(
    monitoring: Monitoring, machine: APIClient
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    monitoring.later(seconds=9)
    assert group_acknowledge(group=monitoring.group("disk"), by="Ana", via="web", now=monitoring.now)
    monitoring.later(seconds=10)
    assert group_resolve(group=monitoring.group("disk"), by="Ana", via="web", now=monitoring.now)
    assert [kind for _, kind, _ in shown(machine, monitoring)] == [
        "started", "started", "acknowledged", "resolved",
    ]  # fmt: skip


@pytest.mark.slow
def test_silences_are_in_it_with_their_reason(
    monitoring: Monitoring, machine: APIClient, operator: User
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    ends_at = NOON + timedelta(hours=1)
    silence = silence_create(
        now=monitoring.now, by=operator, reason="New disks", starts_at=NOON, ends_at=ends_at
    )
    monitoring.trigger("cpu")
    monitoring.later(minutes=1)
    silence_cancel(silence=silence, now=monitoring.now)
    monitoring.later(seconds=1)
    until = "Silenced until 2026-03-02 13:00:00 UTC"
    assert shown(machine, monitoring)[2] == (1, "silenced", f"{until} by operator@example.com:")
    assert shown(machine, monitoring)[3][:2] == (62, "started")
    assert shown(machine, monitoring, "cpu")[1] == (60, "silenced", f"{until}:")
    lines = machine.get(f"/api/v1/groups/{monitoring.group('cpu').pk}/timeline/").json()["lines"]
    assert lines[1]["details"] == "New disks"


@pytest.mark.slow
def test_what_flaps_says_that_it_is_held_back(monitoring: Monitoring, machine: APIClient) -> None:
    for _ in range(4):
        monitoring.trigger("disk")
        monitoring.later(seconds=1)
        last = shown(machine, monitoring)[-1]
        monitoring.resolve("disk")
        monitoring.later(seconds=1)
    assert last[1:] == (
        "flapping",
        "Held back until 2026-03-02 12:15:07 UTC: it opens and closes again and again.",
    )


@pytest.mark.slow
def test_each_alert_of_a_group_is_in_it(monitoring: Monitoring, machine: APIClient, settings: Any) -> None:
    settings.STORM_GROUPS = 1
    for key in ("disk", "cpu", "net"):
        monitoring.trigger(key)
    monitoring.later(seconds=1)
    monitoring.later(seconds=10)
    storm = [text for _, kind, text in shown(machine, monitoring, "cpu") if kind == "stormed"]
    assert storm == ["Told with others in one summary: 3 alerts at once: Disk, Cpu, Net"]


@pytest.mark.slow
def test_notes_on_a_group_are_for_those_who_were_told(
    monitoring: Monitoring, as_user: Any, guard: User, stranger: User
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    path = f"/api/v1/groups/{monitoring.group('disk').pk}/"
    note = {"text": "Cleaned up."}
    assert as_user(stranger).post(f"{path}notes/", note).status_code == 404
    assert as_user(guard).post(f"{path}notes/", note).status_code == 201
    assert [each["text"] for each in as_user(guard).get(f"{path}notes/").json()["results"]] == ["Cleaned up."]
    for action in ("notes/", "timeline/", "timeline.md"):
        assert as_user(stranger).get(f"{path}{action}").status_code == 404
    assert as_user(guard).get(f"{path}timeline/").json()["lines"][-1]["details"] == "Cleaned up."


@pytest.mark.slow
def test_the_page_of_a_group_shows_all_of_it_and_takes_notes(
    monitoring: Monitoring, guard: User, as_user: Any
) -> None:
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    page = Client(headers={"accept": "text/html"})
    page.force_login(guard)
    path = f"/groups/{monitoring.group('disk').pk}/"
    assert page.post(f"{path}notes/", {"text": "Mine | yours"})["Location"] == path
    assert page.post(f"{path}notes/", {"text": " "}).status_code == 422
    html = page.get(path).content.decode()
    for _, _, text in shown(as_user(guard), monitoring):
        assert text in html
    assert "Mine | yours" in html
    assert "Mine &#124; yours" in page.get(f"{path}timeline.md").content.decode()


@pytest.mark.slow
def test_reading_it_asks_the_same_however_much_there_is(
    monitoring: Monitoring, machine: APIClient, asked: list[str]
) -> None:
    counts = []
    monitoring.trigger("disk")
    monitoring.later(seconds=1)
    machine.get("/api/v1/groups/")  # notes that the key is used
    for _ in range(2):
        asked.clear()
        assert shown(machine, monitoring)
        counts.append(len(asked))
        for _ in range(5):
            group = monitoring.group("disk")
            until = monitoring.now + timedelta(minutes=1)
            assert group_snooze(group=group, until=until, by="Ana", via="web", now=monitoring.now)
            monitoring.later(minutes=1, seconds=1)
    assert Entry.objects.filter(kind="told").count() == 11
    # One of them is this test's own, for the group.
    assert counts == [10, 10]
