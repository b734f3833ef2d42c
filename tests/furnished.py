"""One of each thing there is, so that no list, page or endpoint has nothing to show."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

from accounts.models import ApiKey, Encadrant, Invitation, Membership, Role, Shop, Student, User
from dating import models as dating
from dating import services as dating_services
from dating.links import join_token
from escalation import models as escalation
from escalation.services.processes import process_start
from notifications import models
from notifications.engine.recipients import Recipient
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    InboxItemFactory,
    NotificationFactory,
    schedule_of,
)
from tests.queued import stored
from tracing import models as tracing

#: What a person may type: by default a word like any other.
Text = Callable[[], str]


@dataclass(frozen=True)
class Furnished:
    """``ids`` are by the names of the schema's parameters, after a part of the path where names clash."""

    ids: dict[str, object]
    tokens: dict[str, str]

    def id_of(self, path: str, name: str) -> object:
        domain = "dating/" if "dating/" in path else ""
        return self.ids.get(domain + name, self.ids.get(name))


def furnish(user: User, shop: Shop, *, text: Text = lambda: "word") -> Furnished:
    """Make one of each, of this person and shop, with what ``text`` gives wherever anybody may type."""
    now = datetime.now(UTC)
    ids: dict[str, object] = {"user_id": user.uuid, "user": user.uuid, "shop": shop.slug, "shop_id": shop.pk}
    Student.objects.get_or_create(user=user)
    Encadrant.objects.get_or_create(user=user, defaults={"specialization": text()[:200]})
    ApiKey.objects.create(name=text()[:100], digest=uuid4().hex, hint="tsn_x", scopes=["alerts:write"])
    invited = Invitation.objects.create(
        email=f"{uuid4().hex}@example.com",
        role=Role.STUDENT,
        shop=shop,
        invited_by=user,
        expires_at=now + timedelta(days=7),
    )
    ids["invitation_id"] = invited.pk
    Membership.objects.get_or_create(user=user, shop=shop, left_at=None)
    ids |= _telling(user, shop, text, now) | _escalating(user, text, now)
    ids |= _tracing(user, text, now) | _dating(user, text, now)
    tokens = {"join": join_token(ids.pop("round"), ids["registration_id"])}  # type: ignore[arg-type]
    return Furnished(ids, tokens)


def _telling(user: User, shop: Shop, text: Text, now: datetime) -> dict[str, object]:
    alert = AlertFactory(shop=shop, location=shop.slug)
    point = ContactPointFactory(user=user, label=text()[:100])
    told = NotificationFactory(
        title=text()[:200] or "-", body=text(),
        texts={"fr": {"": [text()[:200], text()]}}, source_id=str(alert.pk),
        data={"url": text(), "label": text(), text(): text(), "alert_uuid": str(alert.pk)},
    )  # fmt: skip
    failed = models.Delivery(
        notification=told, user=user, contact_point=point, channel="webhook", address=point.address,
        status="failed", reason="exhausted", due_at=now, expires_at=now, attempts=1,
    )  # fmt: skip
    delivery = stored([failed])[0]
    models.AttemptRow.objects.create(
        delivery=delivery,
        number=1,
        started_at=now,
        duration_ms=1.0,
        outcome="unavailable",
        error=text(),
        reference="r",
    )
    models.DeliveryAction.objects.create(
        action="replay", by=text()[:300], via="api", count=1, deliveries=[delivery.pk]
    )
    inbox, _ = models.Inbox.objects.get_or_create(user=user)
    inbox.last_number += 1
    inbox.save()
    item = InboxItemFactory(user=user, notification=told, number=inbox.last_number)
    view, _ = models.SavedView.objects.get_or_create(
        user=user, name=text().strip()[:100] or "-", defaults={"query": "status=failed", "is_shared": True}
    )
    models.Preference.objects.get_or_create(user=user)
    models.Subscription.objects.get_or_create(
        user=user, channel="email", kind="stage.*", defaults={"is_enabled": False}
    )
    models.CallerId.objects.get_or_create(prefix="+33", number="+33755555555")
    models.MessageTemplate.objects.get_or_create(
        kind="account.welcome", language="en", channel="", defaults={"title": "Hello", "is_active": False}
    )
    return {
        "alert_uuid": alert.pk, "contact_point_id": point.pk, "delivery_id": delivery.pk, "item_id": item.pk,
        "notification": told.pk, "point_id": point.pk, "view_id": view.pk,
    } | _events(text, now)  # fmt: skip


