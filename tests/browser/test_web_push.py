"""A push message in a real Chromium, which is handed what a push service would bring: none is reached."""

import json
import time

from playwright.sync_api import Page

from tests.browser.site import Site

READY = "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(Boolean)"
TOKEN = """
import json
from notifications.models import Delivery
from escalation.acknowledge_links import token_of
told = Delivery.objects.get(notification__source_type="escalation", user__email={email!r})
print(json.dumps([token_of(told.pk), told.notification.source_id]))
"""
STATE = "SELECT state FROM escalation_escalationprocess WHERE id = %(process)s::uuid"
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


def test_its_button_acknowledges_where_no_page_is_open(site: Site, window: Page) -> None:
    origin = site.url("")
    window.context.grant_permissions(["notifications"], origin=origin)
    email = site.register(window)
    site.furnish(email)
    token, process = json.loads(site.python(TOKEN.format(email=email)))
    assert site.sql(STATE, process=process) == [("active",)]
    assert window.evaluate(READY)
    (worker,) = window.context.service_workers
    said = f"""async () => {{
      await self.registration.showNotification("Theft", {{
        data: {{ acknowledge: "{origin}/acknowledge/{token}/" }} }});
      const [notification] = await self.registration.getNotifications();
      const init = {{ notification, action: "acknowledge" }};
      self.dispatchEvent(new NotificationEvent("notificationclick", init));
    }}"""
    worker.evaluate(said)
    deadline = time.monotonic() + 20
    while site.sql(STATE, process=process) != [("acknowledged",)]:
        assert time.monotonic() < deadline
        window.wait_for_timeout(50)
