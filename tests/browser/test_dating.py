"""An evening's page moves by itself."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow


def as_organiser(site: Site, path: str, **body: Any) -> dict[str, Any]:
    """Ask the API with a key that may run evenings."""
    headers = {"Authorization": f"Bearer {site.new_key('dating:write')}"}
    answer = site.http.post(site.url(f"/api/v1/dating/{path}"), json=body, headers=headers, timeout=30)
    assert answer.status_code in (200, 201), answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_the_page_follows_the_evening_without_being_loaded_again(site: Site, window: Page) -> None:
    starts_at = datetime.now(UTC) + timedelta(days=3)
    event = as_organiser(site, "events/", title="Friday at eight", starts_at=starts_at.isoformat())
    site.register(window)
    window.goto(site.url(f"/dating/{event['id']}/"))
    window.evaluate("window.stayed = true")
    window.get_by_role("button", name="Register").click()
    expect(window.get_by_role("heading", name="You are registered")).to_be_visible()
    expect(window.get_by_role("timer")).to_have_text(re.compile(r"in (1 day|2 days)"))

    as_organiser(site, f"events/{event['id']}/end/")
    expect(window.get_by_role("heading", name="The evening is not taking place")).to_be_visible()
    expect(window.get_by_text("The organiser has called it off.")).to_be_visible()
    assert window.evaluate("window.stayed")
