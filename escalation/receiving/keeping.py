"""Keeping what an integration was sent, and what it made, in one transaction; and what was refused."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from django.db import IntegrityError

from accounts.models import Shop
from config.masking import MASK
from config.rows import Columns
from config.sql import run_prepared
from config.statements import named
from escalation.groups.selectors import ROUTES, routes_read
from escalation.groups.taking import occurrences_take
from escalation.intake.occurrence import Occurrence
from escalation.models import IntakeRequest, Integration, Policy

log = structlog.get_logger(__name__)

#: Bytes of a body that are kept.
BODY_MAX: Final = 16_384
# Parts of names whose values are secrets.
_SECRETS: Final = (
    "passwd", "password", "secret", "token", "authorization", "cookie", "credential",
    *(f"{of}{between}key" for of in ("api", "routing", "service", "access") for between in ("", "_", "-")),
)  # fmt: skip
# Such a value, cut off or not.
_SECRET: Final = re.compile(
    rf'("[\w-]*(?:{"|".join(_SECRETS)})[\w-]*"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE
)
_INTEGRATION, _SHOP, _POLICY = Columns(Integration), Columns(Shop), Columns(Policy)
_OF_KEY: Final = f"""
SELECT {_INTEGRATION.of("it")}, {_SHOP.of("shop")}, {_POLICY.of("policy")}, ({ROUTES})
  FROM escalation_integration AS it
  LEFT JOIN accounts_shop AS shop ON shop.id = it.shop_id
  LEFT JOIN escalation_policy AS policy ON policy.id = it.policy_id
 WHERE it.key_digest = %(digest)s AND it.format = %(format)s
"""  # noqa: S608
named("intake.integration", "Find who posts, by the key, and the routes.", _OF_KEY)


def integration_of(key: str, format_: str) -> Integration | None:
    """Return the integration of a key, whether it is enabled or not, with the routes that are asked."""
    found = run_prepared(_OF_KEY, {"digest": Integration.digest_of(key), "format": format_})
    if not found:
        return None
    row = found[0]
    integration = _INTEGRATION.row(row)
    if integration.shop_id:
        integration.shop = _SHOP.row(row[len(_INTEGRATION) :])
    if integration.policy_id:
        integration.policy = _POLICY.row(row[len(_INTEGRATION) + len(_SHOP) :])
    integration.routes = routes_read(row[-1])
    return integration


def request_keep(request: IntakeRequest, occurrences: Sequence[Occurrence]) -> None:
    """Take what a body reports. Once this returns, it is stored, and so is that it came.

    Raises:
        Integration.DoesNotExist: it has been removed meanwhile.
    """
    integration, now = request.integration, request.received_at
    with _unless_removed(integration):
        occurrences_take(integration=integration, occurrences=occurrences, now=now, request=request)


def request_refuse(request: IntakeRequest) -> None:
    """Note that something was sent of which nothing was taken; its error says why.

    Raises:
        Integration.DoesNotExist: it has been removed meanwhile.
    """
    log.info("intake_refused", integration=str(request.integration_id), status=request.status)
    with _unless_removed(request.integration):
        request.save(force_insert=True)


@contextmanager
def _unless_removed(integration: Integration) -> Iterator[None]:
    """Say so if it was removed while this ran: by the foreign keys, which are checked at the commit."""
    try:
        yield
    except IntegrityError:
        if Integration.objects.filter(pk=integration.pk).exists():
            raise
        raise Integration.DoesNotExist from None


def beginning_of(body: bytes, integration: Integration) -> str:
    """Return the beginning of a body as it may be shown: without what is named as secrets are."""
    text = body[:BODY_MAX].decode("utf-8", "replace").replace("\0", "�")
    # Most have none, and to look for one takes a millisecond.
    small = text.lower()
    if any(name in small for name in _SECRETS):
        text = _SECRET.sub(rf'\1"{MASK}"', text)
    return text.replace(integration.key, MASK)
