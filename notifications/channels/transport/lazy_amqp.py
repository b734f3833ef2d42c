"""py-amqp, loaded when something is first published: it takes a while, which no start should wait for."""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def publisher() -> Any:
    return import_module("notifications.channels.transport.amqp_publisher")
