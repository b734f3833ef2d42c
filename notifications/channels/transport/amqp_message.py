"""A message for a broker, as a channel has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpMessage:
    """What is published: text as it is, anything else as JSON."""

    message_id: str
    exchange: str
    routing_key: str
    headers: Mapping[str, Any]
    body: Any
