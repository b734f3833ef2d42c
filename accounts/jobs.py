"""What the scheduler runs for accounts."""

from datetime import timedelta
from typing import Final

import structlog
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import Verification
from config import clock

log = structlog.get_logger(__name__)

#: How long a code or link that can't be used any more stays, for whoever looks into what was sent.
KEPT_FOR: Final = timedelta(days=7)
CHUNK: Final = 5_000


def tokens_flush() -> None:
    """Delete refresh tokens that have expired, and verifications of long ago."""
    now = clock.now()
    tokens = 0
    expired = OutstandingToken.objects.order_by("pk").filter(expires_at__lte=now)
    while chunk := list(expired.values_list("pk", flat=True)[:CHUNK]):
        BlacklistedToken.objects.filter(token__in=chunk).delete()
        tokens += OutstandingToken.objects.filter(pk__in=chunk).delete()[0]
    verifications, _ = Verification.objects.filter(expires_at__lte=now - KEPT_FOR).delete()
    log.info("tokens_flushed", tokens=tokens, verifications=verifications)
