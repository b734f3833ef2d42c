"""`make screenshots`: pictures of the pages, by day and by night, for docs/images."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import django
from playwright.sync_api import sync_playwright

django.setup()

from tests.browser.conftest import FLAGS, NAMES  # noqa: E402
from tests.browser.site import Site  # noqa: E402
from tests.packages import ROOT  # noqa: E402
from tests.servers.smtp import MailServer  # noqa: E402

IMAGES: Final = ROOT / "docs" / "images"
#: What there is to see: people, what they were told, and what rings.
SCENE: Final = """
import json, random, uuid
from datetime import timedelta
from accounts.models import Shop, User
from accounts.services.api_keys import api_key_create
from config import clock
from dating.services.events import event_create
from escalation.groups.silencing import silence_create
from escalation.models import AlertGroup
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.services.policies import policy_create
from escalation.services.processes import process_acknowledge
from escalation.services.requests import request_run
from notifications import metrics
from notifications.ids import first_id
from notifications.models import Delivery
from tests.factories import ContactPointFactory, InboxItemFactory, MembershipFactory, NotificationFactory
from tests.factories import ShopFactory, UserFactory, schedule_of
from tests.queued import stored
from tracing.services.filters import filter_create

chance, now = random.Random(7), clock.now()
reader = User.objects.get(email={email!r})
User.objects.filter(pk=reader.pk).update(first_name="Ana", last_name="Moreau", time_zone="Europe/Paris")
names = [("Luc", "Bernard"), ("Zoë", "Petit"), ("Omar", "Saïdi"), ("Ольга", "Иванова"), ("نور", "حداد")]
people = [UserFactory(first_name=first, last_name=last) for first, last in names]
shop = ShopFactory(name="North Street")
points = {{}}
for person in people:
    MembershipFactory(user=person, shop=shop)
    points[person] = {{
        "email": ContactPointFactory(user=person, channel="email", address=person.email, confirmed_at=now),
        "sms": ContactPointFactory(
            user=person, channel="sms", address=f"+3354600{{chance.randrange(1000, 9999)}}", confirmed_at=now
        ),
    }}
targets = [{{"type": "user", "user_id": str(people[0].pk), "channels": ["email"]}}]
steps = steps_of([{{"after_s": 0, "targets": targets}}, {{"after_s": 900, "targets": targets}}])
policy, *_ = policy_create(name="Shop floor", definition=Definition(steps))
begins = (now - timedelta(days=4)).date()
schedule = schedule_of(people[0], people[1], reader, name="Nights", shift_h=24, starts_on=begins)
started = [
    request_run(Request(name, "start", policy="Shop floor"), now=now).process
    for name in ("Freezer 3 is warm", "Till 2 is offline", "Back door is open")
]
process_acknowledge(process=started[2], by="Zoë Petit", via="phone", now=now)
group = AlertGroup.objects.create(
    title="Disk of the video server is nearly full", key="disk", severity="standard",
    opened_at=now - timedelta(minutes=50), last_at=now - timedelta(minutes=3), occurrences=6,
)
titles = ["Theft at North Street", "Suspicious at North Street", "Normal activity at North Street"]
ends = [("sent", "", 1), ("sent", "", 1), ("sent", "", 1), ("sent", "", 2), ("suppressed", "level", 0),
        ("suppressed", "unsubscribed", 0), ("failed", "exhausted", 3)]
made = []
for number in range(240):
    at = now - timedelta(minutes=chance.expovariate(1 / 900))
    person, channel = chance.choice(people), chance.choice(["email", "sms"])
    status, reason, attempts = chance.choice(ends)
    point = points[person][channel]
    made.append(Delivery(
        id=uuid.UUID(int=first_id(at).int | chance.getrandbits(62)),
        notification=NotificationFactory(title=chance.choice(titles), kind="alert"), user=person, shop=shop,
        contact_point=point, channel=channel, address=point.address, created_at=at, due_at=at,
        expires_at=at + timedelta(days=1), sent_at=at if status == "sent" else None, duration_ms=180,
        status=status, reason=reason, attempts=attempts,
    ))
