"""What a health service says of a device: infected opens a case, healed closes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from accounts.models import ApiKey, User
from config.exceptions import Conflict
from tracing.models import Case, CaseSearch, Device, FilterVersion, StatusMark
from tracing.selectors import device_is_seen
from tracing.services.notices import healed_tell


@dataclass(frozen=True, slots=True)
class Marked:
    """A device's status, and the case that this is about; ``is_new`` is False where it was so already."""

    device: Device
    case: Case | None
    is_new: bool


@transaction.atomic
def status_mark(
    *, device_id: int, status: int, now: datetime, api_key: ApiKey | None = None, user: User | None = None
) -> Marked:
    """Store a device's status. Infected opens a case, healed closes it and tells the device; no other acts.

    Raises:
        ValidationError: no device and no record has this number.
        Conflict: infected, of a device that was not suspect before, where that is asked for.
    """
    device = _locked(device_id)
    case = Case.objects.filter(device=device, state=Case.State.OPEN).first()
    if device.status == status and (status != Device.Status.INFECTED or case):
        return Marked(device, case or _last_case(device), False)
    if status == Device.Status.INFECTED and case is None:
        _check_suspect_first(device)
        case = _case_open(device, now)
    elif status == Device.Status.HEALED and case is not None:
        case_close(case=case, state=Case.State.HEALED, now=now)
        healed_tell(case=case, device=device)
    device.status = status
    device.save(update_fields=["status", "updated_at"])
    StatusMark.objects.create(device=device, status=status, marked_at=now, api_key=api_key, user=user)
    return Marked(device, case, True)


def case_close(*, case: Case, state: Case.State, now: datetime) -> None:
    """End a case: the periodic check looks at it no more."""
    case.state, case.closed_at = state, now
    case.save(update_fields=["state", "closed_at"])


def _locked(device_id: int) -> Device:
    """Return the device, for this transaction alone; what is said of one device takes turns."""
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        if not device_is_seen(device_id):
            raise ValidationError({"device_id": ["Expected a device that is registered, or is in a record."]})
        Device.objects.bulk_create([Device(pk=device_id)], ignore_conflicts=True)
        device = Device.objects.select_for_update().get(pk=device_id)
    return device


def _last_case(device: Device) -> Case | None:
    return Case.objects.filter(device=device).order_by("-pk").first()


def _check_suspect_first(device: Device) -> None:
    if settings.TRACING_SUSPECT_FIRST and device.status not in (
        Device.Status.SUSPECT,
        Device.Status.INFECTED,
    ):
        raise Conflict("Only a suspect device can be marked as infected: mark it with status 2 first.")


def _case_open(device: Device, now: datetime) -> Case:
    """Open a case, to be searched with each active filter; its signal enqueues that."""
    since = now - timedelta(days=settings.TRACING_RETENTION_DAYS)
    case = Case.objects.create(device=device, since=since, opened_at=now)
    versions = FilterVersion.objects.filter(filter__is_active=True, number=F("filter__version"))
    CaseSearch.objects.bulk_create(
        CaseSearch(case=case, filter_id=each.filter_id, filter_version=each, due_at=now) for each in versions
    )
    return case
