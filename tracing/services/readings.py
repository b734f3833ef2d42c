"""Keeping who looked at what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import ApiKey, User
from tracing.models import CaseReading


def reading_log(
    *,
    what: CaseReading.What,
    user: Any,
    api_key: ApiKey | None = None,
    now: datetime,
    case_id: UUID | None = None,
    device_id: int | None = None,
) -> CaseReading:
    """Note that somebody, a person or a machine by its key, has looked at a case or at the list."""
    return CaseReading.objects.create(
        what=what,
        case_id=case_id,
        device_id=device_id,
        user=user if isinstance(user, User) else None,
        api_key=api_key,
        read_at=now,
    )
