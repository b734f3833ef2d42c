"""The pages: one process as a line with its steps, live while it moves, for who may see it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from escalation.models import EscalationProcess
from escalation.selectors import deliveries_of
from escalation.services.processes import process_start
from escalation.web.timeline import timeline
from notifications.engine.recipients import Recipient
from notifications.models import Delivery, Notification

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


def delivery(after_s, status="pending", reason="", **data):
    return Delivery(
        notification=Notification(data={"number": 1, **data}),
        channel="phone",
        address="+33612345678",
        status=status,
        reason=reason,
        due_at=START + timedelta(seconds=after_s),
    )


def drawn(*deliveries, ended_s=None, now_s=60):
    ended_at = None if ended_s is None else START + timedelta(seconds=ended_s)
    process = EscalationProcess(process_id="x", started_at=START, ended_at=ended_at)
    return timeline(process, deliveries, now=START + timedelta(seconds=now_s))


def test_an_address_whose_time_was_over_is_said_to_be_erased():
    old = delivery(0, status="sent")
    old.address = ""
    assert [row.address for row in drawn(old, delivery(5)).rows] == ["erased", "+33612345678"]


@pytest.fixture
def browse():
    def build(user=None):
        client = Client(headers={"accept": "text/html"})
        if user is not None:
            client.force_login(user)
        return client

    return build


@pytest.fixture
def process(owner, teammate):
    """Tells owner now, and teammate in an hour."""
    now = timezone.now()
    items = [
        Recipient("sms", now, "+33611111111", user=owner, data={"step": 1, "round": 1}),
        Recipient(
            "sms", now + timedelta(hours=1), "+33622222222", user=teammate, data={"step": 2, "round": 1}
        ),
    ]
    return process_start(process_id="restaurant <b>", notifications=items, now=now).process


def path(process, action=""):
    return f"/escalations/{process.pk}/{action}"


def after(client, process, action):
    """Do it, and return the page that it leads back to."""
    answer = client.post(path(process, action))
    assert answer["Location"] == path(process)
    return client.get(path(process)).content.decode()


# --- The line ---


def test_messages_stand_where_they_are_due_and_the_line_is_drawn_until_now():
    shown = drawn(delivery(0, "sent"), delivery(60, step=2), delivery(120), now_s=30)
    assert [float(mark.x[:-1]) for mark in shown.marks] == [4, 50, 96]
    assert (shown.done_x, shown.end_x) == ("27.00%", None)
    assert [row.after for row in shown.rows] == ["+0:00", "+1:00", "+2:00"]
    assert [row.step for row in shown.rows] == ["", "Step 2", ""]
    assert [tick.label for tick in shown.ticks] == ["+0:00", "+0:30", "+1:00", "+1:30", "+2:00"]


def test_it_ends_where_the_process_did():
    shown = drawn(delivery(0, "sent"), delivery(120, "cancelled", "stopped"), ended_s=60, now_s=3600)
    assert (shown.done_x, shown.end_x) == ("50.00%", "50.00%")


def test_marks_that_would_cover_each_other_stand_above_each_other():
    shown = drawn(*(delivery(after) for after in (0, 0, 1, 600)))
    assert len({mark.y for mark in shown.marks[:3]}) == 3
    assert shown.marks[3].y == shown.marks[0].y == shown.line_y
    many = drawn(*(delivery(0) for _ in range(50)))
    assert all(mark.y > 0 for mark in many.marks)


def test_each_state_has_a_word():
    rows = drawn(
        delivery(0, "sent"),
        delivery(1, "sent", "answered"),
        delivery(2, "sent", "delivered"),
        delivery(3, "sent", "voicemail"),
        delivery(4, "sending"),
        delivery(5, "failed", "rejected"),
        delivery(6, "expired", "too_old"),
        delivery(7, "cancelled", "acknowledged"),
        delivery(8),
    ).rows
    assert [row.words for row in rows] == [
        "Sent", "Answered", "Arrived", "Voicemail", "Being sent", "Failed", "Failed", "Cancelled", "Due",
    ]  # fmt: skip


# --- The pages ---


def test_staff_see_all_of_it_and_its_name_is_escaped(browse, operator, process):
    page = browse(operator).get(path(process)).content.decode()
    assert "+33611111111" in page
    assert "+33622222222" in page
    assert "restaurant &lt;b&gt;" in page
    assert "restaurant <b>" not in page
    assert len(re.findall(r'class="esc-mark due"><title>', page)) == 2


@pytest.mark.slow
def test_who_is_told_sees_what_was_for_them_and_may_acknowledge_but_not_stop(browse, owner, process):
    page = browse(owner).get(path(process)).content.decode()
    assert "+33611111111" in page
    assert "+33622222222" not in page
    assert "esc-stop" not in page
    assert browse(owner).post(path(process, "stop/")).status_code == 403
    process.refresh_from_db()
    assert process.state == "active"
    assert "Acknowledged. Nothing more will be sent." in after(browse(owner), process, "acknowledge/")
    process.refresh_from_db()
    assert (process.state, process.ended_by, process.ended_via) == ("acknowledged", owner.email, "web")
    assert "It was already acknowledged." in after(browse(owner), process, "acknowledge/")


@pytest.mark.slow
def test_staff_stop_it_from_the_page_and_an_old_page_stops_no_later_run(browse, operator, process):
    assert "Stopped. Nothing more will be sent." in after(browse(operator), process, "stop/")
    process.refresh_from_db()
    assert (process.state, process.ended_by) == ("stopped", operator.email)
    now = timezone.now()
    later = [Recipient("sms", now + timedelta(hours=1), "+33611111111")]
    anew = process_start(process_id=process.process_id, notifications=later, now=now).process
    assert "It was already stopped." in after(browse(operator), process, "stop/")
    anew.refresh_from_db()
    assert anew.state == "active"


@pytest.mark.slow
def test_stopping_asks_first_and_looking_stops_nothing(browse, operator, owner, process):
    page = browse(operator).get(path(process, "stop/")).content.decode()
    assert "can't undo" in page
    assert f'href="{path(process, "stop/")}"' in browse(operator).get(path(process)).content.decode()
    assert browse(owner).get(path(process, "stop/")).status_code == 403
    process.refresh_from_db()
    assert process.state == "active"
    browse(operator).post(path(process, "stop/"))
    assert browse(operator).get(path(process, "stop/"))["Location"] == path(process)


def test_the_bar_leads_there_whom_it_concerns(browse, owner, stranger, operator, process):
    link = 'href="/escalations/"'
    for user, is_led in ((owner, True), (operator, True), (stranger, False)):
        assert (link in browse(user).get("/inbox/").content.decode()) is is_led


@pytest.mark.slow
def test_to_a_stranger_it_does_not_exist_and_nobody_anonymous_gets_in(browse, stranger, process):
    for each in (path(process), path(process, "acknowledge/"), path(process, "stop/")):
        method = "get" if each == path(process) else "post"
        assert getattr(browse(stranger), method)(each).status_code == 404
        assert getattr(browse(), method)(each).status_code == 302
    assert "restaurant" not in browse(stranger).get("/escalations/").content.decode()
    process.refresh_from_db()
    assert process.state == "active"


def test_the_page_asks_again_while_it_moves_and_stops_when_it_is_over(browse, operator, process):
    client = browse(operator)
    live = client.get(path(process), headers=HTMX)
    assert live.status_code == 200
    assert "hx-trigger" in live.content.decode()
    assert "<html" not in live.content.decode()
    client.post(path(process, "stop/"))
    over = client.get(path(process), headers=HTMX)
    assert over.status_code == 286
    assert "hx-trigger" not in over.content.decode()


@pytest.mark.slow
def test_a_page_asks_the_same_however_many_messages_there_are(
    browse, operator, process, django_assert_num_queries
):
    client = browse(operator)
    now = timezone.now()
    items = [Recipient("sms", now, f"+336111111{n:02}") for n in range(20)]
    large = process_start(process_id="large", notifications=items, now=now).process
    for each in (process, large):
        with django_assert_num_queries(9):
            client.get(path(each))


def test_the_legend_names_the_states_that_are_shown_and_no_others(browse, operator):
    now = timezone.now()
    later = [Recipient("sms", now + timedelta(hours=1), "+33611111111")]
    made = process_start(process_id="later", notifications=later, now=now).process
    legend = re.search(r'"esc-legend".*?</ul>', browse(operator).get(path(made)).content.decode(), re.DOTALL)[
        0
    ]
    assert re.findall(r"</svg> ([^<]+)</li>", legend) == ["Due"]


def test_the_list_is_newest_first_in_pages_by_state(browse, operator, process, monkeypatch):
    monkeypatch.setattr("escalation.web.views.PAGE_SIZE", 2)
    now = timezone.now()
    for number in range(3):
        item = Recipient("sms", now + timedelta(hours=1), "+33611111111")
        process_start(process_id=f"later {number}", notifications=[item], now=now + timedelta(seconds=number))
    client = browse(operator)
    first = client.get("/escalations/").content.decode()
    assert re.findall(r'esc-name" href="[^"]+">([^<]+)<', first) == ["later 2", "later 1"]
    older = re.search(r'href="(\?before=[^"]+)"', first)[1]
    rest = client.get(f"/escalations/{older}").content.decode()
    assert re.findall(r'esc-name" href="[^"]+">([^<]+)<', rest) == ["later 0", "restaurant &lt;b&gt;"]
    assert "?before=" not in rest
    assert "later" not in client.get("/escalations/?state=stopped").content.decode()


def test_the_path_of_the_list_is_still_the_originals_for_programs(as_machine, browse, process):
    answer = as_machine("escalations:write").post(
        "/escalations/", {"process-id": "restaurant <b>", "action": "stop"}
    )
    assert (answer.status_code, answer.json()["result"]) == (200, "stopped")
    assert as_machine("escalations:read").get("/escalations/").json()["results"]
    assert deliveries_of(process).filter(status="cancelled").count() == 2
    assert browse().get("/escalations/").status_code == 302
