"""Two people meet in the built-in room: they see and hear each other, until the round is over."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
NAMES: Final = ("Ana", "Bo")
MEDIA: Final = ["camera", "microphone"]
# How many times longer things take where tests run beside each other than on a machine of one's own.
SLOW: Final = 10
BIRTHDAYS: Final = """
INSERT INTO dating_datingprofile (user_id, birthday, city, seeks, manual_score, created_at)
SELECT uuid, '1999-05-01', 'Paris', 'anyone', 3, now() FROM accounts_user WHERE email = %(email)s
"""
JOINED: Final = """
SELECT count(*) FROM dating_seat JOIN dating_round AS round ON round.id = round_id
 WHERE event_id = %(event)s AND joined_at IS NOT NULL
"""
# The picture of the partner has come, and goes on.
SEES: Final = """
async () => {
    const video = document.getElementById("room-partner");
    const before = video.currentTime;
    await new Promise((done) => setTimeout(done, 300));
    return video.videoWidth > 0 && video.currentTime > before;
}
"""


class Evening:
    """An evening of two, which begins as soon as both are ready."""

    def __init__(self, site: Site, *, round_s: int) -> None:
        self.site = site
        starts_at = datetime.now(UTC) + timedelta(hours=2)
        wish = {
            "title": "Friday at eight",
            "starts_at": starts_at.isoformat(),
            "confirm_before_s": 10_000,
            "round_s": round_s,
            "break_s": 600,
        }
        self.id = self.ask("events/", **wish)["id"]

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.site.new_key('dating:write')}"}
        url = self.site.url(f"/api/v1/dating/{path}")
        answer = self.site.http.post(url, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def take_part(self, emails: Sequence[str]) -> None:
        people = [self.site.user_id(email) for email in emails]
        for user_id in people:
            self.ask(f"events/{self.id}/register/", user_id=user_id)
        self.wait_for("confirming")
        for user_id in people:
            self.ask(f"events/{self.id}/confirm/", user_id=user_id)
        for step in ("closed", "ready_check"):
            # As if its time had come: an evening's own times are minutes apart.
            self.site.sql(
                "UPDATE dating_event SET deadline_at = clock_timestamp() WHERE id = %(event)s", event=self.id
            )
            self.wait_for(step)

    def wait_for(self, step: str) -> None:
        there = "SELECT 1 FROM dating_event WHERE id = %(event)s AND step = %(step)s"
        deadline = time.monotonic() + 90
        while not self.site.sql(there, event=self.id, step=step):
            assert time.monotonic() < deadline, f"not {step} yet"
            time.sleep(0.05)

    def begin(self, *pages: Page) -> None:
        for page in pages:
            page.goto(self.site.url(f"/dating/{self.id}/"))
            page.get_by_role("button", name="I'm ready").click()
        for page in pages:
            expect(page.locator("#dat-join")).to_be_visible()

    def ends_at(self) -> float:
        found = self.site.sql(
            "SELECT extract(epoch FROM ends_at)::float8 FROM dating_round WHERE event_id = %(event)s",
            event=self.id,
        )
        return float(found[0][0])

    def now(self) -> float:
        return float(self.site.sql("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0])


@pytest.fixture
def pair(site: Site, open_browser: OpenBrowser) -> Iterator[Callable[..., tuple[Evening, Page, Page]]]:
    """Two people of an evening whose round has begun, each with a browser of their own."""

    def build(round_s: int = 600, *, may: tuple[list[str], list[str]] = (MEDIA, MEDIA)) -> Any:
        pages = [open_browser(permissions=each).new_page() for each in may]
        emails = [site.register(page, first_name=name) for page, name in zip(pages, NAMES, strict=True)]
        evening = Evening(site, round_s=round_s)
        for email in emails:
            site.sql(BIRTHDAYS, email=email)
        evening.take_part(emails)
        evening.begin(*pages)
        return evening, *pages

    return build


def enter(page: Page) -> Page:
    with page.expect_popup() as opened:
        page.locator("#dat-join").click()
    return opened.value


def state(page: Page, wanted: str) -> None:
    expect(page.locator("#room")).to_have_attribute("data-state", wanted)


def test_two_meet_at_once_and_part_when_the_round_is_over(site: Site, pair: Callable[..., Any]) -> None:
    evening, ana, bo = pair(25)
    one = enter(ana)
    state(one, "waiting")
    expect(one.get_by_role("heading", name="Round 1: you meet Bo")).to_be_visible()
    expect(one.get_by_role("status").filter(has_text="Waiting for Bo")).to_be_visible()
    clicked_at = time.monotonic()
    other = enter(bo)
    for page in (one, other):
        state(page, "connected")
    took = time.monotonic() - clicked_at
    assert took < 2 * SLOW, took
    for page in (one, other):
        page.wait_for_function(SEES)
        expect(page.get_by_role("timer")).to_have_text(re.compile(r"in 00:\d\d"))
    assert site.sql(JOINED, event=evening.id) == [(2,)]
    assert evening.now() < evening.ends_at()
    for page in (one, other):
        state(page, "over")
    late = evening.now() - evening.ends_at()
    assert 0 <= late < 1 * SLOW, late
    for page in (one, other):
        expect(page.get_by_text("The call is over.")).to_be_visible()
        assert page.evaluate("document.getElementById('room-self').srcObject.active") is False


def test_while_the_server_fails_the_page_says_so_and_nothing_else(pair: Callable[..., Any]) -> None:
    _, ana, bo = pair()
    signals, status = re.compile(r"/signals/"), "The server isn't responding properly"
    ana.context.route(signals, lambda route: route.fulfill(status=503))
    one = enter(ana)
    expect(one.locator("#room-status")).to_contain_text(status)
    ana.context.unroute(signals)
    expect(one.locator("#room-status")).to_contain_text("Waiting for Bo")

    # Where it hears, and nothing that it says is passed on.
    def refuse(route: Route) -> None:
        route.fulfill(status=503) if route.request.method == "POST" else route.continue_()

    ana.context.route(signals, refuse)
    expect(one.locator("#room-status")).to_contain_text(status)
    other = enter(bo)
    ana.context.unroute(signals)
    for page in (one, other):
        state(page, "connected")


def test_whoever_refuses_the_camera_is_told_so_and_is_seen_once_they_allow_it(
    site: Site, pair: Callable[..., Any]
) -> None:
    evening, ana, bo = pair(may=([], MEDIA))
    one = enter(ana)
    trouble = one.get_by_role("alert").filter(has_text="Bo can neither hear nor see you")
    expect(trouble).to_contain_text("may not use your camera and microphone")
    expect(one.get_by_role("button", name="Mute microphone")).to_be_disabled()
    other = enter(bo)
    for page in (one, other):
        state(page, "connected")
    one.wait_for_function(SEES)
    one.context.grant_permissions(MEDIA)
    one.get_by_role("button", name="Try again").click()
    expect(trouble).to_be_hidden()
    other.wait_for_function(SEES)

    # By the keyboard alone, and as a screen reader has it.
    mute = one.get_by_role("button", name="Mute microphone")
    mute.focus()
    one.keyboard.press("Space")
    expect(mute).to_have_attribute("aria-pressed", "true")
    assert one.evaluate("document.getElementById('room-self').srcObject.getAudioTracks()[0].enabled") is False

    # Whoever leaves can come back; whoever opens another window leaves the first.
    one.get_by_role("button", name="Leave the call").click()
    expect(other.get_by_text("Ana has left the call")).to_be_visible()
    one.get_by_role("button", name="Rejoin the call").click()
    state(other, "connected")
    again = enter(ana)
    expect(one.get_by_text("You opened this call in another window")).to_be_visible()
    for page in (again, other):
        state(page, "connected")
    evening.ask(f"events/{evening.id}/end/")
    for page in (again, other):
        state(page, "over")