def _events(text: Text, now: datetime) -> dict[str, object]:
    event = models.Event.objects.create(
        routing_key="stage.created",
        source=text()[:100],
        payload={text(): text(), "list": [text()]},
        occurred_at=now,
    )
    run = models.HandlerRun.objects.create(
        event=event, handler="stage", status="dead", error=text(), attempts=3, finished_at=now
    )
    message = models.DeadMessage.objects.create(
        source=text()[:100], reason=text(), body=text().encode(errors="replace"), size=3,
        headers={text(): text()}, routing_key=text()[:255], message_id=text()[:255],
        group=text()[:255], key=uuid4().hex, delivered_at=now,
    )  # fmt: skip
    return {"event_id": event.pk, "run_id": run.pk, "message_id": message.pk}


def _escalating(user: User, text: Text, now: datetime) -> dict[str, object]:
    policy = escalation.Policy.objects.create(name=(text() + uuid4().hex[:8])[-100:])
    version = escalation.PolicyVersion.objects.create(
        policy=policy, number=1, created_by=user,
        steps=[{"after_s": 0, "targets": [{"type": "user", "user_id": str(user.uuid)}]}],
    )  # fmt: skip
    # Plain, so that it is a rotation too.
    schedule = schedule_of(
        user, name=(text() + uuid4().hex[:8])[-100:], time_zone="Europe/Paris", handoff_at=time(9)
    )
    schedule.layers.update(name=text()[:100])
    override = escalation.ScheduleOverride.objects.create(
        schedule=schedule, user=user, starts_at=now, ends_at=now + timedelta(hours=1)
    )
    fed = escalation.Schedule.objects.create(name=(text() + uuid4().hex[:8])[-100:])
    layer = escalation.Layer.objects.create(
        schedule=fed, name=text()[:100], ical_url="https://example.com/basic.ics"
    )
    calendar = escalation.LayerCalendar.objects.create(
        layer=layer, url=layer.ical_url, time_zone="UTC", due_at=now, fetched_at=now, failing_since=now,
        error="answered 503", problems_count=1,
        problems=[
            {"reason": "unknown", "summary": text()[:100], "email": "nobody@example.com", "times": 1,
             "first_at": now.isoformat()},
        ],
    )  # fmt: skip
    calendar.spells.create(user=user, starts_at=now, ends_at=now + timedelta(hours=1))
    cover = escalation.CoverRequest.objects.create(
        schedule=schedule, asked_by=user, starts_at=now, ends_at=now + timedelta(hours=1), note=text()[:200]
    )
    process_id = (text() + uuid4().hex[:8])[-200:]
    later = Recipient("email", now + timedelta(days=1), user.email, user=user, data={"step": 1, "round": 1})
    process = process_start(process_id=process_id, notifications=[later], now=now).process
    process.policy_version = version
    process.save(update_fields=["policy_version"])
    drill = escalation.Drill.objects.create(schedule=schedule, started_by=user, due_at=now, reported_at=now)
    escalation.DrillAnswer.objects.create(drill=drill, user=user, process=process)
    escalation.Hole.objects.create(
        schedule=schedule, user=user, kind="unreached", key=str(user.pk), starts_at=now
    )
    return {
        "drill_id": drill.pk,
        "policy_id": policy.pk, "schedule_id": schedule.pk, "rotation_id": schedule.pk,
        "override_id": override.pk, "cover_id": cover.pk,
        "process_id": process_id,
        "escalation": process.pk,
    } | _reported(user, policy, process, text, now)  # fmt: skip


