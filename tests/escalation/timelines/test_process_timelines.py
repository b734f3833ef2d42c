"""The timeline of an escalation: who was told, what people did and noted; over the API and on its page."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from escalation.models import Entry, EscalationProcess
from escalation.selectors import deliveries_of
from escalation.services.processes import process_acknowledge, process_start, process_stop
from escalation.services.resuming import look as resume
from escalation.timelines.entries import MOST_NOTES, note_add
from notifications.engine.recipients import Recipient
from notifications.models import Outgoing
from tests.escalation.conftest import Bells
from tests.escalation.test_policies import version_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
URL = "/api/v1/escalations/"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def told(user: User, seconds: float, *, step: int = 1) -> Recipient:
    data = {"step": step, "round": 1}
    return Recipient("sms", at(seconds), "+33611111111", user=user, data=data)


@pytest.fixture
def process(owner: User, teammate: User) -> EscalationProcess:
    """Tells the owner at noon, and the teammate two minutes later."""
    items = [told(owner, 0), told(teammate, 120, step=2)]
    return process_start(process_id="order", notifications=items, now=NOON).process


def sent(process: EscalationProcess, *seconds: float) -> None:
    """Have the first messages sent, each so long after noon."""
    for each, after in zip(deliveries_of(process).order_by("due_at"), seconds, strict=False):
        each.status, each.sent_at, each.attempts = "sent", at(after), 1
        each.save(update_fields=["status", "sent_at", "attempts"])
        Outgoing.objects.filter(delivery=each).delete()


def lines(client: APIClient, name: str = "order") -> list[tuple[str, str]]:
    shown = client.get(f"{URL}{name}/timeline/").json()["lines"]
    return [(each["kind"], each["text"]) for each in shown]


@pytest.fixture
def machine(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("escalations:read", "escalations:write")


def test_it_goes_from_the_start_to_the_stop(machine: APIClient, process: EscalationProcess) -> None:
    sent(process, 1.5)
    process_acknowledge(process=process, by="Ana", via="phone", now=at(65))
    shown = machine.get(f"{URL}order/timeline/").json()
    assert [(each["after_s"], each["kind"], each["text"]) for each in shown["lines"]] == [
        (0.0, "started", "Escalation started."),
        (1.5, "message", "Step 1: sms to Ana. Told by sms."),
        (65.0, "acknowledged", "Acknowledged by Ana by a key on the phone, 1 min 5 s after the start."),
    ]
    assert {each["name"]: each["value"] for each in shown["facts"]} == {
        "Escalation": "order",
        "Run": str(process.pk),
        "State": "Acknowledged",
        "Started": "2026-03-02T12:00:00.000000Z",
        "Acknowledged after": "1 min 5 s",
        "Ended": "2026-03-02T12:01:05.000000Z",
        "Messages": "1 sent, 1 not needed any more",
    }
    assert (shown["lines"][2]["by"], shown["lines"][2]["via"]) == ("Ana", "phone")


def test_it_says_when_an_acknowledgement_ran_out_and_who_took_it_then(
    machine: APIClient, owner: User
) -> None:
    phone = {"type": "address", "channel": "phone", "address": "+33612345678"}
    version = version_of({"after_s": 0, "targets": [phone]}, acknowledge_timeout_s=600)
    items = [told(owner, 0)]
    process = process_start(process_id="order", notifications=items, now=NOON, policy_version=version).process
    process_acknowledge(process=process, by="Ana", via="web", now=at(60))
    process_acknowledge(process=process, by="Ben", via="link", now=at(90))
    resume(at(690))
    process_stop(process_id="order", by="Cleo", via="admin", now=at(700))
    shown = [text for kind, text in lines(machine) if kind not in ("message", "started")]
    assert shown == [
        "Acknowledged by Ana on its page, 1 min after the start.",
        "Acknowledged by Ben by the link in a message, 1 min 30 s after the start.",
        "The acknowledgement ran out: people are told again.",
        "Stopped by Cleo in the admin, 11 min 40 s after the start.",
    ]


def test_a_run_that_nobody_answered_says_so_and_who_came_late(
    machine: APIClient, process: EscalationProcess
) -> None:
    deliveries_of(process).update(status="failed")
    EscalationProcess.objects.update(state="finished", ended_at=at(130), silent_at=at(130))
    assert lines(machine)[-1] == ("ended", "Ended with nothing left to send: nobody acknowledged it.")
    process.refresh_from_db()
    process_acknowledge(process=process, by="Ana", via="link", now=at(200))
    assert lines(machine)[-2:] == [
        ("ended", "Ended with nothing left to send: nobody had acknowledged it."),
        ("acknowledged", "Acknowledged by Ana by the link in a message, 3 min 20 s after the start."),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("state", "last"), [("stopped", "Stopped"), ("acknowledged", "Acknowledged")])
def test_what_was_done_before_entries_were_kept_is_told_too(
    machine: APIClient, process: EscalationProcess, state: str, last: str
) -> None:
    if state == "stopped":
        process_stop(process_id="order", by="Ana", via="api", now=at(60))
    else:
        process_acknowledge(process=process, by="Ana", via="api", now=at(60))
    shown = lines(machine)
    Entry.objects.all().delete()
    assert lines(machine) == shown
    assert shown[-1] == (state, f"{last} by Ana through the API, 1 min after the start.")


@pytest.mark.slow
def test_real_sends_are_in_it_with_their_outcome(bells: Bells) -> None:
    bells.start("order", bells.text(0), bells.hook(0, "/refused"), bells.call(600))
    bells.hooks.behave("status:410")
    bells.forward(0)
    bells.client.post(f"{URL}order/acknowledge/")
    shown = bells.client.get(f"{URL}order/timeline/").json()
    assert [each["kind"] for each in shown["lines"]] == ["started", "message", "message", "acknowledged"]
    assert shown["lines"][0]["text"] == "Escalation started, asked for by the API key a machine."
    texts = {each["channel"]: each["text"] for each in shown["lines"] if each["kind"] == "message"}
    assert texts["sms"] == "sms to +3851111111. Told by sms."
    assert texts["webhook"].startswith(f"webhook to {bells.hooks.origin}/refused. ")
    assert shown["lines"][-1]["text"].startswith("Acknowledged by API key a machine (")


@pytest.mark.slow
def test_people_see_the_messages_to_themselves_and_strangers_nothing(
    as_user: Any, process: EscalationProcess, owner: User, stranger: User, operator: User
) -> None:
    sent(process, 1, 121)
    process_stop(process_id="order", by="Ana", via="web", now=at(200))
    mine = [text for kind, text in lines(as_user(owner)) if kind == "message"]
    assert mine == ["Step 1: sms to Ana. Told by sms."]
    assert len([text for kind, text in lines(as_user(operator)) if kind == "message"]) == 2
    for action in ("timeline/", "timeline.md", "notes/"):
        assert as_user(stranger).get(f"{URL}order/{action}").status_code == 404
        assert as_user(owner).get(f"{URL}order/{action}").status_code == 200
    assert as_user(stranger).post(f"{URL}order/notes/", {"text": "Hello"}).status_code == 404


@pytest.mark.slow
def test_reading_it_asks_the_same_however_long_it_is(
    machine: APIClient, owner: User, asked: list[str]
) -> None:
    machine.get(URL)  # notes that the key is used
    counts = []
    for name, many in (("short", 1), ("long", 30)):
        items = [told(owner, number) for number in range(many)]
        process = process_start(process_id=name, notifications=items, now=NOON).process
        sent(process, *range(many))
        for number in range(many):
            note_add(about=process, text="So.", by="Ana", via="api", user=owner, now=at(number))
        asked.clear()
        assert len(lines(machine, name)) == 1 + 2 * many
        counts.append(len(asked))
    assert counts[0] == counts[1] == 5


# --- Notes ----------------------------------------------------------------------------------------------


def test_a_note_is_kept_with_its_author_and_time(
    as_user: Any, machine: APIClient, process: EscalationProcess, owner: User
) -> None:
    mine = as_user(owner).post(f"{URL}order/notes/", {"text": "  Restarted it.\r\nOnce. "})
    assert (mine.status_code, mine.json()["text"]) == (201, "Restarted it.\nOnce.")
    assert (mine.json()["by"], mine.json()["via"]) == ("owner@example.com", "api")
    assert machine.post(f"{URL}{process.pk}/notes/", {"text": "Deployed 4.2"}).status_code == 201
    shown = machine.get(f"{URL}order/notes/").json()["results"]
    assert [each["text"] for each in shown] == ["Deployed 4.2", "Restarted it.\nOnce."]
    assert shown[0]["by"].startswith("API key a machine (")
    notes = [each for each in machine.get(f"{URL}order/timeline/").json()["lines"] if each["kind"] == "note"]
    assert [(each["text"], each["details"]) for each in notes] == [
        ("Note by owner@example.com:", "Restarted it.\nOnce."),
        (f"Note by {shown[0]['by']}:", "Deployed 4.2"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "   ", "x" * 4001, 7, None, "a\x00b"])
def test_what_is_no_note_is_refused(machine: APIClient, process: EscalationProcess, text: Any) -> None:
    refused = machine.post(f"{URL}order/notes/", {"text": text})
    assert (refused.status_code, list(refused.json())) == (400, ["text"])
    assert not Entry.objects.exists()


def test_keys_note_with_the_scope_to_write_alone(as_machine: Any, process: EscalationProcess) -> None:
    path, note = f"{URL}order/notes/", {"text": "Hello"}
    assert as_machine("escalations:read").post(path, note).status_code == 403
    assert as_machine("escalations:write").get(path).status_code == 403
    assert as_machine("escalations:write").post(path, note).status_code == 201


def test_there_is_an_end_to_notes(machine: APIClient, process: EscalationProcess) -> None:
    Entry.objects.bulk_create(Entry(process=process, kind="note", text="So.") for _ in range(MOST_NOTES - 1))
    path, note = f"{URL}order/notes/", {"text": "Hello"}
    assert [machine.post(path, note).status_code for _ in range(2)] == [201, 409]


def test_notes_are_among_what_is_stored_about_whoever_wrote_them(
    as_user: Any, process: EscalationProcess, owner: User, operator: User
) -> None:
    for user in (owner, operator):
        as_user(user).post(f"{URL}order/notes/", {"text": f"By {user.email}"})
    (mine,) = as_user(owner).get("/api/v1/users/me/export/").json()["notes"]
    assert (mine["text"], mine["process_id"]) == ("By owner@example.com", str(process.pk))
    owner.delete()
    assert Entry.objects.filter(kind="note").count() == 2


@pytest.mark.parametrize("name", ["a/notes", "a/timeline", "a/timeline.md", "figures", "figures/a"])
def test_no_process_hides_behind_these_pages(machine: APIClient, name: str) -> None:
    start = {"process-id": name, "action": "start", "notifications": [{"channel": "sms", "at": 0}]}
    assert "process-id" in machine.post(URL, start).json()


# --- The page -------------------------------------------------------------------------------------------


@pytest.fixture
def page(owner: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(owner)
    return client


def test_the_page_shows_the_same_and_takes_a_note_without_scripts(
    page: Client, process: EscalationProcess, as_user: Any, owner: User
) -> None:
    sent(process, 1)
    path = f"/escalations/{process.pk}/"
    assert page.post(f"{path}notes/", {"text": "<b>Restarted</b>\nit"})["Location"] == path
    shown = page.get(path).content.decode()
    for _, text in lines(as_user(owner)):
        assert text in shown
    assert "&lt;b&gt;Restarted&lt;/b&gt;<br>it" in shown
    assert re.findall(r"<th scope=\"row\">(\+[\d:]+)<span", shown)[-3:-1] == ["+0:00", "+0:01"]


def test_a_note_that_is_refused_comes_back_on_the_page(page: Client, process: EscalationProcess) -> None:
    refused = page.post(f"/escalations/{process.pk}/notes/", {"text": "x" * 4001})
    assert refused.status_code == 422
    assert "x" * 4001 in refused.content.decode()
    assert page.post(f"/escalations/{process.pk}/notes/", {"text": " "}).status_code == 422
    assert not Entry.objects.exists()


def test_strangers_have_no_page_of_it(process: EscalationProcess, stranger: User) -> None:
    page = Client()
    page.force_login(stranger)
    path = f"/escalations/{process.pk}/"
    assert page.post(f"{path}notes/", {"text": "Hello"}).status_code == 404
    assert page.get(f"{path}timeline.md").status_code == 404
    assert not Entry.objects.exists()