stored(made)
silence_create(
    reason="The freezers are being moved", matchers=[{{"label": "title", "op": "~", "value": "Freezer*"}}],
    starts_at=now, ends_at=now + timedelta(hours=3), by=reader, now=now,
)
api_key_create(name="Cameras", scopes=["alerts:write"])
evening = event_create(now=now, title="Friday evening", starts_at=now + timedelta(days=3), organiser=reader)
content = {{"en": {{"title": "You were near an infected person", "shortDescription": "Please stay at home.",
                   "description": "Please stay at home for five days."}}}}
filter_, _ = filter_create(name="Near for long", content=content, time_min_s=900)
for title in ("Theft at North Street", "You are on call", "Your internship was accepted"):
    InboxItemFactory(user=reader, notification=NotificationFactory(title=title, severity="critical"
        if "Theft" in title else "standard"))
for channel, sent, failed in (("email", 212, 0), ("sms", 96, 31), ("inbox", 40, 0)):
    metrics.add("deliveries", channel, "sent", amount=sent)
    metrics.add("deliveries", channel, "failed", amount=failed)
metrics.add("accepted", amount=118)
metrics.flush()
failed = next(each for each in made if each.status == "failed")
print(json.dumps({{
    "person": str(people[0].pk), "delivery": str(failed.pk), "schedule": str(schedule.pk),
    "escalation": str(started[0].pk), "group": str(group.pk), "policy": str(policy.pk), "shop": shop.slug,
    "evening": str(evening.pk), "filter": str(filter_.pk),
}}))
"""
PAGES: Final = {
    "now": "/console/",
    "history": "/console/history/",
    "delivery": "/console/deliveries/{delivery}/",
    "person": "/console/people/{person}/?kind=alert&severity=critical",
    "find": "/console/find/?q=nights",
    "done": "/console/done/",
    "setup": "/console/setup/",
    "inbox": "/inbox/",
    "preferences": "/preferences/",
    "account": "/account/",
    "escalations": "/escalations/",
    "escalation": "/escalations/{escalation}/",
    "start": "/escalations/start/",
    "policy": "/escalations/policies/{policy}/",
    "silences": "/silences/",
    "silence": "/silences/new/?matching=severity+%3D+standard",
    "keys": "/keys/",
    "webhooks": "/settings/webhooks/verify/",
    "shops": "/shops/",
    "shop": "/shops/{shop}/",
    "invite": "/invite/",
    "what-if": "/settings/what-if/?level=CRITICAL",
    "figures": "/escalations/figures/",
    "groups": "/groups/",
    "group": "/groups/{group}/",
    "on-call": "/on-call/",
    "schedule": "/on-call/{schedule}/",
    "fairness": "/on-call/fairness/",
    "dating": "/dating/",
    "evening": "/dating/{evening}/change/",
    "rule": "/dating/rules/new/",
    "filter-what-if": "/tracing/filters/{filter}/what-if/",
    "tracing": "/tracing/",
}
SCREEN: Final = {"width": 1200, "height": 800}


def take(folder: Path) -> None:
    """Write ``<page>-light.jpg`` and ``<page>-dark.jpg`` into docs/images."""
    program = next(filter(None, map(shutil.which, NAMES)))
    with MailServer() as mail, Site.at(folder, mail=mail) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, "--no-sandbox"])
        context = browser.new_context(base_url=site.url("/"), viewport=SCREEN)  # type: ignore[arg-type]
        page = context.new_page()
        email = site.register(page)
        site.make_operator(email)
        ids = json.loads(site.python(SCENE.format(email=email)))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for name, path in PAGES.items():
                page.goto(path.format(**ids))
                page.wait_for_timeout(600)  # the console says that it is live
                page.screenshot(path=IMAGES / f"{name}-{scheme}.jpg", type="jpeg", quality=60)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        take(Path(place))
    sys.exit(0)
