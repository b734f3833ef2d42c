"""Taking in what a shop's cameras report."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import ApiKey, Shop
from config.exceptions import Conflict
from notifications import metrics
from notifications.models import Alert

# The commits of this session are visible at once and waited for later: see _durable_at_the_end.
_DO_NOT_WAIT = "SET synchronous_commit = off"
# Commits an empty message, which waits as the operator has set it for all that came before: for the disk,
# and for the standbys where some are synchronous. Only a transaction that has an id waits for these. Both are
# one transaction and one round trip.
_WAIT = "RESET synchronous_commit; SELECT pg_logical_emit_message(true, 'tocsin', '')"
# Both columns have a unique index; a slug wins over another shop's name.
SHOP_SQL: Final = """
SELECT id, slug, name FROM accounts_shop WHERE slug = %(location)s OR name = %(location)s
 ORDER BY slug = %(location)s DESC LIMIT 1
"""


def alert_accept(
    *,
    alert_uuid: UUID,
    url: str,
    location: str,
    label: str,
    time_spotted: datetime,
    received_from: ApiKey | None = None,
) -> tuple[Alert, bool]:
    """Store an alert; the second value is False where the very same one is here already.

    Raises:
        ValidationError: no shop has this location for its slug or name.
        Conflict: another alert has this id.
    """
    shop = _shop_at(location)
    alert = Alert(
        alert_uuid=alert_uuid,
        url=url,
        shop=shop,
        location=location,
        label=label,
        time_spotted=time_spotted,
        received_from=received_from,
    )
    try:
        # The signal of this save enqueues the fan-out on commit. Alone, the INSERT is a transaction of
        # its own, which saves two round trips; inside another one it needs a savepoint to fail in.
        with transaction.atomic() if connection.in_atomic_block else _durable_at_the_end():
            alert.save(force_insert=True)
    except IntegrityError:
        return _existing(alert), False
    metrics.add("accepted")
    return alert, True


@contextmanager
def _durable_at_the_end() -> Iterator[None]:
    """Commit without waiting, but leave only when all of it is where a commit has to be.

    So the fan-out begins while disk and standbys still write, and nobody is told "accepted" before they have.
    A crash in between undoes an alert that nobody was promised anything of; posted again it gets the same
    deliveries, by id, as the ones that may have gone out (docs/adr/0013).
    """
    with connection.cursor() as cursor:
        cursor.execute(_DO_NOT_WAIT)
        try:
            yield
        finally:
            _wait(cursor)


def _wait(cursor: CursorWrapper) -> None:
    try:
        cursor.execute(_WAIT)
    except BaseException:
        # Undone, the reset too: what this connection commits next, a stop say, would not be waited for.
        connection.close()
        raise


def _shop_at(location: str) -> Shop:
    with connection.cursor() as cursor:
        cursor.execute(SHOP_SQL, {"location": location})
        row = cursor.fetchone()
    if row is None:
        raise ValidationError({"location": ["No shop has this slug or name."]})
    return Shop.from_db("default", ["id", "slug", "name"], row)


def _existing(alert: Alert) -> Alert:
    """Return the alert that is here under the same id.

    Raises:
        Conflict: it says something else.
    """
    existing = Alert.objects.select_related("shop").filter(pk=alert.pk).first()
    if existing is None:
        # Not the id, then: the shop was deleted between the look-up and the insert.
        raise ValidationError({"location": ["No shop has this slug or name."]})
    if _content(existing) != _content(alert):
        raise Conflict("An alert with this alert_uuid was accepted before, with other content.")
    return existing


def _content(alert: Alert) -> tuple[object, ...]:
    """What makes two alerts the same: the shop counts, not which of its names the sender used."""
    return alert.url, alert.shop_id, alert.label, alert.time_spotted
