"""Keeping what an integration was sent, and what it made, in one transaction; and what was refused."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.db import transaction

from config.masking import MASK
from escalation.groups.taking import Made, occurrences_take
from escalation.intake.occurrence import Occurrence
from escalation.models import IntakeRequest, Integration

log = structlog.get_logger(__name__)

#: Bytes of a body that are kept.
BODY_MAX: Final = 16_384
# The value of whatever is named as secrets are, cut off or not.
_SECRET: Final = re.compile(
    r'("[\w-]*(?:passw(?:or)?d|secret|token|authorization|cookie|credential|(?:api|routing|service|access)[_-]?key)'
    r'[\w-]*"\s*:\s*)"(?:[^"\\]|\\.)*"?',
    re.IGNORECASE,
)


class Kept(NamedTuple):
    request: IntakeRequest
    made: list[Made]


def integration_of(key: str, format_: str) -> Integration | None:
    """Return the integration of a key, whether it is enabled or not."""
    found = Integration.objects.filter(key_digest=Integration.digest_of(key), format=format_)
    return found.select_related("shop", "policy").first()


def request_keep(
    *,
    pk: UUID,
    integration: Integration,
    body: bytes,
    occurrences: Sequence[Occurrence],
    status: int,
    now: datetime,
    error: str = "",
) -> Kept:
    """Take what a body reports. Once this returns, it is stored, and so is that it came."""
    request = IntakeRequest(
        pk=pk,
        integration=integration,
        received_at=now,
        status=status,
        body=beginning_of(body, integration),
        error=error,
    )
    with transaction.atomic():
        made = occurrences_take(integration=integration, occurrences=occurrences, now=now, request=request)
        request.made = [
            {**each._asdict(), "act": str(each.act), "group": each.group and str(each.group)} for each in made
        ]
        request.save(force_insert=True)
    return Kept(request, made)


def request_refuse(
    *, pk: UUID, integration: Integration, body: bytes, status: int, error: str, now: datetime
) -> None:
    """Note that something was sent of which nothing was taken, and why."""
    log.info("intake_refused", integration=str(integration.pk), status=status)
    IntakeRequest.objects.create(
        pk=pk,
        integration=integration,
        received_at=now,
        status=status,
        body=beginning_of(body, integration),
        error=error[:500],
    )


def beginning_of(body: bytes, integration: Integration) -> str:
    """Return the beginning of a body as it may be shown: without what is named as secrets are."""
    text = body[:BODY_MAX].decode("utf-8", "replace").replace("\0", "�")
    return _SECRET.sub(rf'\1"{MASK}"', text).replace(integration.key, MASK)
