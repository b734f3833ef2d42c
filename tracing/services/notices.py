"""Telling devices: exposed ones once per case, filter and status; healed ones once per case."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet

from config import sql
from config.statements import named
from notifications.channels import registry
from notifications.engine.planned import Planned, deliver_many
from notifications.messages.compose import notification_of
from notifications.messages.texts import text_for
from notifications.models import Notification, Severity
from tracing.models import Case, Device, DeviceContact, Exposure, FilterVersion, StatusMark
from tracing.selectors import MARK_SOURCE, SOURCE

log = structlog.get_logger(__name__)

EXPOSURE: Final = "tracing.exposure"
HEALED: Final = "tracing.healed"
#: By the status that a device is told; for all others it is 3.
WARNING_LEVELS: Final[Mapping[int, int]] = {0: 0, 1: 4, 2: 2, 3: 1}
OTHER_LEVEL: Final = 3
#: Exposures that are told in one go.
CHUNK: Final = 2000

TOLD_SQL: Final = """
UPDATE tracing_exposure AS exposure SET told_at = %(now)s, notification_id = told.notification_id
  FROM unnest(%(exposures)s::uuid[], %(notifications)s::uuid[]) AS told (exposure_id, notification_id)
 WHERE exposure.id = told.exposure_id
"""
named("tracing.told", "Note which exposures have been told.", TOLD_SQL)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is told; ``place`` names it in keys."""

    place: str
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a device is told, in one language."""

    language: str
    title: str
    short: str
    long: str


def warning_level(status: int) -> int:
    return WARNING_LEVELS.get(status, OTHER_LEVEL)


def exposures_tell(exposures: QuerySet[Exposure], *, now: datetime) -> int:
    """Tell the devices of those exposures that have not been told and can be; returns how many.

    Part of the caller's transaction: what is stored as told is there to be sent, and the other way round.
    """
    untold = exposures.filter(told_at=None).exclude(device_id=F("case__device_id"))
    rows = untold.select_related("filter_version").order_by("pk").iterator(chunk_size=CHUNK)
    count = 0
    while chunk := list(islice(rows, CHUNK)):
        devices = Device.objects.in_bulk({exposure.device_id for exposure in chunk})
        addresses = _addresses(devices.values())
        planned: list[Planned] = []
        owners: list[UUID] = []
        for exposure in chunk:
            for address in addresses.get(exposure.device_id, ()):
                device = devices[exposure.device_id]
                version = exposure.filter_version
                key = f"tracing:{exposure.case_id}:{exposure.filter_id}:{version.status}:{device.pk}"
                text = text_of(version, device.language)
                source = SOURCE, str(exposure.case_id)
                planned.append(
                    _planned(EXPOSURE, key, source, device, address, version.status, text, exposure.filter_id)
                )
                owners.append(exposure.pk)
        if planned:
            ids = (delivery.notification_id for delivery in deliver_many(planned))
            told = dict(zip(owners, ids, strict=True))
            values = {"exposures": list(told), "notifications": list(told.values()), "now": now}
            sql.execute(TOLD_SQL, values)
            count += len(told)
    return count


def healed_tell(*, device: Device, case: Case | None, mark: StatusMark) -> None:
    """Tell a device that it was said to have healed: a notice of its last case, or of the mark alone."""
    source = (SOURCE, str(case.pk)) if case else (MARK_SOURCE, str(mark.pk))
    key = f"tracing:{mark.pk}:healed"
    composed = notification_of(
        kind=HEALED, data={}, source_type=source[0], source_id=source[1], dedup_key=key
    )
    language = device.language or settings.LANGUAGE_CODE
    title, body = text_for(composed.title, composed.body, composed.texts, language=language, channel="push")
    told_in = language if language in composed.texts else settings.LANGUAGE_CODE
    text = Text(told_in, title, body, body)
    deliver_many(
        [
            _planned(HEALED, key, source, device, address, Device.Status.HEALED, text, filter_id=None)
            for address in _addresses([device])[device.pk]
        ]
    )


def text_of(version: FilterVersion, language: str) -> Text:
    """Return a filter's text in a device's language, or else in the filter's own, or else in any."""
    content = version.content
    wanted = (language, language.partition("-")[0], version.language, settings.LANGUAGE_CODE)
    found = next(language for language in (*wanted, *content) if language in content)
    text = content[found]
    short, long = text.get("shortDescription", ""), text.get("description", "")
    return Text(found, text["title"], short or long, "\n\n".join(filter(None, (short, long))))


def _addresses(devices: Iterable[Device]) -> dict[int, list[Address]]:
    """Return where each device can be told. An address that its channel refuses must not hold up others."""
    found: dict[int, list[Address]] = defaultdict(list)
    devices = list(devices)
    for device in devices:
        if device.push_token:
            found[device.pk].append(Address("push", "push", device.push_token))
    for contact in DeviceContact.objects.filter(device__in=devices):
        found[contact.device_id].append(Address(f"contact-{contact.pk}", contact.channel, contact.address))
    for device_id, addresses in found.items():
        for address in list(addresses):
            try:
                registry.get(address.channel).normalised_address(address.address)
            except (KeyError, ValidationError):
                log.warning("device_address_refused", device=device_id, channel=address.channel)
                addresses.remove(address)
    return found


def _planned(
    kind: str,
    key: str,
    source: tuple[str, str],
    device: Device,
    address: Address,
    status: int,
    text: Text,
    filter_id: UUID | None,
) -> Planned:
    # Where they can read more; empty where the operator has no such page.
    link = settings.TRACING_LINK.replace("{status}", str(int(status)))
    link = link.replace("{language}", text.language).replace("{filter}", str(filter_id or ""))
    # One notification for each address: nobody's addresses share none (notifications.engine.planned).
    # What apps are told, all of it strings, as the original's were.
    push = {
        "status": str(int(status)),
        "warning_level": str(warning_level(status)),
        "title": text.title,
        "message": text.short,
        "link": link,
        "language": text.language,
    }
    notification = Notification(
        kind=kind,
        title=text.title,
        body=text.long,
        texts={text.language: {"": [text.title, text.long], "push": [text.title, text.short]}},
        data={"push": push, "platform": device.platform},
        severity=Severity.CRITICAL,
        source_type=source[0],
        source_id=source[1],
        dedup_key=f"{key}:{address.place}",
    )
    return Planned(notification, address.channel, address.address, language=text.language)
