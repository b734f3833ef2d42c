"""Messages that could not take effect: kept with their reason, replayed, discarded."""

from collections.abc import Iterable
from typing import Final

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet

from config import clock
from config.rest.exceptions import Conflict
from notifications import masking, metrics
from notifications.brokers import failures, formats, outbox, sources
from notifications.brokers.headers import Headers, plain, wire_of
from notifications.brokers.messages import Malformed, Message
from notifications.models import DeadMessage

log = structlog.get_logger(__name__)

REASON_MAX_LENGTH: Final = 500
TEXT_MAX_LENGTH: Final = 255
#: Replayed by one request; the rest takes another.
REPLAY_MOST: Final = 500

CUT: Final = "Its body was too large to keep whole, so it can't be replayed."
NOT_DEAD: Final = "Only a dead letter can be replayed or discarded; this one is {}."

#: What a message can never get over.
FINAL: Final = (Malformed, ValidationError, Conflict)


def reason_of(error: BaseException) -> str:
    """Return why a message failed, in words; without secrets where they are those of a library."""
    if isinstance(error, ValidationError):
        found = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        text = "; ".join(f"{field}: {' '.join(each)}".removeprefix(": ") for field, each in found.items())
    elif isinstance(error, Malformed | Conflict):
        text = str(error)
    else:
        text = masking.description(error)
    return text.replace("\x00", "�")[:REASON_MAX_LENGTH]


def dead_messages_store(dead: Iterable[tuple[Message, str, int]]) -> None:
    """Keep messages with the reason and the number of attempts of each, in the caller's transaction.

    Not one that is kept already, since its consumer was lost before it could say so to the broker.
    """
    rows = []
    for message, reason, attempts in dead:
        key = failures.key_of(message)
        kept = DeadMessage.objects.filter(source=message.source, key=key, state=DeadMessage.State.DEAD)
        if message.redelivered and kept.exists():
            continue
        row = DeadMessage(
            source=message.source,
            reason=reason,
            body=message.body[: settings.MESSAGE_KEPT_BYTES],
            size=len(message.body),
            is_cut=len(message.body) > settings.MESSAGE_KEPT_BYTES,
            headers=plain(message.headers),
            wire_headers=wire_of(message.headers) or None,
            routing_key=_cut(message.routing_key),
            message_id=_cut(message.message_id),
            group=_cut(message.group),
            key=key,
            attempts=attempts,
            sent_at=message.sent_at,
            delivered_at=message.delivered_at,
        )
        rows.append(row)
    DeadMessage.objects.bulk_create(rows)
    for row in rows:
        log.error(
            "message_dead",
            source=row.source,
            dead_message_id=str(row.pk),
            message_id=row.message_id,
            routing_key=row.routing_key,
            attempts=row.attempts,
            reason=masking.mask(row.reason),
        )


def _cut(text: str | None) -> str:
    return (text or "").replace("\x00", "�")[:TEXT_MAX_LENGTH]


def dead_message_replay(dead: DeadMessage) -> DeadMessage:
    """Have a dead letter take effect now; returns it as it is then: replayed, or dead with a new reason.

    Raises:
        Conflict: it is no dead letter (any more), or was cut.
    """
    with transaction.atomic():
        dead = DeadMessage.objects.select_for_update().get(pk=dead.pk)
        _check_dead(dead)
        if dead.is_cut:
            raise Conflict(CUT)
        dead.replays += 1
        try:
            with transaction.atomic():
                source = sources.get(dead.source)
                format_ = formats.get(source.format)
                message = Message(
                    source=dead.source,
                    body=bytes(dead.body),
                    headers=Headers.of(dead.headers, wire=bytes(dead.wire_headers or b"")),
                    routing_key=dead.routing_key,
                    message_id=dead.message_id or None,
                    group=dead.group or None,
                    sent_at=dead.sent_at,
                    delivered_at=clock.now(),
                    redelivered=True,
                )
                outbox.messages_send(source=source, answers=format_.apply([format_.translate(message)]))
        except Exception as error:  # whatever its format raises is this message's failure
            dead.reason = reason_of(error)
            log.warning("dead_message_failed_again", dead_message_id=str(dead.pk), source=dead.source)
        else:
            dead.state, dead.ended_at = DeadMessage.State.REPLAYED, clock.now()
            metrics.add("messages", dead.source, "replayed")
        dead.save(update_fields=["state", "replays", "reason", "ended_at"])
        return dead


def dead_messages_replay(chosen: QuerySet[DeadMessage]) -> tuple[int, int]:
    """Replay dead letters, oldest first, of one request's share; returns how many took effect and failed."""
    waiting = chosen.filter(state=DeadMessage.State.DEAD, is_cut=False)
    replayed = failed = 0
    for dead in waiting.order_by("id").defer("body", "wire_headers")[:REPLAY_MOST]:
        try:
            done = dead_message_replay(dead).state == DeadMessage.State.REPLAYED
        except (Conflict, DeadMessage.DoesNotExist):
            continue  # somebody else was quicker
        replayed, failed = replayed + done, failed + (not done)
    return replayed, failed


def dead_message_discard(dead: DeadMessage) -> None:
    """Mark a dead letter as unwanted; it stays to be read. Raises Conflict if it is none any more."""
    if not dead_messages_discard(DeadMessage.objects.filter(pk=dead.pk)):
        dead.refresh_from_db()
        _check_dead(dead)


def dead_messages_discard(chosen: QuerySet[DeadMessage]) -> int:
    """Mark those of these that are dead letters as unwanted; returns how many."""
    dead = DeadMessage.objects.filter(pk__in=chosen.order_by().values("pk"), state=DeadMessage.State.DEAD)
    return dead.update(state=DeadMessage.State.DISCARDED, ended_at=clock.now())


def _check_dead(dead: DeadMessage) -> None:
    if dead.state != DeadMessage.State.DEAD:
        raise Conflict(NOT_DEAD.format(dead.get_state_display().lower()))


def waiting_by_source() -> dict[str, int]:
    """Return how many dead letters there are, by source."""
    dead = DeadMessage.objects.filter(state=DeadMessage.State.DEAD).order_by()
    return dict(dead.values_list("source").annotate(count=Count("pk")))