def _reported(
    user: User, policy: escalation.Policy, process: escalation.EscalationProcess, text: Text, now: datetime
) -> dict[str, object]:
    """What another system has reported, and a job that pings."""
    integration = escalation.Integration.objects.create(
        name=(text() + uuid4().hex[:8])[-100:], format="alertmanager", policy=policy
    )
    matcher = {"label": text()[:500] or "-", "op": "=", "value": text()[:500]}
    route = escalation.Route.objects.create(
        name=(text() + uuid4().hex[:8])[-100:],
        position=1,
        matchers=[matcher],
        policy=policy,
        is_enabled=False,
    )
    silence = escalation.Silence.objects.create(
        reason=text()[:200] or "-", matchers=[matcher], ends_at=now + timedelta(hours=1)
    )
    request = escalation.IntakeRequest.objects.create(
        integration=integration, status=200, body=text(), error=text()[:500],
        made=[{"key": text(), "act": "trigger", "outcome": "opened", "group": None}],
    )  # fmt: skip
    key = (text() + uuid4().hex[:8])[-255:]
    group = escalation.AlertGroup.objects.create(
        integration=integration, key=key, title=text()[:200] or "-", labels={text(): text()},
        severity="critical", opened_at=now, last_at=now, ended_by=text()[:200], policy=policy,
        process=process, route=route, silence=silence, why=[text()],
    )  # fmt: skip
    alert = escalation.GroupedAlert.objects.create(
        group=group, integration=integration, key=key, title=text()[:200] or "-", first_at=now, last_at=now
    )
    escalation.AlertOccurrence.objects.create(
        integration=integration, alert=alert, request=request, key=key, act="trigger", details=text(),
        by=text()[:200], received_at=now,
    )  # fmt: skip
    for about in ({"process": process}, {"group": group}):
        escalation.Entry.objects.create(kind="note", text=text(), by=text()[:200], user=user, **about)
    heartbeat = escalation.Heartbeat.objects.create(
        name=text()[:100] or "-", slug=uuid4().hex, policy=policy, period_s=60, grace_s=60, tags=["nightly"]
    )
    escalation.HeartbeatPing.objects.create(
        heartbeat=heartbeat, place=1, number=1, kind="success", at=now, method="POST", body=text()
    )
    return {
        "integration_id": integration.pk, "route_id": route.pk, "silence_id": silence.pk,
        "group_id": group.pk, "heartbeat_id": heartbeat.pk,
    }  # fmt: skip


def _tracing(user: User, text: Text, now: datetime) -> dict[str, object]:
    number = tracing.Device.objects.count() + 1
    device = tracing.Device.objects.create(pk=number, push_token=text()[:512], platform="ios", language="fr")
    content = {"en": {"title": text(), "shortDescription": text(), "description": text()}}
    filter_ = tracing.Filter.objects.create(
        name=(text() + uuid4().hex[:8])[-100:], content=content, version=1
    )
    version = tracing.FilterVersion.objects.create(filter=filter_, number=1, content=content)
    case = tracing.Case.objects.create(device=device, since=now)
    tracing.Exposure.objects.create(
        case=case, filter=filter_, filter_version=version, device_id=number + 1_000,
        degree=1, via_device_id=number,
        onset=now, seconds=900,
    )  # fmt: skip
    tracing.StatusMark.objects.create(device=device, status=1, user=user)
    tracing.CaseReading.objects.create(what="case", case_id=case.pk, user=user)
    return {"device_id": number, "case_id": case.pk, "filter_id": filter_.pk}


def _dating(user: User, text: Text, now: datetime) -> dict[str, object]:
    partner = User.objects.create_user(
        f"{uuid4().hex}@example.com", password=None, first_name=text()[:150], last_name=text()[:150]
    )
    dating.DatingProfile.objects.get_or_create(
        user=user, defaults={"birthday": date(1999, 5, 1), "city": "Paris"}
    )
    dating.DatingProfile.objects.create(user=partner, birthday=date(1999, 5, 1), city=text()[:100])
    event = dating_services.event_create(
        now=now, title=text()[:200], starts_at=now + timedelta(days=10), organiser=user
    )
    both = [dating_services.registration_create(event=event, user=each, now=now) for each in (user, partner)]
    dating.Reaction.objects.create(event=event, by=both[0], about=both[1], kind="report", text=text()[:2000])
    dating.LogEntry.objects.create(
        event=event, what="opened", due_at=now, done_at=now, details={"why": text()}
    )
    round_ = dating.Round.objects.create(event=event, number=1)
    rule = dating.RecurringRule.objects.create(
        title=text()[:200], rrule="FREQ=WEEKLY", starts_on=date(2026, 1, 5), at=time(20), is_active=False
    )
    account, _ = dating.BotAccount.objects.get_or_create(
        user=user, defaults={"number": 4_242 + dating.BotAccount.objects.count()}
    )
    return {
        "dating/event_id": event.pk, "registration_id": both[0].pk, "number": account.number,
        "round": round_.pk, "dating/rule_id": rule.pk,
        "about_id": both[1].pk,
    }  # fmt: skip
