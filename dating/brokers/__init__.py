"""The dating bot's wire: its commands and their answers, and what it is told to pass on to people."""

from typing import Final

from dating.brokers import outgoing
from dating.brokers.commands import translate
from dating.brokers.doing import apply
from notifications.brokers.formats import Format

FORMAT: Final = Format(name="dating", translate=translate, apply=apply)

__all__ = ["FORMAT", "outgoing"]
