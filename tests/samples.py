"""Sample messages of the originals, in fixtures/brokers/<format>.json: what comes, and what it means."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifications.brokers.messages import Message

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "brokers"
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


def samples(name: str) -> list[Any]:
    """The samples of a format, each as a parameter that is named for what it shows."""
    rows = json.loads((FOLDER / f"{name}.json").read_text())
    assert len({row["why"] for row in rows}) == len(rows)
    return [pytest.param(row, id=row["why"].replace(" ", "-")) for row in rows]


def message_of(sample: dict[str, Any], **fields: Any) -> Message:
    """The message of a sample: its ``body`` as JSON (a text as it is), or its ``text``, or its ``hex``."""
    if "hex" in sample:
        body = bytes.fromhex(sample["hex"])
    else:
        given = sample["text"] if "text" in sample else sample["body"]
        body = (given if isinstance(given, str) else json.dumps(given)).encode()
    defaults = {"source": "test", "headers": sample.get("headers", {}), "delivered_at": NOW}
    return Message(body=body, **{**defaults, **fields})
