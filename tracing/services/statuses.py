"""What a health service says of a device: infected opens a case, healed closes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext

from accounts.models import ApiKey, User
from config.rest.exceptions import Conflict
from tracing.models import Case, CaseSearch, Device, FilterVersion, StatusMark
from tracing.services.notices import healed_tell

#: What opens and closes cases.
TURNS: Final = (Device.Status.INFECTED, Device.Status.HEALED)


@dataclass(frozen=True, slots=True)
class Marked:
    """A device's status, and the case that this is about; ``is_new`` is False where nothing changed."""

    device: Device
    case: Case | None
    is_new: bool

    @property
    def filters(self) -> int | None:
        """How many active filters the case is searched with; None where it is not open."""
        if self.case is None or self.case.state != Case.State.OPEN:
            return None
        return self.case.searches.filter(filter__is_active=True).count()


@transaction.atomic
def status_mark(
    *,
    device_id: int,
    status: int,
    now: datetime,
    is_last: bool = True,
    api_key: ApiKey | None = None,
    user: User | None = None,
) -> Marked:
    """Store a device's status. Infected opens a case, healed closes it and tells the device; no other acts.

    Args:
        now: when it is said, or was.
        is_last: whether that is after all that was said before. If not, ``now`` decides: what was said
            later and came earlier stays.

    Raises:
        Conflict: infected, of a device that was not suspect before, where that is asked for.
    """
    device = Device.objects.select_for_update().filter(pk=device_id).first()
    if device is None:
        # Apps are installed, and people fall ill, before anything of them is uploaded.
        Device.objects.bulk_create([Device(pk=device_id)], ignore_conflicts=True)
        device = Device.objects.select_for_update().get(pk=device_id)
    case = Case.objects.filter(device=device, state=Case.State.OPEN).first()
    is_latest = is_last or device.status_at is None or now >= device.status_at
    is_turn = status in TURNS and (is_last or device.turned_at is None or now >= device.turned_at)
    if is_latest and device.status == status and (status != Device.Status.INFECTED or case):
        _note_when(device, now, is_turn=is_turn)
        return Marked(device, case or _last_case(device), False)
    mark = StatusMark(device=device, status=status, marked_at=now, api_key=api_key, user=user)
    if is_turn:
        case = _turn(device, case, mark)
    if is_latest:
        device.status = status
    _note_when(device, now, is_turn=is_turn)
    mark.save(force_insert=True)
    return Marked(device, case or _last_case(device), is_latest or is_turn)


def _turn(device: Device, case: Case | None, mark: StatusMark) -> Case | None:
    """Open a case, or close the one that there is and tell the device; returns the case."""
    if mark.status == Device.Status.HEALED:
        if case is not None:
            case_close(case=case, state=Case.State.HEALED, now=mark.marked_at)
        healed_tell(device=device, case=case or _last_case(device), mark=mark)
    elif case is None:
        was_suspect = device.status in (Device.Status.SUSPECT, Device.Status.INFECTED)
        if settings.TRACING_SUSPECT_FIRST and not was_suspect:
            raise Conflict(
                gettext("Only a suspect device can be marked as infected: mark it with status 2 first.")
            )
        since = mark.marked_at - timedelta(days=settings.TRACING_RETENTION_DAYS)
        case = Case.objects.create(device=device, since=since, opened_at=mark.marked_at)
        versions = FilterVersion.objects.filter(filter__is_active=True, number=F("filter__version"))
        CaseSearch.objects.bulk_create(
            CaseSearch(case=case, filter_id=version.filter_id, filter_version=version, due_at=mark.marked_at)
            for version in versions
        )
    return case


def _note_when(device: Device, at: datetime, *, is_turn: bool) -> None:
    """Store the device's status, and up to when what was said of it is known."""
    device.status_at = max(filter(None, (device.status_at, at)))
    if is_turn:
        device.turned_at = max(filter(None, (device.turned_at, at)))
    device.save(update_fields=["status", "status_at", "turned_at", "updated_at"])


def case_close(*, case: Case, state: Case.State, now: datetime) -> None:
    """End a case: the periodic check looks at it no more."""
    case.state, case.closed_at = state, now
    case.save(update_fields=["state", "closed_at"])


def _last_case(device: Device) -> Case | None:
    return Case.objects.filter(device=device).order_by("-pk").first()
