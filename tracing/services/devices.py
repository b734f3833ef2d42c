"""What a device's owner says of it: its push token, platform, language and other addresses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from tracing.models import Case, Device, DeviceContact, Exposure
from tracing.services.notices import exposures_tell


@transaction.atomic
def device_set(
    *, device_id: int, contacts: Sequence[dict[str, str]] | None = None, now: datetime, **fields: Any
) -> tuple[Device, bool]:
    """Store what is said of a device; the second value says whether it is new.

    What it could not be told of open cases before, it is told now. ValidationError: a contact is no address
    of its channel.
    """
    addresses = None if contacts is None else _checked(contacts)
    _, created = Device.objects.get_or_create(pk=device_id)
    device = Device.objects.select_for_update().get(pk=device_id)
    for name, value in fields.items():
        setattr(device, name, value)
    device.save()
    if addresses is not None:
        contacts_now = device.contacts.all()
        kept = [contact.pk for contact in contacts_now if (contact.channel, contact.address) in addresses]
        device.contacts.exclude(pk__in=kept).delete()
        made = [
            DeviceContact(device=device, channel=channel, address=address) for channel, address in addresses
        ]
        DeviceContact.objects.bulk_create(made, ignore_conflicts=True)
    untold_tell(device_id=device_id, now=now)
    return device, created


def untold_tell(*, device_id: int, now: datetime) -> None:
    """Tell a device what it could not be told of open cases before: it may have an address now."""
    untold = Exposure.objects.filter(device_id=device_id, case__state=Case.State.OPEN)
    exposures_tell(untold, now=now)


def _checked(contacts: Sequence[dict[str, str]]) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for given in contacts:
        contact = DeviceContact(**given)
        contact.clean()
        found[contact.channel, contact.address] = None
    return list(found)
