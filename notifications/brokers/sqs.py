"""Amazon SQS, standard and FIFO, with boto3: kombu's transport would put what it gives back at the end."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from config import clock
from notifications.brokers.intake import Delivered, away_on
from notifications.brokers.messages import Message
from notifications.brokers.sources import Source

#: Of one request, by Amazon's rules.
AT_MOST: Final = 10
#: For so long nobody else gets what is held here; extended while it is. A lost consumer's come again then.
VISIBLE_AFTER_S: Final = 60
EXTEND_EVERY_S: Final = 15.0
SNS_ID_MAX_LENGTH: Final = 100


_away: Final = partial(away_on, BotoCoreError, ClientError, OSError)


def client() -> Any:
    """Return a client of SQS as the settings have it; makes no request."""
    return boto3.client(
        "sqs",
        region_name=settings.SQS_REGION,
        endpoint_url=settings.SQS_ENDPOINT_URL or None,
        # Waiting for a message takes longer than an ordinary answer may.
        config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2, "mode": "standard"}),
    )


class SqsIntake:
    """Messages of one queue, asked for by long polling."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._client: Any = None
        self._url = ""
        self._extended: dict[str, float] = {}

    def connect(self) -> None:
        with _away():
            self._client = client()
            self._url = self._client.get_queue_url(QueueName=self.source.queue)["QueueUrl"]
        self._extended.clear()

    def take(self, *, most: int, timeout_s: float) -> list[Delivered]:
        with _away():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(most, AT_MOST),
                WaitTimeSeconds=max(1, round(timeout_s)),
                VisibilityTimeout=VISIBLE_AFTER_S,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        taken = [self._delivered(each) for each in answer.get("Messages", ())]
        self._extended.update({each.tag: time.monotonic() for each in taken})
        return taken

    def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        for tags in _tens(delivered):
            with _away():
                # One that could not be deleted comes again, and changes nothing.
                self._client.delete_message_batch(QueueUrl=self._url, Entries=_entries(tags))
            self._forget(tags)

    def give_back(self, delivered: Sequence[Delivered]) -> None:
        for tags in _tens(delivered):
            self._set_visible_after(tags, 0)
            self._forget(tags)

    def keep(self, delivered: Sequence[Delivered]) -> None:
        now = time.monotonic()
        due = [each for each in delivered if now - self._extended.get(each.tag, 0.0) >= EXTEND_EVERY_S]
        for tags in _tens(due):
            self._set_visible_after(tags, VISIBLE_AFTER_S)
            self._extended.update(dict.fromkeys(tags, now))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.close()

    def _set_visible_after(self, tags: Sequence[str], seconds: int) -> None:
        entries = [entry | {"VisibilityTimeout": seconds} for entry in _entries(tags)]
        with _away():
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _forget(self, tags: Iterable[str]) -> None:
        for tag in tags:
            self._extended.pop(tag, None)

    def _delivered(self, given: dict[str, Any]) -> Delivered:
        attributes = given.get("Attributes", {})
        notice, sent_ms = _notice_in(given["Body"]), attributes.get("SentTimestamp")
        message = Message(
            source=self.source.name,
            # Whatever is no Unicode is malformed, which is for the format to say.
            body=(notice["Message"] if notice else given["Body"]).encode("utf-8", "surrogatepass"),
            headers={
                name: value.get("StringValue", value.get("BinaryValue"))
                for name, value in given.get("MessageAttributes", {}).items()
            },
            # SNS may pass one message on twice, as two of SQS.
            message_id=(notice or given)["MessageId"],
            group=attributes.get("MessageGroupId"),
            sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
            delivered_at=clock.now(),
            redelivered=int(attributes.get("ApproximateReceiveCount", 1)) > 1,
        )
        return Delivered(message, given["ReceiptHandle"])


def _entries(tags: Sequence[str]) -> list[dict[str, Any]]:
    return [{"Id": str(number), "ReceiptHandle": tag} for number, tag in enumerate(tags)]


def _tens(delivered: Sequence[Delivered]) -> Iterator[list[str]]:
    for start in range(0, len(delivered), AT_MOST):
        yield [each.tag for each in delivered[start : start + AT_MOST]]


def _notice_in(body: str) -> dict[str, Any] | None:
    """Return the envelope that SNS puts around what it passes on, unless it delivers raw; else None."""
    if '"Notification"' not in body or '"TopicArn"' not in body:
        return None
    with suppress(orjson.JSONDecodeError):
        match found := orjson.loads(body):
            case {"Type": "Notification", "Message": str(), "MessageId": str(name)}:
                return found if len(name) <= SNS_ID_MAX_LENGTH else None
    return None
