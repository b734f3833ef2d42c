"""What is told in an escalation: the same texts for each of its notifications, rendered once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import User
from escalation.acknowledge_links import MARK
from escalation.models import EscalationProcess
from notifications.engine.direct import Planned
from notifications.messages.compose import notification_of
from notifications.models import ContactPoint, Notification, Severity

KIND = "escalation"


# Not frozen, which would triple the cost of making one.
@dataclass(slots=True)
class Item:
    """One notification of a process: by which channel, to whom, when.

    ``address`` is in its channel's normal form; ``at`` is the time that was asked for, where quiet hours made
    it due later; ``data`` is told to machines beside the process, such as the step of a policy.
    """

    channel: str
    due_at: datetime
    address: str = ""
    user: User | None = None
    contact_point: ContactPoint | None = None
    at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)


def planned(
    process: EscalationProcess, items: Sequence[Item], *, severity: str = Severity.CRITICAL, first: int = 1
) -> list[Planned]:
    """Return the deliveries to make, each with a notification of its own, numbered from ``first``."""
    text = _text(process, severity)
    return [
        Planned(
            notification=_numbered(text, process, number, item),
            channel=item.channel,
            address=item.address,
            user=item.user,
            contact_point=item.contact_point,
            due_at=item.due_at,
            revocable=True,
            is_normal=True,
        )
        for number, item in enumerate(items, start=first)
    ]


def _text(process: EscalationProcess, severity: str) -> Notification:
    return notification_of(
        kind=KIND,
        data={},
        context={
            "process_id": process.process_id,
            "started_at": process.started_at.timestamp(),
            "policy": process.policy_version.policy.name if process.policy_version else "",
            "mail_subject": settings.MAIL_SUBJECT,
            "mail_body": settings.MAIL_BODY,
            "page": f"{settings.PUBLIC_URL.rstrip('/')}/escalations/{process.pk}/",
        },
        marks={"acknowledge": MARK},
        severity=severity,
        source_type=EscalationProcess.SOURCE,
        source_id=str(process.pk),
        dedup_key="",
    )


def _numbered(text: Notification, process: EscalationProcess, number: int, item: Item) -> Notification:
    told = {"process_id": process.process_id, "process": str(process.pk), "number": number}
    if item.at is not None:
        told["at"] = item.at.isoformat()
    return Notification(
        kind=text.kind,
        title=text.title,
        body=text.body,
        texts=text.texts,
        severity=text.severity,
        source_type=text.source_type,
        source_id=text.source_id,
        data={**item.data, **told},
        dedup_key=f"escalation:{process.pk}:{number}",
    )
