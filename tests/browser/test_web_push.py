"""A push message in a real Chromium, which is handed what a push service would bring: none is reached."""

import json

from playwright.sync_api import Page

from tests.browser.site import Site

READY = "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(Boolean)"
SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(
  (each) => [each.title, each.body, each.requireInteraction, each.actions.map((one) => one.action)])"""


def test_a_push_message_is_shown_with_its_button(site: Site, window: Page) -> None:
    origin = site.url("")
    window.context.grant_permissions(["notifications"], origin=origin)
    window.goto(site.url("/login/"))
    cdp = window.context.new_cdp_session(window)
    found: list[str] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(each["registrationId"] for each in told["registrations"]),
    )
    cdp.send("ServiceWorker.enable")
    assert window.evaluate(READY)
    told = {
        "title": "Theft",
        "body": "Aisle 4",
        "tag": "1",
        "severity": "critical",
        "acknowledge": f"{origin}/acknowledge/x/",
        "words": {"acknowledge": "Acknowledge"},
    }
    message = {"origin": origin, "registrationId": found[-1], "data": json.dumps(told)}
    cdp.send("ServiceWorker.deliverPushMessage", message)
    window.wait_for_function(f"async () => (await ({SHOWN})()).length > 0")
    assert window.evaluate(SHOWN) == [["Theft", "Aisle 4", True, ["acknowledge"]]]
