"""Each page of the admin that changes something saves what it shows, as a browser posts it."""

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow

# Machines can't make one by the API.
SCHEDULE = """
WITH made AS (
    INSERT INTO escalation_schedule (id, name, link_version, created_at, updated_at)
    VALUES (uuidv7(), %(name)s, 1, now(), now())
    RETURNING id
), layer AS (
    INSERT INTO escalation_layer (schedule_id, position, name, shift_h, time_zone, starts_on, handoff_at,
                                  per_turn, restrictions)
    SELECT id, 1, '', 168, 'Europe/Paris', '2026-01-05', '08:00', 1, '[]' FROM made
    RETURNING id
)
INSERT INTO escalation_layermember (layer_id, user_id, position)
SELECT layer.id, %(user)s, 1 FROM layer RETURNING (SELECT id FROM made)
"""
NEWEST = "SELECT email FROM accounts_user WHERE is_superuser ORDER BY created_at DESC LIMIT 1"


@pytest.fixture
def operator(site: Site, open_browser: Callable[..., BrowserContext]) -> Page:
    """The window of somebody who is logged in and may change everything."""
    page = open_browser().new_page()
    email = site.register(page)
    site.make_operator(email)
    return page


def schedule(site: Site, user_id: str) -> str:
    """Make a schedule of one person; returns its id."""
    ((pk,),) = site.sql(SCHEDULE, name=f"night {uuid.uuid4().hex[:8]}", user=user_id)
    return str(pk)


def save(page: Page, path: str) -> None:
    """Save a page of the admin unchanged, and expect it to say so."""
    page.goto(path)
    page.locator("[name=_continue], [name=_save]").first.click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_a_schedule_is_saved_unchanged_and_its_link_renewed(site: Site, operator: Page) -> None:
    ((email,),) = site.sql(NEWEST)
    pk = schedule(site, site.user_id(email))
    path = f"/admin/escalation/schedule/{pk}/change/"
    save(operator, path)
    assert site.sql("SELECT count(*) FROM escalation_layer WHERE schedule_id = %(pk)s", pk=pk) == [(1,)]
    operator.goto(path)
    operator.get_by_role("button", name="New calendar link").click()
    expect(operator.get_by_text("no longer work")).to_be_visible()
    assert site.sql("SELECT link_version FROM escalation_schedule WHERE id = %(pk)s", pk=pk) == [(2,)]


# Pairs of a label and a field of another one that lies over it.
COVERED = """
(() => {
    const box = (element) => element.getBoundingClientRect();
    const shown = (element) => element.offsetParent !== null && box(element).width > 1;
    const labels = [...document.querySelectorAll("#content-main label")].filter(shown);
    const fields = [...document.querySelectorAll("#content-main :is(input, select, textarea)")].filter(shown);
    const meet = (one, other) =>
        one.left < other.right - 1 && other.left < one.right - 1 &&
        one.top < other.bottom - 1 && other.top < one.bottom - 1;
    return labels.flatMap((label) => fields
        .filter((field) => !label.contains(field) && meet(box(label), box(field)))
        .map((field) => `${field.name} covers ${label.textContent.trim()}`));
})()
"""
# What the lists that change something are of, at least.
CHANGED = {
    "accounts/user",
    "accounts/shop",
    "notifications/contactpoint",
    "escalation/schedule",
    "escalation/layer",
    "escalation/policy",
    "dating/event",
    "dating/recurringrule",
    "tracing/filter",
    "tracing/device",
}


def test_each_page_that_changes_something_saves_what_it_shows(site: Site, operator: Page) -> None:
    ((email,),) = site.sql(NEWEST)
    site.furnish(email)
    operator.goto("/admin/")
    lists = operator.evaluate(
        "[...new Set([...document.querySelectorAll('a')].map(a => a.pathname))]"
        ".filter(path => /^\\/admin\\/[a-z_]+\\/[a-z]+\\/$/.test(path))"
    )
    saved = {path.removeprefix("/admin/").rstrip("/") for path in lists if save_first_of(operator, path)}
    assert saved >= CHANGED, CHANGED - saved


def save_first_of(page: Page, path: str) -> bool:
    """Save the first row of a list unchanged; False where it has no row, or none that may be changed."""
    page.goto(path)
    row = page.locator("#result_list a[href*='/change/']").first
    if not row.count():
        return False
    page.goto(str(row.get_attribute("href")))
    if not page.locator("[name=_continue]").count():
        return False
    page.locator("[name=_continue]").first.click()
    expect(page.get_by_text("was changed successfully"), path).to_be_visible()
    return True


def test_no_field_covers_the_label_of_another_where_something_is_added(site: Site, operator: Page) -> None:
    operator.set_viewport_size({"width": 1440, "height": 900})
    operator.goto("/admin/")
    adds = operator.evaluate(
        "[...new Set([...document.querySelectorAll('a')].map(a => a.pathname))]"
        ".filter(path => path.endsWith('/add/'))"
    )
    assert "/admin/dating/recurringrule/add/" in adds
    for path in adds:
        operator.goto(path)
        assert operator.evaluate(COVERED) == [], path


def test_whoever_may_not_use_the_admin_is_told_so(site: Site, window: Page) -> None:
    email = site.register(window)
    window.goto("/admin/")
    expect(window.get_by_text(f"You are logged in as {email}")).to_be_visible()
    window.get_by_role("link", name="your own pages").click()
    expect(window.get_by_role("heading", level=1)).to_contain_text("Hello")
