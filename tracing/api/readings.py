"""Noting who reads cases over the API."""

from uuid import UUID

from rest_framework.request import Request

from accounts.models import ApiKey
from config import clock
from tracing.models import CaseReading
from tracing.services.readings import reading_log


def log(
    request: Request, what: CaseReading.What, *, case_id: UUID | None = None, device_id: int | None = None
) -> None:
    key = request.auth if isinstance(request.auth, ApiKey) else None
    reading_log(
        what=what, user=request.user, api_key=key, now=clock.now(), case_id=case_id, device_id=device_id
    )
